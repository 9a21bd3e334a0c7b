// expect: value: "INVALID_ARGUMENTS"
const p = new Proxy({}, { ownKeys() { throw new Error("no keys"); } });
return await callTool("s", "t", p).catch((e) => e.code);
