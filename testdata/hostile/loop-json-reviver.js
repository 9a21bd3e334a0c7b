// expect: CPU_LIMIT
JSON.parse("[1]", () => {
  for (;;) {}
});
