// expect: SCRIPT_ERROR|CPU_LIMIT|HEAP_LIMIT
// A proxy of a proxy of a proxy: one read goes through all of them.
let p = {};
for (let i = 0; i < 100000; i++) p = new Proxy(p, {});
for (;;) p.x;
