// expect: HEAP_LIMIT|SCRIPT_ERROR
const b = new ArrayBuffer(1, { maxByteLength: 2 ** 40 });
for (let n = 2; ; n *= 2) b.resize(n);
