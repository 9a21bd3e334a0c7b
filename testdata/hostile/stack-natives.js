// expect: SCRIPT_ERROR
function f() {
  [1].forEach(() => [1].map(() => [1].reduce(f, 0)));
}
f();
