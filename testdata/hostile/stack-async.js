// expect: SCRIPT_ERROR|HEAP_LIMIT|CPU_LIMIT
const f = async () => await f();
await f();
