// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
const a = [];
a.length = 2 ** 30;
a.toSorted();
