// expect: INVALID_RESULT
// The host takes 512 levels; an honest worker must not send it more.
let a = 1;
for (let i = 0; i < 513; i++) a = [a];
return a;
