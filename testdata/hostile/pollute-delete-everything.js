// expect: value: {"a":1}
const call = callTool;
const world = globalThis;
for (const k of Object.getOwnPropertyNames(world)) delete world[k];
return await call("s", "t", { a: 1 });
