// expect: value: ["refused","refused","refused"]
// From an error of the host back to a way to compile text.
const e = await callTool("s", "fail", { fail: true }).catch((e) => e);
const tries = [
  () => e.constructor.constructor("return 1")(),
  () => tools.s.t.constructor("return 1")(),
  () => Object.getPrototypeOf(async () => {}).constructor("return 1")(),
];
return tries.map((f) => { try { f(); return "ran"; } catch { return "refused"; } });
