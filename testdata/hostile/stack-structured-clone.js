// expect: SCRIPT_ERROR|HEAP_LIMIT|CPU_LIMIT|value: "cloned"
let a = {};
for (let i = 0; i < 50000; i++) a = { a };
structuredClone(a);
return "cloned";
