// expect: CPU_LIMIT|HEAP_LIMIT
// A native that does not look at the clock: measured at 16 s.
new Array(2 ** 28).join("abc");
