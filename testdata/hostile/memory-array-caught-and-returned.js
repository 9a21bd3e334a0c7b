// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
// Meets the limit, catches it, and wants to answer as if nothing had been.
const a = [];
try {
  for (;;) a.push(new Array(1000).fill(7));
} catch {}
return "fine";
