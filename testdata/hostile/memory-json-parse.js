// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
JSON.parse("[" + "{},".repeat(2e6) + "{}]");
