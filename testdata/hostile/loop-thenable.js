// expect: CPU_LIMIT
const t = {
  then(resolve) {
    resolve(t);
  },
};
await t;
