// expect: CPU_LIMIT
const endless = {
  [Symbol.iterator]() {
    return { next: () => ({ done: false, value: 1 }) };
  },
};
for (const x of endless);
