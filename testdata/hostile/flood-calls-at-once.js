// expect: CALL_LIMIT|HEAP_LIMIT|CPU_LIMIT
await Promise.all(Array.from({ length: 10000 }, () => callTool("s", "t")));
