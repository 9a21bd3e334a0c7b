// expect: CPU_LIMIT
/^(a|aa|a*)*c/.exec("a".repeat(200));
