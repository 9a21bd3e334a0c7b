// expect: UPSTREAM_TIMEOUT|TIMEOUT
// limits: wall=3s call=300ms
await callTool("s", "t", { wait: true });
