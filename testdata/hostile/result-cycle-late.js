// expect: INVALID_RESULT|SCRIPT_ERROR|value: {"a":{}}
const o = { get a() { return { toJSON: () => o }; } };
return o;
