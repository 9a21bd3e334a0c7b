// expect: SCRIPT_ERROR|CPU_LIMIT|HEAP_LIMIT
function* g() {
  yield* g();
}
g().next();
