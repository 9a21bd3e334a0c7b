// expect: value: {"a":1}
for (const k of Object.getOwnPropertyNames(globalThis)) {
  const v = globalThis[k];
  try { Object.freeze(v); } catch {}
  try { Object.freeze(v.prototype); } catch {}
}
Object.freeze(globalThis);
console.log("frozen");
return await callTool("s", "t", { a: 1 });
