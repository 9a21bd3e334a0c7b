// expect: HEAP_LIMIT|SCRIPT_ERROR
let b = new ArrayBuffer(8);
for (let n = 16; ; n *= 2) b = b.transfer(n);
