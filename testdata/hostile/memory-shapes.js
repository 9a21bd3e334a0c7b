// expect: HEAP_LIMIT
// limits: cpu=5s heap=16MiB
// Every object has a layout of its own.
const all = [];
for (let i = 0; ; i++) all.push({ ["a" + i]: 1, ["b" + i]: 2, ["c" + i]: 3 });
