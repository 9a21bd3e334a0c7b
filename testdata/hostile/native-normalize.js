// expect: CPU_LIMIT|HEAP_LIMIT
for (;;) "\u1e9b\u0323".repeat(2e5).normalize("NFKD");
