// expect: INVALID_ARGUMENTS
let a = 1;
for (let i = 0; i < 600; i++) a = [a];
emit({ type: "text", text: "x", a });
