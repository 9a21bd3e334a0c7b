// expect: value: [1]|SCRIPT_ERROR|NEVER_SETTLES
// Everything is a thenable, and never resolves.
Object.prototype.then = function () {};
const r = callTool("s", "t", { x: 1 });
delete Object.prototype.then;
return [(await r).x];
