// expect: SCRIPT_ERROR|CPU_LIMIT
// What describes an error to the caller must not hang on it.
throw {
  [Symbol.toPrimitive]() {
    for (;;) {}
  },
  toString() {
    for (;;) {}
  },
  get message() {
    for (;;) {}
  },
};
