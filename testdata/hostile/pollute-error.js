// expect: value: ["TOOL_ERROR",true,true]
Error.prepareStackTrace = () => { throw new Error("prepared"); };
Error.captureStackTrace = () => { throw new Error("captured"); };
Error.stackTraceLimit = 0;
Object.defineProperty(Error.prototype, "name", { get() { throw new Error("name"); }, set() { throw new Error("name"); } });
Object.defineProperty(Error.prototype, "message", { get() { throw new Error("message"); }, set() { throw new Error("message"); } });
const e = await callTool("s", "fail", { fail: true }).catch((e) => e);
return [e.code, e instanceof HostError, e instanceof Error];
