// expect: value: [1,2]|INVALID_RESULT
// Each visit makes another thing of it, and pollutes in passing.
let n = 0;
const o = { toJSON() { Object.prototype.polluted = ++n; return n; } };
const out = [o, o];
return out;
