// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT
new RegExp("()".repeat(100000)).exec("");
