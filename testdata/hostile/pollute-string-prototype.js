// expect: value: {"a":"x"}
for (const k of Object.getOwnPropertyNames(String.prototype)) {
  if (typeof String.prototype[k] === "function" && k !== "constructor") String.prototype[k] = () => { throw new Error("stolen " + k); };
}
console.log("a", { b: "c" });
return await callTool("s", "t", { a: "x" });
