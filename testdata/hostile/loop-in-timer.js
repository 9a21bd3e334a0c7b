// expect: CPU_LIMIT
setTimeout(() => {
  for (;;) {}
}, 1);
await sleep(1e6);
