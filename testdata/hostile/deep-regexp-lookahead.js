// expect: SCRIPT_ERROR|HEAP_LIMIT|value: false
new RegExp("(?=".repeat(200) + "a" + ")".repeat(200)).test("b".repeat(1e5));
