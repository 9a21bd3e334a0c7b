// expect: value: ["refused","refused","refused","refused","refused","refused","refused"]
const text = "globalThis.ran = 1";
const tries = [
  () => eval(text), () => (0, eval)(text), () => new Function(text)(), () => Reflect.construct(Function, [text])(),
  () => Reflect.apply(Function.prototype.constructor, null, [text])(), () => setTimeout(text, 0), () => (function* () {}).constructor(text)().next(),
];
return tries.map((f) => { try { f(); return globalThis.ran ? "ran" : "nothing"; } catch { return "refused"; } });
