// expect: value: [[{"n":0},{"n":1},{"n":2}],"INVALID_ARGUMENTS"]
// Setters on the indices of every array. The engine's JSON.stringify meets one
// of its own accord, so arguments are refused; what is called is not changed.
const tasks = [0, 1, 2].map((n) => () => callTool("s", "t", { n }));
const args = { n: 3 };
const before = await parallel(tasks);
for (let i = 0; i < 10; i++) Object.defineProperty(Array.prototype, i, { configurable: true, get() { return "stolen"; }, set() { throw new Error("set " + i); } });
const code = await callTool("s", "t", args).then(() => "INVALID_ARGUMENTS", (e) => e.code);
for (let i = 0; i < 10; i++) delete Array.prototype[i];
return [before, code];
