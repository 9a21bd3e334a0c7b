// expect: SCRIPT_ERROR|INVALID_RESULT
const o = { toJSON: () => JSON.stringify(o) };
return o;
