// expect: CPU_LIMIT|HEAP_LIMIT
for (let i = 0; ; i++) Symbol.for("key " + i);
