// expect: CPU_LIMIT
const o = {
  valueOf() {
    for (;;) {}
  },
};
o + 1;
