// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
let n = 3n;
for (;;) n = n ** 3n;
