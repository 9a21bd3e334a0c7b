// expect: TOOL_ERROR|SCRIPT_ERROR
Object.defineProperty(Error.prototype, "stack", { get() { for (;;) {} }, set() { for (;;) {} } });
await callTool("s", "fail", { fail: true });
