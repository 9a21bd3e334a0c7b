// expect: CPU_LIMIT
tools.s.t({ wait: true });
for (;;) {}
