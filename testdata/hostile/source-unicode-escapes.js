// expect: value: {"a":1}
// Names in escapes reach the same globals.
return await \u0063allTool("s", "t", { a: 1 });
