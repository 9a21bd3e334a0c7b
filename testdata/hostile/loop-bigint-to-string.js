// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
// The decimal digits of a million bits take quadratic time.
const n = 1n << 1000000n;
for (;;) n.toString().length;
