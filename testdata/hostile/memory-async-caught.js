// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
const a = [];
const grow = async () => {
  for (;;) a.push(new Array(1000).fill(7));
};
await grow().catch(() => {});
return "fine";
