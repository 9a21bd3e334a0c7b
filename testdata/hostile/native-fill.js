// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
const a = [];
a.length = 2 ** 32 - 1;
a.fill(0);
