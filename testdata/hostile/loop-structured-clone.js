// expect: CPU_LIMIT|HEAP_LIMIT
structuredClone({
  get x() {
    for (;;) {}
  },
});
