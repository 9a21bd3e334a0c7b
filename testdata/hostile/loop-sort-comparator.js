// expect: CPU_LIMIT
[3, 2, 1].sort(() => {
  for (;;) {}
});
