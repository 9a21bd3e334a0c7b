// expect: SCRIPT_ERROR
// Recurses again in what describes the error.
const e = new Error("x");
Object.defineProperty(e, "message", { get: () => e.message });
Object.defineProperty(e, "stack", { get: () => e.stack });
Object.defineProperty(e, "cause", { get: () => e });
throw e;
