// expect: value: "progressed"|CPU_LIMIT
for (let i = 0; i < 20000; i++) progress(i, 20000, "m".repeat(10000));
return "progressed";
