// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const m = new Map();
for (let i = 0; ; i++) m.set(i, i);
