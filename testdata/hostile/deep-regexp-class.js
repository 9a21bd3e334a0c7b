// expect: SCRIPT_ERROR|HEAP_LIMIT
new RegExp("[".repeat(1e5) + "]".repeat(1e5), "v");
