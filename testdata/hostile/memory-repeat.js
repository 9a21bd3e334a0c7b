// expect: HEAP_LIMIT|SCRIPT_ERROR
"x".repeat(2 ** 29);
