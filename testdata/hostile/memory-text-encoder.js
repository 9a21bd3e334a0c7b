// expect: HEAP_LIMIT|CPU_LIMIT
const all = [];
for (;;) all.push(new TextEncoder().encode("é".repeat(1e5)));
