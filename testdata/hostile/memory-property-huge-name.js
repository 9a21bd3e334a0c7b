// expect: HEAP_LIMIT|OUTPUT_LIMIT|SCRIPT_ERROR
const o = {};
for (let i = 0; i < 20; i++) o["n".repeat(1e6) + i] = i;
return o;
