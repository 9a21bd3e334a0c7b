// expect: CPU_LIMIT|HEAP_LIMIT
Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
