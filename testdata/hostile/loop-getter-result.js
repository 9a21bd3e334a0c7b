// expect: CPU_LIMIT
({
  get x() {
    for (;;) {}
  },
});
