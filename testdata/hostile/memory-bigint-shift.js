// expect: HEAP_LIMIT|SCRIPT_ERROR
1n << 2n ** 40n;
