// expect: value: {"a":[1,2]}
for (const k of Object.getOwnPropertyNames(Array.prototype)) {
  if (typeof Array.prototype[k] === "function" && k !== "constructor") Array.prototype[k] = () => { throw new Error("stolen " + k); };
}
Array.prototype[Symbol.iterator] = () => { throw new Error("iterated"); };
return await callTool("s", "t", { a: [1, 2] });
