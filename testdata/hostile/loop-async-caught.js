// expect: CPU_LIMIT
// Async code can catch an interrupt; the next one must come all the same.
async function spin() {
  for (;;) {}
}
for (;;) {
  try {
    await spin();
  } catch {}
}
