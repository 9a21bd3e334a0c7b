// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const all = [];
for (;;) all.push("x".repeat(1e5).split(""));
