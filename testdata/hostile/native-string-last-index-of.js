// expect: CPU_LIMIT|HEAP_LIMIT
const hay = "a".repeat(4e6);
const needle = "b" + "a".repeat(2e6);
for (;;) hay.lastIndexOf(needle);
