// expect: HEAP_LIMIT|SCRIPT_ERROR
new Float64Array(2 ** 30);
