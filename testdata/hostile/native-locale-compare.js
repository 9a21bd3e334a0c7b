// expect: CPU_LIMIT|HEAP_LIMIT
const s = "\u00e9".repeat(1e6);
for (;;) s.localeCompare(s + "a");
