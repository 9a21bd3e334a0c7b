// expect: SCRIPT_ERROR|HEAP_LIMIT|CPU_LIMIT
throw new Error("\ud800".repeat(2e6));
