// expect: CALL_LIMIT
for (;;) await callTool("s", "t");
