// expect: HEAP_LIMIT|CPU_LIMIT
const w = new WeakMap();
let key = {};
for (;;) {
  const next = {};
  w.set(next, { key, pad: new Array(10).fill(1) });
  key = next;
}
