// expect: CPU_LIMIT
for (;;) (Math.PI * 1e300).toString(2) + (1e21).toFixed(100) + Math.E.toPrecision(100);
