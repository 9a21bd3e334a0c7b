// expect: CPU_LIMIT
(function again() {
  queueMicrotask(again);
})();
await sleep(1e6);
