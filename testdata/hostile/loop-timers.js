// expect: CPU_LIMIT
(function again() {
  setTimeout(again, 0);
  setTimeout(() => {}, 0);
})();
await sleep(1e6);
