// expect: CPU_LIMIT|HEAP_LIMIT
"a".repeat(5000).replace(/(?<=^(a*)*)b|(?<=(a*a*a*a*))c/g, "");
for (;;) "a".repeat(5000).replace(/(?<=(a*a*a*))b/g, "");
