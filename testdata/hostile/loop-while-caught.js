// expect: CPU_LIMIT
// Catches whatever interrupts it, and goes on.
for (;;) {
  try {
    while (true) {}
  } catch {
  } finally {
    continue;
  }
}
