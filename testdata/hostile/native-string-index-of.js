// expect: CPU_LIMIT|HEAP_LIMIT
// Quadratic search, in one call of a native.
const hay = "a".repeat(4e6);
const needle = "a".repeat(2e6) + "b";
for (;;) hay.indexOf(needle);
