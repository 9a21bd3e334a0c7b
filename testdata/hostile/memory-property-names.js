// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const o = {};
for (let i = 0; ; i++) o["property number " + i] = i;
