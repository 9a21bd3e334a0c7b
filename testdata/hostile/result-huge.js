// expect: OUTPUT_LIMIT|HEAP_LIMIT
return "x".repeat(5e6);
