// expect: SCRIPT_ERROR|HEAP_LIMIT
function* g() {
  for (const x of g()) yield x;
}
[...g()];
