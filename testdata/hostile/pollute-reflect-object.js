// expect: value: {"a":1}
for (const o of [Reflect, Object])
  for (const k of Object.getOwnPropertyNames(o)) {
    try { if (k !== "prototype") o[k] = () => { throw new Error("stolen " + k); }; } catch {}
  }
return await callTool("s", "t", { a: 1 });
