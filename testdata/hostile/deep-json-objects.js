// expect: SCRIPT_ERROR|HEAP_LIMIT
JSON.parse('{"a":'.repeat(1e5) + "1" + "}".repeat(1e5));
