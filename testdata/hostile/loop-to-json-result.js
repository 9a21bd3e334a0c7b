// expect: CPU_LIMIT
({
  toJSON() {
    for (;;) {}
  },
});
