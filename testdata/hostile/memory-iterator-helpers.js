// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
let it = [1].values();
for (;;) it = it.map((x) => x);
