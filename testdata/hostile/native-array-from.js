// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
Array.from({ length: 2 ** 53 - 1 });
