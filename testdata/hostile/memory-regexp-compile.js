// expect: HEAP_LIMIT|SCRIPT_ERROR|CPU_LIMIT|value: false
new RegExp("(?:" + "(?:a{1000}){1000}".repeat(1000) + ")").test("a");
