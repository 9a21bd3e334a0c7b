// expect: CPU_LIMIT
for (;;) {
  (async () => {
    for (;;) {}
  })().catch(() => {});
}
