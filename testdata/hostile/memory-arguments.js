// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
const f = (...a) => f(...a, ...a, 1);
f();
