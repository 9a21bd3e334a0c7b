// expect: value: "logged"|HEAP_LIMIT
console.log("x".repeat(5e6));
console.log(new Array(1e5).fill("y"), Array.from({ length: 200 }, (_, i) => ({ ["k".repeat(1000) + i]: i })));
return "logged";
