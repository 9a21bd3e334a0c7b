// expect: CPU_LIMIT|SCRIPT_ERROR
/(x+x+)+\1y/.test("x".repeat(60));
