// expect: SCRIPT_ERROR
class A {
  constructor() {
    new A();
  }
}
new A();
