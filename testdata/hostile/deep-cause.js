// expect: SCRIPT_ERROR
let e = new Error("first");
for (let i = 0; i < 10000; i++) e = new Error("next", { cause: e });
throw e;
