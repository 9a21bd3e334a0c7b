// expect: value: {"a":1}
const { then } = Promise.prototype;
Promise.prototype.catch = Promise.prototype.finally = () => { throw new Error("stolen"); };
Promise.resolve = Promise.reject = Promise.all = () => { throw new Error("stolen"); };
Object.defineProperty(Promise, Symbol.species, { value: function () { throw new Error("species"); } });
return await callTool("s", "t", { a: 1 });
