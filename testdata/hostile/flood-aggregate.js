// expect: SCRIPT_ERROR|HEAP_LIMIT|CPU_LIMIT
throw new AggregateError(Array.from({ length: 100000 }, (_, i) => new Error("e".repeat(100) + i)), "many");
