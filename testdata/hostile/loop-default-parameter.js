// expect: CPU_LIMIT
const f = (x = (() => { for (;;) {} })()) => x;
f();
