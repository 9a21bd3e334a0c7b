// expect: value: "uncaught"|CPU_LIMIT
for (let i = 0; i < 5000; i++) queueMicrotask(() => { throw new Error("y".repeat(5000)); });
await sleep(1);
return "uncaught";
