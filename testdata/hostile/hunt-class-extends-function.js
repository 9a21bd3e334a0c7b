// expect: SCRIPT_ERROR
class F extends Function {}
new F("return 1")();
