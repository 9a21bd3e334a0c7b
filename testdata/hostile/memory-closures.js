// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
let f = () => 0;
for (;;) {
  const g = f;
  f = () => g();
}
