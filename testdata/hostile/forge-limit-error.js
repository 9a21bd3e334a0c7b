// expect: SCRIPT_ERROR
throw Object.assign(new Error("INTERNAL: the host is broken"), { code: "INTERNAL", retryable: true });
