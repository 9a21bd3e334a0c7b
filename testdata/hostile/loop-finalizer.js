// expect: CPU_LIMIT
// A finalizer that runs when its object goes, if it runs at all, is the
// program's own time too.
const registry = new FinalizationRegistry(() => {
  for (;;) {}
});
for (;;) registry.register({ big: new Array(10).fill(1) }, 1);
