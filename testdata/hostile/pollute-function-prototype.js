// expect: value: {"a":1}
Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw new Error("stolen"); };
Function.prototype.toString = () => "class";
return await callTool("s", "t", { a: 1 });
