// expect: value: [1,2,3]
for (const o of [Math, Number, Number.prototype, BigInt.prototype, Boolean.prototype])
  for (const k of ["floor", "min", "max", "round", "trunc", "abs", "isFinite", "isInteger", "toString", "valueOf", "random"]) {
    if (k in o) try { o[k] = () => { throw new Error("stolen " + k); }; } catch {}
  }
return await parallel([async () => 1, async () => 2, async () => 3], { concurrency: 2 });
