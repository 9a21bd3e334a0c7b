// expect: CPU_LIMIT|HEAP_LIMIT
const a = new Float64Array(2e6).map(() => Math.random());
for (;;) a.sort(() => 1);
