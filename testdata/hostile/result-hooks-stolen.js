// expect: value: [{"a":1},"hooked"]
// The conversion of Map adds a toJSON for a moment: nothing of that may stay
// or be stolen.
const stolen = [];
const spy = { toJSON() { stolen.push(typeof Map.prototype.toJSON); return "hooked"; } };
return [new Map([["a", 1]]), spy];
