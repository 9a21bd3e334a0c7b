// expect: CPU_LIMIT
// Each frame calls itself again when it is left: 2^depth calls.
function f() {
  try {
    f();
  } finally {
    f();
  }
}
f();
