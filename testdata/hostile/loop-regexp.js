// expect: CPU_LIMIT
/^(a+)+$/.test("a".repeat(50) + "b");
