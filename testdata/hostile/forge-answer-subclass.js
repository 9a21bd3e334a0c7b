// expect: value: {"a":1}
class Mine extends Promise {}
const p = callTool("s", "t", { a: 1 });
Object.setPrototypeOf(p, Mine.prototype);
return await p;
