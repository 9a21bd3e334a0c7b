// expect: value: [null,null]|INVALID_RESULT|SCRIPT_ERROR
const d = new Date(8.64e15 + 1);
d.toISOString = () => { throw new Error("x"); };
return [new Date(NaN), d.toJSON ? null : d];
