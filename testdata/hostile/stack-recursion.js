// expect: SCRIPT_ERROR
function f() {
  return f() + 1;
}
f();
