// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
let s = "x".repeat(1000);
for (;;) s = btoa(s);
