// expect: value: "POLICY"
globalThis.Proxy = globalThis.WeakSet = globalThis.WeakMap = globalThis.Map = null;
try { tools.s.t.x; } catch {}
return "POLICY";
