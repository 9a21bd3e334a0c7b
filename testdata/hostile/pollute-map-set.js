// expect: value: {"m":{"a":1},"s":[1]}
for (const C of [Map, Set, WeakMap, WeakSet])
  for (const k of Object.getOwnPropertyNames(C.prototype)) {
    if (k === "constructor" || k === "size" || (C === Map && k === "set") || (C === Set && k === "add")) continue;
    C.prototype[k] = () => { throw new Error("stolen " + k); };
  }
setTimeout(() => {}, 0);
await sleep(1);
return { m: new Map([["a", 1]]), s: new Set([1]) };
