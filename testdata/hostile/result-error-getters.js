// expect: value: [{"name":"Error","message":"x"}]|INVALID_RESULT|SCRIPT_ERROR
const e = new Error("x");
Object.defineProperty(e, "stack", { enumerable: true, get() { throw new Error("stack"); } });
return [e];
