// expect: CPU_LIMIT
class A {
  static [Symbol.hasInstance]() {
    for (;;) {}
  }
}
1 instanceof A;
