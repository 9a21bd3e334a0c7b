// expect: CPU_LIMIT
for (;;) {
  try { emit({ type: "text", text: "x".repeat(100000) }); } catch {}
}
