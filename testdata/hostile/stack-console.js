// expect: value: "logged"|SCRIPT_ERROR
// Formats a value that is nested a million times.
let a = {};
for (let i = 0; i < 20000; i++) a = { a };
console.log(a, [a], new Map([[a, a]]));
return "logged";
