// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const all = [];
for (;;) all.push(new Error("x".repeat(100)));
