// expect: value: {"a":1}
// Resolves promises of the host before it does, by any name that might lead there.
const p = callTool("s", "t", { a: 1 });
for (const k of Reflect.ownKeys(p)) p[k] = "forged";
p.then = undefined;
p.resolve = p.value = p.result = "forged";
delete p.then;
return await p;
