// expect: value: {"a":[1]}
globalThis.Symbol = null;
Object.getPrototypeOf([][Object.getOwnPropertySymbols(Array.prototype)[0]]()).next = () => { throw new Error("next"); };
return await callTool("s", "t", { a: [1] });
