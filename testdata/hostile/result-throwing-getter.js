// expect: INVALID_RESULT|SCRIPT_ERROR
return { a: 1, get b() { throw new Error("not for you"); } };
