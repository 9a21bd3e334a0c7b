// expect: HEAP_LIMIT|SCRIPT_ERROR
"".padEnd(2 ** 29, "abc");
