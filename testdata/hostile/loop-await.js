// expect: CPU_LIMIT
for (;;) await 0;
