// expect: CPU_LIMIT
class A {
  static x = (() => {
    for (;;) {}
  })();
}
