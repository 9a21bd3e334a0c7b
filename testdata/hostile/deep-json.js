// expect: SCRIPT_ERROR|HEAP_LIMIT
JSON.parse("[".repeat(1e6));
