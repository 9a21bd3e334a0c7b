// expect: value: {"a":1}
globalThis.Promise = class { constructor() { throw new Error("stolen"); } };
return await callTool("s", "t", { a: 1 });
