// expect: CPU_LIMIT
for (;;) {}
