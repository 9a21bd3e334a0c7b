// expect: SCRIPT_ERROR|HEAP_LIMIT
let f = () => 1;
for (let i = 0; i < 50000; i++) f = f.bind(null, i);
f();
