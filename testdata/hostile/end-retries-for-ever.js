// expect: CALL_LIMIT|CPU_LIMIT|TIMEOUT
// limits: wall=2s calls=20
for (;;) {
  try {
    return await callTool("s", "fail", { fail: true });
  } catch (e) {
    if (e.code !== "TOOL_ERROR") throw e;
  }
}
