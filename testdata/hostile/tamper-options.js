// expect: value: [{"a":1},{"a":2}]
const options = new Proxy({}, { get() { throw new Error("no options"); }, has: () => true });
const first = await callTool("s", "t", { a: 1 }, { timeout: NaN, raw: "yes" });
let second;
try { second = await callTool("s", "t", { a: 2 }, options); } catch { second = { a: 2 }; }
return [first, second];
