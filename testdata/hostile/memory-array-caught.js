// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const a = [];
for (;;) {
  try {
    for (;;) a.push(new Array(1000).fill(a.length));
  } catch {}
}
