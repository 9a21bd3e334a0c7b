// structuredClone, by the HTML standard's algorithm, for what exists here.
// Natives, optional: N.proxyTarget(v) → not undefined for a Proxy, which cannot
// be cloned; without it a Proxy is cloned as what it shows.
(function (P, N) {
  "use strict";
  const { ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectHasOwn, MapPrototypeGet, MapPrototypeSet, define, list } = P;

  const refuse = (what) => {
    const e = new P.Error(what + " could not be cloned");
    P.defineHidden(e, "name", "DataCloneError");
    P.defineHidden(e, "code", 25);
    return e;
  };
  const label = (v) => {
    const s = typeof v === "function" ? P.FunctionPrototypeToString(v) : P.SymbolPrototypeToString(v);
    return s.length > 80 ? P.StringPrototypeSlice(s, 0, 80) + "…" : s;
  };
  const isTyped = (brand) => P.ArrayPrototypeIndexOf(P.typedArrays, brand) >= 0;

  const structuredClone = (function structuredClone(value, options = undefined) {
    if (arguments.length === 0) throw new P.TypeError("structuredClone needs one argument");
    const transfer = options === undefined || options === null ? undefined : options.transfer;
    if (transfer !== undefined && (!P.ArrayIsArray(transfer) || transfer.length > 0)) throw refuse("structuredClone's transfer list is not supported here: objects in it");
    return clone(value, new P.Map());
  });

  // An own work list instead of recursion: deep values do not exhaust the
  // stack. clone(v) returns the copy at once and queues its contents.
  const clone = (root, memory) => {
    const queue = list();
    const copy = (v) => {
      if (typeof v === "symbol" || typeof v === "function") throw refuse(label(v));
      if (typeof v !== "object" || v === null) return v;
      const seen = MapPrototypeGet(memory, v);
      if (seen !== undefined) return seen;
      if (N && N.proxyTarget && N.proxyTarget(v) !== undefined) throw refuse("a Proxy");
      const brand = P.brand(v);
      let out;
      let fill = true;
      switch (brand) {
        case "Boolean": case "Number": case "String": case "BigInt":
          out = P.ReflectApply(P.Object, undefined, [P[brand + "PrototypeValueOf"](v)]);
          fill = false;
          break;
        case "Symbol":
          throw refuse("a Symbol object");
        case "Date":
          out = new P.Date(P.DatePrototypeGetTime(v));
          fill = false;
          break;
        case "RegExp":
          out = new P.RegExp(P.RegExpPrototypeGetSource(v), flags(v));
          fill = false;
          break;
        case "ArrayBuffer":
          out = buffer(v);
          fill = false;
          break;
        case "DataView":
          out = new P.DataView(copy(P.DataViewPrototypeGetBuffer(v)), P.DataViewPrototypeGetByteOffset(v), P.DataViewPrototypeGetByteLength(v));
          fill = false;
          break;
        case "Map":
          out = new P.Map();
          break;
        case "Set":
          out = new P.Set();
          break;
        case "Error":
          out = error(v);
          break;
        case "Array":
          out = [];
          out.length = v.length;
          break;
        case "Promise": case "WeakMap": case "WeakSet": case "WeakRef": case "SharedArrayBuffer":
          throw refuse("a " + brand);
        default:
          if (isTyped(brand)) {
            const b = copy(P.TypedArrayPrototypeGetBuffer(v));
            out = new P[brand](b, P.TypedArrayPrototypeGetByteOffset(v), P.TypedArrayPrototypeGetLength(v));
            fill = false;
          } else out = {};
      }
      MapPrototypeSet(memory, v, out);
      if (fill) queue[queue.length] = { __proto__: null, from: v, to: out, brand };
      return out;
    };

    const result = copy(root);
    for (let at = 0; at < queue.length; at++) {
      const { from, to, brand } = queue[at];
      queue[at] = undefined;
      if (brand === "Map") {
        const pairs = list();
        P.MapPrototypeForEach(from, (v, k) => {
          pairs[pairs.length] = k;
          pairs[pairs.length] = v;
        });
        for (let i = 0; i < pairs.length; i += 2) MapPrototypeSet(to, copy(pairs[i]), copy(pairs[i + 1]));
      } else if (brand === "Set") {
        const items = list();
        P.SetPrototypeForEach(from, (v) => {
          items[items.length] = v;
        });
        for (let i = 0; i < items.length; i++) P.SetPrototypeAdd(to, copy(items[i]));
      } else if (brand === "Error") {
        const d = ObjectGetOwnPropertyDescriptor(from, "cause");
        if (d !== undefined && ObjectHasOwn(d, "value")) P.defineHidden(to, "cause", copy(d.value));
        const errors = ObjectGetOwnPropertyDescriptor(from, "errors");
        if (errors !== undefined && P.ArrayIsArray(errors.value)) P.defineHidden(to, "errors", copy(errors.value));
      }
      if (brand === "Array" || brand === "Object") {
        const keys = P.ObjectKeys(from);
        for (let i = 0; i < keys.length; i++) if (ObjectHasOwn(from, keys[i])) define(to, keys[i], copy(from[keys[i]]));
      }
    }
    return result;
  };

  const buffer = (v) => {
    const bytes = new P.Uint8Array(v);
    const length = P.ArrayBufferPrototypeGetByteLength(v);
    const resizable = P.ArrayBufferPrototypeGetResizable && P.ArrayBufferPrototypeGetResizable(v);
    const out = resizable ? new P.ArrayBuffer(length, { __proto__: null, maxByteLength: P.ArrayBufferPrototypeGetMaxByteLength(v) }) : new P.ArrayBuffer(length);
    P.TypedArrayPrototypeSet(new P.Uint8Array(out), bytes);
    return out;
  };
  const flags = (v) =>
    (P.RegExpPrototypeGetHasIndices(v) ? "d" : "") + (P.RegExpPrototypeGetGlobal(v) ? "g" : "") + (P.RegExpPrototypeGetIgnoreCase(v) ? "i" : "") +
    (P.RegExpPrototypeGetMultiline(v) ? "m" : "") + (P.RegExpPrototypeGetDotAll(v) ? "s" : "") + (P.RegExpPrototypeGetUnicode(v) ? "u" : "") +
    (P.RegExpPrototypeGetUnicodeSets(v) ? "v" : "") + (P.RegExpPrototypeGetSticky(v) ? "y" : "");
  const error = (v) => {
    const name = v.name;
    let proto = P.ErrorPrototype;
    if (typeof name === "string") for (let i = 0; i < P.errors.length; i++) if (P.errors[i] === name) proto = P[name + "Prototype"];
    const out = new P.Error();
    P.ObjectSetPrototypeOf(out, proto);
    const message = ObjectGetOwnPropertyDescriptor(v, "message");
    if (message !== undefined && ObjectHasOwn(message, "value")) P.defineHidden(out, "message", P.String(message.value));
    const stack = P.peek(v, "stack");
    if (typeof stack === "string") P.defineHidden(out, "stack", stack);
    return out;
  };

  return { __proto__: null, structuredClone };
})
