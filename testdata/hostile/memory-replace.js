// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
// Each a becomes the whole text before and after it.
"a".repeat(1e5).replace(/a/g, "$`$'$`$'");
