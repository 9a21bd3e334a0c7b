// expect: CPU_LIMIT|HEAP_LIMIT
// A comparator that never agrees with itself, on a large array, again and again.
const a = Array.from({ length: 100000 }, (_, i) => i);
for (;;) a.sort(() => Math.random() - 0.5);
