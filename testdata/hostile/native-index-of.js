// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR|value: -1
Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
