// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const all = [];
for (;;) {
  const a = { pad: new Array(20).fill(0) };
  a.self = a;
  all.push(a);
}
