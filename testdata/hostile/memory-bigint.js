// expect: HEAP_LIMIT|SCRIPT_ERROR
let n = 1n;
const all = [];
for (;;) {
  n = (n << 1000n) % (1n << 200000n) + 1n;
  all.push(n);
}
