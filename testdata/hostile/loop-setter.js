// expect: CPU_LIMIT
const o = {
  set a(v) {
    for (;;) {}
  },
};
o.a = 1;
