// expect: CPU_LIMIT|HEAP_LIMIT
const a = [1, 2, 3];
for (;;) {
  a.sort((x, y) => {
    a.push(x, y);
    return 1;
  });
}
