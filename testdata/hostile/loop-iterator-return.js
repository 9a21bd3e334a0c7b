// expect: CPU_LIMIT
// Closing the iterator never comes to an end.
const it = {
  [Symbol.iterator]() {
    return {
      next: () => ({ done: false, value: 1 }),
      return() {
        for (;;) {}
      },
    };
  },
};
for (const x of it) break;
