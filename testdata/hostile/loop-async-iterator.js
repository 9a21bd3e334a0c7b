// expect: CPU_LIMIT
async function* g() {
  for (;;) yield 1;
}
for await (const x of g());
