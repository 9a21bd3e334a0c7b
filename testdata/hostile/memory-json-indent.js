// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
let a = [];
for (let i = 0; i < 400; i++) a = [a, a.length < 2 ? [a] : 1];
JSON.stringify(Array.from({ length: 1e5 }, () => [[[[[[[[1]]]]]]]]), null, 10);
