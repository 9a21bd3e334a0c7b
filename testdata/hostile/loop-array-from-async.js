// expect: CPU_LIMIT|HEAP_LIMIT
async function* g() {
  for (let i = 0; ; i++) yield i;
}
await Array.fromAsync(g());
