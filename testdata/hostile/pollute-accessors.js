// expect: value: 0
// Setters that would catch what the prelude keeps in ordinary objects. (Indices
// are not among them: the engine's own JSON.stringify meets those.)
let stolen = 0;
for (const k of ["callback", "args", "resolve", "reject", "code", "id", "promise", "message", "result"])
  Object.defineProperty(Object.prototype, k, { __proto__: null, configurable: true, get: () => undefined, set() { stolen++; } });
const settled = await Promise.allSettled([callTool("s", "t", { x: 1 }), callTool("s", "fail"), parallel([() => callTool("s", "t")])]);
await sleep(1);
return stolen;
