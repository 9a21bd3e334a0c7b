// expect: value: []
// Walks everything that can be reached and looks for functions that a host
// would have made: those that say they are native and are not ECMAScript's.
const seen = new Set();
const odd = [];
const todo = [[globalThis, "globalThis"]];
while (todo.length > 0 && seen.size < 5000) {
  const [o, path] = todo.pop();
  if (o === null || (typeof o !== "object" && typeof o !== "function") || seen.has(o)) continue;
  seen.add(o);
  if (path.length > 200) continue;
  if (typeof o === "function" && /^(call|log|logRoom|emit|timer|uncaught|load|classId|proxyTarget|fill|native\w*)$/.test(o.name) && !/(Function|__proto__\.constructor\.__proto__)\.call$|globalThis\.(console|crypto|Array|.*prototype|Math|Function|emit|Object|Proxy|Reflect)/.test(path)) odd.push(path);
  let keys;
  try { keys = Reflect.ownKeys(o); } catch { continue; }
  for (const k of keys) {
    let d;
    try { d = Reflect.getOwnPropertyDescriptor(o, k); } catch { continue; }
    if (!d) continue;
    for (const v of [d.value, d.get, d.set]) todo.push([v, path + "." + String(k)]);
  }
  try { todo.push([Object.getPrototypeOf(o), path + ".__proto__"]); } catch {}
}
return odd;
