// expect: value: {"a":"b"}|INVALID_RESULT|SCRIPT_ERROR
return new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }), get: (t, k) => (k === "toJSON" ? undefined : "b") });
