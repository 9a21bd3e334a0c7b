// expect: CPU_LIMIT
await {
  get then() {
    for (;;) {}
  },
};
