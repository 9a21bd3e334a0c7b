// expect: CPU_LIMIT|SCRIPT_ERROR
// An object whose prototype is a proxy of itself: every miss starts again.
const o = {};
const p = new Proxy(o, {
  get(t, k, r) {
    return Reflect.get(Object.getPrototypeOf(t), k, r);
  },
});
Object.setPrototypeOf(o, p);
o.missing;
