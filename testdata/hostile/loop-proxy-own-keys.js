// expect: CPU_LIMIT
const p = new Proxy({}, {
  ownKeys() {
    for (;;) {}
  },
});
JSON.stringify(p);
