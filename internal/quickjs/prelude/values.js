// What a program's result and its arguments become where JSON.stringify drops
// or refuses them:
//
//   BigInt → its decimal digits as a string     Map → an object when all keys are strings,
//   Set → array                                        else an array of [key, value]
//   typed array, ArrayBuffer → array of numbers Error → { name, message, code?, cause?, errors?, … }
//   RegExp → its source as "/a/g"               undefined, function, symbol at the top → null
//
// Everything else is as JSON.stringify says: toJSON methods are called,
// undefined in objects is left out, NaN is null.
//
// hooks is a list of pairs at even and odd places: prototype, toJSON function.
// The engine defines them just before it calls the native JSON.stringify, and
// removes them after: plain values pay nothing. encode(value) does all that.
// findCycle(value) → ".a.b[3]" where the value contains one of its own
// ancestors, undefined where it does not.
(function (P, N) {
  "use strict";
  const { ArrayIsArray, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectHasOwn, ObjectKeys, ReflectApply, define, peek } = P;

  const mapToJSON = function () {
    const out = {};
    const pairs = [];
    let n = 0;
    let strings = true;
    P.MapPrototypeForEach(this, (v, k) => {
      define(pairs, n++, [k, v]);
      if (typeof k !== "string") strings = false;
      else if (strings) define(out, k, v);
    });
    return strings ? out : pairs;
  };
  const setToJSON = function () {
    const out = [];
    let n = 0;
    P.SetPrototypeForEach(this, (v) => {
      define(out, n++, v);
    });
    return out;
  };
  const numbers = (view) => {
    const out = [];
    const length = P.TypedArrayPrototypeGetLength(view);
    for (let i = 0; i < length; i++) define(out, i, view[i]);
    return out;
  };
  const typedToJSON = function () {
    return numbers(this);
  };
  const bufferToJSON = function () {
    return numbers(new P.Uint8Array(this));
  };
  const errorToJSON = function () {
    const out = {};
    const name = peek(this, "name");
    const message = peek(this, "message");
    define(out, "name", typeof name === "string" ? name : "Error");
    define(out, "message", typeof message === "string" ? message : "");
    const keys = ObjectKeys(this);
    for (let i = 0; i < keys.length; i++) if (keys[i] !== "stack" && keys[i] !== "name" && keys[i] !== "message") define(out, keys[i], this[keys[i]]);
    // These two are not enumerable where the language sets them.
    for (let i = 0; i < 2; i++) {
      const key = i === 0 ? "cause" : "errors";
      const d = ObjectGetOwnPropertyDescriptor(this, key);
      if (d !== undefined && ObjectHasOwn(d, "value") && !ObjectHasOwn(out, key)) define(out, key, d.value);
    }
    return out;
  };
  const regexpToJSON = function () {
    return "/" + P.RegExpPrototypeGetSource(this) + "/" +
      (P.RegExpPrototypeGetHasIndices(this) ? "d" : "") + (P.RegExpPrototypeGetGlobal(this) ? "g" : "") + (P.RegExpPrototypeGetIgnoreCase(this) ? "i" : "") +
      (P.RegExpPrototypeGetMultiline(this) ? "m" : "") + (P.RegExpPrototypeGetDotAll(this) ? "s" : "") + (P.RegExpPrototypeGetUnicode(this) ? "u" : "") +
      (P.RegExpPrototypeGetUnicodeSets(this) ? "v" : "") + (P.RegExpPrototypeGetSticky(this) ? "y" : "");
  };
  const bigintToJSON = function () {
    return P.BigIntPrototypeToString(typeof this === "bigint" ? this : P.BigIntPrototypeValueOf(this));
  };
  // Only the real thing is converted: an object that merely inherits from
  // Map.prototype is written as it stands.
  const guarded = (brand, f) =>
    function () {
      const b = typeof this === "bigint" ? "BigInt" : typeof this === "object" && this !== null ? P.brand(this) : "";
      return b === brand || (brand === "Typed" && P.ArrayPrototypeIndexOf(P.typedArrays, b) >= 0) ? ReflectApply(f, this, []) : this;
    };

  const hooks = P.ObjectSetPrototypeOf(
    [
      P.BigIntPrototype, guarded("BigInt", bigintToJSON),
      P.MapPrototype, guarded("Map", mapToJSON),
      P.SetPrototype, guarded("Set", setToJSON),
      P.TypedArrayPrototype, guarded("Typed", typedToJSON),
      P.ArrayBufferPrototype, guarded("ArrayBuffer", bufferToJSON),
      P.ErrorPrototype, guarded("Error", errorToJSON),
      P.RegExpPrototype, guarded("RegExp", regexpToJSON),
    ],
    null,
  );

  // Defines the hooks where the prototype still takes them, and returns what
  // restores it. A toJSON that the program put there itself stays.
  const install = () => {
    const installed = P.list();
    for (let i = 0; i < hooks.length; i += 2) {
      const proto = hooks[i];
      if (ObjectHasOwn(proto, "toJSON") || !P.ObjectIsExtensible(proto)) continue;
      try {
        ObjectDefineProperty(proto, "toJSON", { __proto__: null, value: hooks[i + 1], configurable: true, writable: true, enumerable: false });
        installed[installed.length] = proto;
      } catch {}
    }
    return installed;
  };
  const uninstall = (installed) => {
    for (let i = 0; i < installed.length; i++)
      try {
        delete installed[i].toJSON;
      } catch {} // frozen meanwhile: the program's own prototypes, and its loss
  };

  // JSON text of any value; throws what a toJSON method or a getter of the
  // program throws, and a TypeError on a cycle.
  const encode = (value) => {
    const installed = install();
    try {
      const text = P.JSONStringify(value);
      return text === undefined ? "null" : text;
    } finally {
      uninstall(installed);
    }
  };

  const identifier = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
  const step = (key) => (P.RegExpPrototypeExec(identifier, key) !== null ? "." + key : "[" + P.JSONStringify(key.length > 100 ? P.StringPrototypeSlice(key, 0, 100) + "…" : key) + "]");

  // A depth-first walk with its own stack over what encode would visit, except
  // that it calls neither getters nor toJSON.
  const findCycle = (root) => {
    const done = new P.WeakSet();
    const open = new P.Map();
    const stack = P.list();
    const childrenOf = (v) => {
      const out = P.list();
      const add = (name, child) => {
        if (typeof child === "object" && child !== null) out[out.length] = { __proto__: null, name, child };
      };
      const brand = P.brand(v);
      if (brand === "Map") {
        let n = 0;
        let strings = true;
        P.MapPrototypeForEach(v, (value, key) => {
          if (typeof key !== "string") strings = false;
        });
        P.MapPrototypeForEach(v, (value, key) => {
          if (strings) add(step(key), value);
          else {
            add("[" + n + "][0]", key);
            add("[" + n + "][1]", value);
          }
          n++;
        });
      } else if (brand === "Set") {
        let n = 0;
        P.SetPrototypeForEach(v, (value) => add("[" + n++ + "]", value));
      } else if (brand === "Object" || brand === "Array" || brand === "Error") {
        const keys = ObjectKeys(v);
        for (let i = 0; i < keys.length; i++) {
          const d = ObjectGetOwnPropertyDescriptor(v, keys[i]);
          if (d !== undefined && ObjectHasOwn(d, "value")) add(brand === "Array" ? "[" + keys[i] + "]" : step(keys[i]), d.value);
        }
        if (brand === "Error") {
          const d = ObjectGetOwnPropertyDescriptor(v, "cause");
          if (d !== undefined && !d.enumerable && ObjectHasOwn(d, "value")) add(".cause", d.value);
        }
      }
      return out;
    };
    if (typeof root !== "object" || root === null) return undefined;
    const push = (name, value) => {
      P.MapPrototypeSet(open, value, true);
      stack[stack.length] = { __proto__: null, name, value, children: childrenOf(value), at: 0 };
    };
    push("", root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.at === top.children.length) {
        P.MapPrototypeDelete(open, top.value);
        P.WeakSetPrototypeAdd(done, top.value);
        stack.length -= 1;
        continue;
      }
      const next = top.children[top.at++];
      if (P.MapPrototypeHas(open, next.child)) {
        let path = "";
        for (let i = 0; i < stack.length; i++) path += stack[i].name;
        path += next.name;
        return path.length > 1000 ? P.StringPrototypeSlice(path, 0, 500) + "…" + P.StringPrototypeSlice(path, -500) : path;
      }
      if (!P.WeakSetPrototypeHas(done, next.child)) push(next.name, next.child);
    }
    return undefined;
  };

  return { __proto__: null, hooks, encode, findCycle };
})
