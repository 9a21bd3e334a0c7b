// expect: SCRIPT_ERROR|HEAP_LIMIT|CPU_LIMIT
for (let i = 0; i < 1e6; i++) setTimeout(() => {}, i);
await sleep(1e6);
