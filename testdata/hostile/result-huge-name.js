// expect: OUTPUT_LIMIT|HEAP_LIMIT
return { ["k".repeat(3e6)]: 1 };
