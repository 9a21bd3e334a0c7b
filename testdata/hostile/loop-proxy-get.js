// expect: CPU_LIMIT
const p = new Proxy({}, {
  get() {
    for (;;) {}
  },
});
p.x;
