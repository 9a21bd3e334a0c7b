// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
for (;;) clearTimeout(setTimeout(() => {}, 1e6));
