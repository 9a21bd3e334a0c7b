// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const p = new Promise(() => {});
for (;;) p.then(() => 1);
