// expect: SCRIPT_ERROR
throw new Proxy(new Error("x"), { get() { throw 1; }, getPrototypeOf() { throw 2; }, getOwnPropertyDescriptor() { throw 3; } });
