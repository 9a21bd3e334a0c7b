// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
let a = [1];
for (;;) a = [structuredClone(a), structuredClone(a)];
