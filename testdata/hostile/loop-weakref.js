// expect: CPU_LIMIT|HEAP_LIMIT
const refs = [];
for (;;) {
  refs.push(new WeakRef({ a: new Array(100).fill(refs.length) }));
  if (refs.length > 1000) refs.length = 0;
}
