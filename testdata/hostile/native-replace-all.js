// expect: CPU_LIMIT|HEAP_LIMIT
for (;;) "a".repeat(2e6).replaceAll("a", "b");
