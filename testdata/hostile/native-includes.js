// expect: CPU_LIMIT|HEAP_LIMIT
Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);
