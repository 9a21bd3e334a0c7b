// expect: CPU_LIMIT
class Slow extends Array {
  static get [Symbol.species]() {
    for (;;) {}
  }
}
new Slow(1, 2).map((x) => x);
