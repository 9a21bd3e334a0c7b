// expect: CPU_LIMIT|HEAP_LIMIT
function again() {
  return Promise.resolve().then(again, again);
}
await again();
