// expect: SCRIPT_ERROR
for (let i = 0; i < 8; i++) callTool("s", "t", { wait: true }).finally(() => { for (;;) {} });
throw new Error("and so it ends");
