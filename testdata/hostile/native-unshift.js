// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
Array.prototype.unshift.call({ length: 2 ** 53 - 10 }, 1, 2);
