// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
Math.max.apply(null, { length: 2 ** 30 });
