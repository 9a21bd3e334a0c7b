// expect: CPU_LIMIT
outer: while (true) {
  for (const x of [1, 2, 3]) {
    if (x > 1) continue outer;
  }
}
