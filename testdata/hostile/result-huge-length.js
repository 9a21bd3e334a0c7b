// expect: CPU_LIMIT|HEAP_LIMIT|INVALID_RESULT|SCRIPT_ERROR|OUTPUT_LIMIT
// An array that says it has four thousand million elements.
return new Proxy([], { get: (t, k) => (k === "length" ? 2 ** 32 - 1 : k === "toJSON" ? undefined : 1) });
