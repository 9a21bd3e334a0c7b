// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
function* g() {
  yield new Array(1000).fill(1);
}
const all = [];
for (;;) {
  const x = g();
  x.next();
  all.push(x);
}
