// expect: CPU_LIMIT|HEAP_LIMIT
for (;;) {
  try { await callTool("s", "t"); } catch {}
}
