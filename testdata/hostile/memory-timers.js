// expect: HEAP_LIMIT|SCRIPT_ERROR
// limits: cpu=5s heap=16MiB
for (;;) setTimeout(() => {}, 1e6);
