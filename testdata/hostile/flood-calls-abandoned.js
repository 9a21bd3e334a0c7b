// expect: value: "left"|HEAP_LIMIT|CPU_LIMIT
for (let i = 0; i < 20000; i++) callTool("s", "t", { wait: true }).catch(() => {});
return "left";
