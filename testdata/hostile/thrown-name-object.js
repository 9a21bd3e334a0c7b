// expect: SCRIPT_ERROR
const e = new Error("x");
e.name = { toString() { throw 1; } };
e.message = Symbol("m");
throw e;
