// expect: value: {"a":1}
const proto = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
proto[Symbol.iterator] = () => { throw new Error("iterated"); };
Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true });
return await callTool("s", "t", { a: 1 });
