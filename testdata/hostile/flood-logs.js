// expect: value: "logged"|CPU_LIMIT
for (let i = 0; i < 20000; i++) console.log("line " + i, { i });
return "logged";
