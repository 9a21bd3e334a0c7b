// expect: value: [{"size":3},{}]
// An object that says it is a Map, and one whose prototype is.
const liar = { get [Symbol.toStringTag]() { return "Map"; }, size: 3 };
return [liar, Object.create(Map.prototype)];
