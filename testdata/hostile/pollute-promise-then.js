// expect: value: "answered"|SCRIPT_ERROR|NEVER_SETTLES
Promise.prototype.then = function () { return "never"; };
await callTool("s", "t", { a: 1 });
return "answered";
