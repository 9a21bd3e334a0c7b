// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
// Nested as deep as the heap allows: freeing it must not recurse.
let o = null;
for (;;) o = { o };
