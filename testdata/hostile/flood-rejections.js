// expect: value: "rejected"|HEAP_LIMIT|CPU_LIMIT
for (let i = 0; i < 20000; i++) Promise.reject(new Error("x".repeat(1000)));
await sleep(1);
return "rejected";
