// expect: CPU_LIMIT
[1].map(() => {
  for (;;) {}
});
