// expect: value: "logged"|HEAP_LIMIT|CPU_LIMIT
const o = {};
for (let i = 0; i < 50000; i++) o["key" + i] = i;
console.log(o, new Map(Object.entries(o)), new Set(Object.keys(o)));
return "logged";
