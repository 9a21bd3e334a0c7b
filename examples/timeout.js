// A tool that would take a minute, and a program that does not wait for it. The
// server is told to stop; the fast call beside it is not disturbed.
async () => {
  const [slow, fast] = await Promise.allSettled([
    tools.lab.slow({ ms: 60000 }, { timeout: 100 }),
    tools.lab.slow({ ms: 1 }),
  ]);
  return {
    slow: slow.reason.code,
    isHostError: slow.reason instanceof HostError,
    server: slow.reason.server,
    tool: slow.reason.tool,
    fast: fast.value.waited_ms,
  };
};
// expect: {"slow":"UPSTREAM_TIMEOUT","isHostError":true,"server":"lab","tool":"slow","fast":1}
