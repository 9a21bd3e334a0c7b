// expect: OUTPUT_LIMIT|HEAP_LIMIT
// Each character becomes six.
return "\0".repeat(1e6);
