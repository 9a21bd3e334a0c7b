// expect: value: [{"n":1},{"n":2}]
// What is sent is read once: it cannot differ from what was checked.
let n = 0;
const args = { get n() { return ++n; } };
return [await callTool("s", "t", args), await callTool("s", "t", args)];
