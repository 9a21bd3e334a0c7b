// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
const s = "x".repeat(1e6);
new Array(1000).fill(s).join(s);
