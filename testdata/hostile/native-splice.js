// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
Array.prototype.splice.call({ length: 2 ** 53 - 10 }, 0, 1);
