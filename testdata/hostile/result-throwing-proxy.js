// expect: INVALID_RESULT|SCRIPT_ERROR
return new Proxy({}, { ownKeys() { throw new Error("no keys"); }, get() { throw new Error("no values"); } });
