// expect: CPU_LIMIT
const o = {
  toString() {
    for (;;) {}
  },
};
`${o}`;
