// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const s = new Set();
for (;;) s.add({});
