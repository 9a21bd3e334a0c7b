// expect: CPU_LIMIT|HEAP_LIMIT
Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);
