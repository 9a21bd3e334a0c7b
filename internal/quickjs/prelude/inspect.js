// console formatting by the rules of Node's util.inspect and util.format
// (compact 3, break at 80). Differences: no getter and no custom inspection
// function of the program is ever called, and output and work are bounded. The
// layout follows lib/internal/util/inspect.js of Node.js (MIT licence).
//
// inspect(value, { depth = 2, showHidden, budget }) → string
// format(args, max) → string of at most max+1 UTF-16 units: longer than max
//   says that there was more.
// Natives, each optional: N.proxyTarget(v) → the target of a Proxy (null where
// revoked), undefined for all else; N.promiseState(p) → 0 pending, 1 fulfilled,
// 2 rejected, -1 no promise; N.promiseResult(p); N.cleanStack(text) → text.
(function (P, N) {
  "use strict";
  const {
    ArrayIsArray, ArrayPrototypeJoin, ArrayPrototypeIndexOf, NumberPrototypeToString, ObjectIs, ObjectKeys,
    ObjectGetOwnPropertyNames, ObjectGetOwnPropertySymbols, ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf,
    ObjectHasOwn, RegExpPrototypeExec, StringPrototypeCharCodeAt, StringPrototypeIncludes, StringPrototypeIndexOf,
    StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeEndsWith, StringPrototypeRepeat,
    StringPrototypePadStart, StringPrototypePadEnd, SymbolPrototypeToString, MathMin, MathMax, list, peek,
  } = P;
  const String = P.String;
  const MAX_ITEMS = 100;
  const MAX_STRING = 10000;
  const MAX_KEYED = 10000; // a longer array is not searched for named properties
  const WIDTH = 80;

  const known = new P.Map();
  const wellKnown = (proto, name) => P.MapPrototypeSet(known, proto, name);
  {
    const names = "Object Function Array Map Set WeakMap WeakSet WeakRef Date RegExp Promise Error Number String Boolean BigInt Symbol ArrayBuffer DataView SharedArrayBuffer";
    let start = 0;
    while (start <= names.length) {
      let end = StringPrototypeIndexOf(names, " ", start);
      if (end < 0) end = names.length;
      const name = StringPrototypeSlice(names, start, end);
      if (P[name]) wellKnown(P[name + "Prototype"], name);
      start = end + 1;
    }
    for (let i = 0; i < P.typedArrays.length; i++) wellKnown(P[P.typedArrays[i] + "Prototype"], P.typedArrays[i]);
    for (let i = 0; i < P.errors.length; i++) wellKnown(P[P.errors[i] + "Prototype"], P.errors[i]);
    wellKnown(ObjectGetPrototypeOf(async () => {}), "AsyncFunction");
    wellKnown(ObjectGetPrototypeOf(function* () {}), "GeneratorFunction");
    wellKnown(ObjectGetPrototypeOf(async function* () {}), "AsyncGeneratorFunction");
  }

  const replaceAll = (s, from, to) => {
    let at = StringPrototypeIndexOf(s, from);
    if (at < 0) return s;
    let out = "";
    let last = 0;
    while (at >= 0) {
      out += StringPrototypeSlice(s, last, at) + to;
      last = at + from.length;
      at = StringPrototypeIndexOf(s, from, last);
    }
    return out + StringPrototypeSlice(s, last);
  };
  const indent = (n) => StringPrototypeRepeat(" ", n);
  const plural = (n, what) => n + " " + what + (n > 1 ? "s" : "");
  const more = (n) => "... " + n + " more item" + (n > 1 ? "s" : "");
  const ownValue = (object, key) => {
    const d = ObjectGetOwnPropertyDescriptor(object, key);
    return d !== undefined && ObjectHasOwn(d, "value") ? d.value : undefined;
  };

  // Strings

  const plainText = /^[^\x00-\x1f\x27\x5c\x7f-\x9f\ud800-\udfff]*$/;
  const identifier = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
  const index = /^(0|[1-9][0-9]*)$/;
  const escapes = { __proto__: null, 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 92: "\\\\", 39: "\\'" };
  const hex = (n) => StringPrototypePadStart(P.StringPrototypeToUpperCase(NumberPrototypeToString(n, 16)), 2, "0");

  const escape = (s, quote) => {
    let out = "";
    let last = 0;
    for (let i = 0; i < s.length; i++) {
      const c = StringPrototypeCharCodeAt(s, i);
      let to;
      if (c === quote || c === 92 || c < 32 || (c > 126 && c < 160)) to = escapes[c] ?? "\\x" + hex(c);
      else if (c >= 0xd800 && c <= 0xdfff) {
        const next = c <= 0xdbff && i + 1 < s.length ? StringPrototypeCharCodeAt(s, i + 1) : 0;
        if (next >= 0xdc00 && next <= 0xdfff) {
          i++;
          continue;
        }
        to = "\\u" + NumberPrototypeToString(c, 16);
      } else continue;
      out += StringPrototypeSlice(s, last, i) + to;
      last = i + 1;
    }
    return last === 0 ? s : out + StringPrototypeSlice(s, last);
  };

  const quoted = (s) => {
    if (RegExpPrototypeExec(plainText, s) !== null) return "'" + s + "'";
    let q = "'";
    if (StringPrototypeIncludes(s, "'")) {
      if (!StringPrototypeIncludes(s, '"')) q = '"';
      else if (!StringPrototypeIncludes(s, "`") && !StringPrototypeIncludes(s, "${")) q = "`";
    }
    return q + escape(s, q === "'" ? 39 : 0) + q;
  };

  const wide = (c) =>
    c >= 0x1100 &&
    (c <= 0x115f || (c >= 0x2e80 && c <= 0x4dbf && c !== 0x303f) || (c >= 0x4e00 && c <= 0xa4c6) ||
      (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6b) ||
      (c >= 0xff01 && c <= 0xff60) || (c >= 0x1f300 && c <= 0x1f64f) || (c >= 0x1f900 && c <= 0x1f9ff) || (c >= 0x20000 && c <= 0x3fffd));
  const narrow = /^[\x20-\x7e]*$/;
  const width = (s) => {
    if (RegExpPrototypeExec(narrow, s) !== null) return s.length;
    let n = 0;
    for (let i = 0; i < s.length; i++) {
      const c = P.StringPrototypeCodePointAt(s, i);
      if (c > 0xffff) i++;
      if (c < 32 || (c >= 0x7f && c <= 0x9f) || (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f)) continue;
      n += wide(c) ? 2 : 1;
    }
    return n;
  };

  const number = (n) => (ObjectIs(n, -0) ? "-0" : NumberPrototypeToString(n));

  const primitive = (ctx, v) => {
    switch (typeof v) {
      case "string": {
        let rest = "";
        if (v.length > MAX_STRING) {
          rest = "... " + plural(v.length - MAX_STRING, "more character");
          v = StringPrototypeSlice(v, 0, MAX_STRING);
        }
        if (v.length <= 16 || v.length <= WIDTH - ctx.indentation - 4) return quoted(v) + rest;
        const lines = list();
        for (let at = 0; at < v.length; ) {
          const end = StringPrototypeIndexOf(v, "\n", at) + 1 || v.length;
          lines[lines.length] = quoted(StringPrototypeSlice(v, at, end));
          at = end;
        }
        return ArrayPrototypeJoin(lines, " +\n" + indent(ctx.indentation + 2)) + rest;
      }
      case "number":
        return number(v);
      case "bigint":
        return bigint(v);
      case "symbol":
        return SymbolPrototypeToString(v);
      default:
        return v === undefined ? "undefined" : v ? "true" : "false";
    }
  };
  // The decimal form of a huge BigInt takes quadratic time.
  const bigint = (v) => {
    const h = P.BigIntPrototypeToString(v, 16);
    return h.length > 4096 ? (v < 0n ? "-0x" + StringPrototypeSlice(h, 1, 4096) : "0x" + StringPrototypeSlice(h, 0, 4096)) + "...n" : P.BigIntPrototypeToString(v) + "n";
  };

  // Names of constructors

  const hasInstance = (ctor, object) => {
    const proto = ownValue(ctor, "prototype");
    for (let p = ObjectGetPrototypeOf(object), i = 0; p !== null && i < 100; p = ObjectGetPrototypeOf(p), i++) if (p === proto) return true;
    return false;
  };
  const constructorName = (ctx, object, level) => {
    const first = ObjectGetPrototypeOf(object);
    if (first === P.ObjectPrototype) return "Object";
    for (let p = object, i = 0; p !== null && i < 100; p = ObjectGetPrototypeOf(p), i++) {
      const name = p === object ? undefined : P.MapPrototypeGet(known, p);
      if (name !== undefined) return name;
      const ctor = ownValue(p, "constructor");
      if (typeof ctor !== "function") continue;
      const own = ownValue(ctor, "name");
      if (typeof own === "string" && own !== "" && hasInstance(ctor, object)) return own;
    }
    if (first === null) return null;
    if (level > ctx.depth || level > 3) return "Object <Complex prototype>";
    const inner = constructorName(ctx, first, level + 1);
    return "Object <" + (inner !== null ? inner : propertyKeys(ctx, first).length > 0 ? "[Object: null prototype]" : "[Object: null prototype] {}") + ">";
  };
  const prefixed = (ctor, tag, fallback, size) => {
    if (ctor === null) return "[" + fallback + size + ": null prototype] " + (tag !== "" && fallback !== tag ? "[" + tag + "] " : "");
    return ctor + size + (tag !== "" && ctor !== tag ? " [" + tag + "] " : " ");
  };

  const functionBase = (f, ctor, tag) => {
    const name = ownValue(f, "name");
    const label = typeof name === "string" ? name : "";
    const source = P.FunctionPrototypeToString(f);
    const after = source.length > 5 ? StringPrototypeCharCodeAt(source, 5) : 0;
    if (StringPrototypeStartsWith(source, "class") && (after <= 32 || after === 123 || after === 47)) {
      let base = "class " + (label || "(anonymous)");
      if (ctor !== "Function" && ctor !== null) base += " [" + ctor + "]";
      if (tag !== "" && ctor !== tag) base += " [" + tag + "]";
      const parent = ObjectGetPrototypeOf(f);
      if (ctor === null) base += " extends [null prototype]";
      else if (parent !== P.FunctionPrototype) {
        const parentName = peek(parent, "name");
        if (typeof parentName === "string" && parentName !== "") base += " extends " + parentName;
      }
      return "[" + base + "]";
    }
    let type = "Function";
    for (let p = ObjectGetPrototypeOf(f), i = 0; p !== null && i < 100; p = ObjectGetPrototypeOf(p), i++) {
      const k = P.MapPrototypeGet(known, p);
      if (k !== undefined && StringPrototypeEndsWith(k, "Function")) {
        type = k;
        break;
      }
    }
    let base = "[" + type + (ctor === null ? " (null prototype)" : "") + (label === "" ? " (anonymous)" : ": " + label) + "]";
    if (ctor !== type && ctor !== null) base += " " + ctor;
    if (tag !== "" && ctor !== tag) base += " [" + tag + "]";
    return base;
  };

  // Errors. The engine's own stacks hold only the frames; "name: message" goes
  // in front.

  const stackOf = (e) => {
    const name = peek(e, "name");
    const message = peek(e, "message");
    const n = typeof name === "string" ? name : "Error";
    const m = typeof message === "string" ? message : "";
    const head = n === "" ? m : m === "" ? n : n + ": " + m;
    let stack = peek(e, "stack");
    if (typeof stack !== "string") return { __proto__: null, name: n, head, stack: head };
    if (N && N.cleanStack) stack = N.cleanStack(stack);
    while (StringPrototypeEndsWith(stack, "\n")) stack = StringPrototypeSlice(stack, 0, -1);
    if (stack === "") stack = head;
    else if (StringPrototypeStartsWith(stack, "    at ")) stack = head + "\n" + stack;
    return { __proto__: null, name: n, head, stack };
  };
  const withoutKey = (keys, key) => {
    const out = list();
    for (let i = 0; i < keys.length; i++) if (keys[i] !== key) out[out.length] = keys[i];
    return out;
  };

  const errorBase = (ctx, e, ctor, tag, keys) => {
    const s = stackOf(e);
    let stack = s.stack;
    const hide = ["name", "message", "stack"];
    for (let i = 0; i < 3; i++) {
      const v = ownValue(e, hide[i]);
      if (!ctx.showHidden && ArrayPrototypeIndexOf(keys, hide[i]) >= 0 && typeof v === "string" && (hide[i] === "stack" || StringPrototypeIncludes(stack, v))) keys = withoutKey(keys, hide[i]);
    }
    if (ObjectHasOwn(e, "cause") && ArrayPrototypeIndexOf(keys, "cause") < 0) keys[keys.length] = "cause";
    if (ArrayIsArray(ownValue(e, "errors")) && ArrayPrototypeIndexOf(keys, "errors") < 0) keys[keys.length] = "errors";
    // A subclass that kept the name of its parent shows its own.
    const n = s.name;
    if (ctor === null || (StringPrototypeEndsWith(n, "Error") && StringPrototypeStartsWith(stack, n))) {
      const prefix = StringPrototypeSlice(prefixed(ctor, tag, "Error", ""), 0, -1);
      if (n !== prefix) {
        if (StringPrototypeIncludes(prefix, n)) stack = prefix + (n.length === 0 ? ": " + stack : StringPrototypeSlice(stack, n.length));
        else stack = prefix + " [" + n + "]" + StringPrototypeSlice(stack, n.length);
      }
    }
    if (StringPrototypeIndexOf(stack, "\n    at", s.head.length - n.length) < 0) stack = "[" + stack + "]";
    if (ctx.indentation !== 0) stack = replaceAll(stack, "\n", "\n" + indent(ctx.indentation));
    return { __proto__: null, base: stack, keys };
  };

  // Keys

  const propertyKeys = (ctx, v) => {
    const keys = P.ObjectSetPrototypeOf(ctx.showHidden ? ObjectGetOwnPropertyNames(v) : ObjectKeys(v), null);
    const symbols = ObjectGetOwnPropertySymbols(v);
    for (let i = 0; i < symbols.length; i++)
      if (ctx.showHidden || P.ObjectPrototypePropertyIsEnumerable(v, symbols[i])) keys[keys.length] = symbols[i];
    return keys;
  };
  const namedKeys = (ctx, v, length) => {
    const keys = list();
    if (length > MAX_KEYED) return keys;
    // Index keys come first, so what is named stands at the end.
    const all = propertyKeys(ctx, v);
    let first = all.length;
    while (first > 0 && (typeof all[first - 1] === "symbol" || RegExpPrototypeExec(index, all[first - 1]) === null || +all[first - 1] > 4294967294)) first--;
    for (; first < all.length; first++) keys[keys.length] = all[first];
    return keys;
  };

  // Formatters of contents: each returns a list of strings.

  const formatArray = (ctx, v, level) => {
    const out = list();
    const length = ownValue(v, "length");
    const end = MathMin(MAX_ITEMS, length);
    let at = 0;
    while (at < length && out.length < end && ctx.left > 0) {
      if (ObjectHasOwn(v, at)) out[out.length] = property(ctx, v, level, at++, true);
      else {
        // The next index that is there. Holes past MAX_KEYED are counted as
        // one without a search: a sparse array may claim 2^32 of them.
        let next = at + 1;
        if (length <= MAX_KEYED) while (next < length && !ObjectHasOwn(v, next)) next++;
        else {
          const keys = ObjectKeys(v);
          next = length;
          for (let i = 0; i < keys.length; i++)
            if (RegExpPrototypeExec(index, keys[i]) !== null && +keys[i] > at && +keys[i] < length) {
              next = +keys[i];
              break;
            }
        }
        out[out.length] = "<" + plural(next - at, "empty item") + ">";
        at = next;
      }
    }
    if (at < length) out[out.length] = more(length - at);
    return out;
  };
  const formatTyped = (ctx, v, level, length) => {
    const out = list();
    const end = MathMin(MAX_ITEMS, length);
    for (let i = 0; i < end; i++) out[i] = primitive(ctx, v[i]);
    if (length > end) out[end] = more(length - end);
    return out;
  };
  const formatEntries = (ctx, v, level, size, isMap) => {
    const out = list();
    const it = isMap ? P.MapPrototypeEntries(v) : P.SetPrototypeValues(v);
    ctx.indentation += 2;
    const end = MathMin(MAX_ITEMS, size);
    let i = 0;
    for (; i < end && ctx.left > 0; i++) {
      const step = isMap ? P.MapIteratorPrototypeNext(it) : P.SetIteratorPrototypeNext(it);
      if (step.done) break;
      out[i] = isMap ? formatValue(ctx, step.value[0], level) + " => " + formatValue(ctx, step.value[1], level) : formatValue(ctx, step.value, level);
    }
    if (size > i) out[i] = more(size - i);
    ctx.indentation -= 2;
    return out;
  };
  const formatBuffer = (ctx, v, level) => {
    const out = list();
    let bytes;
    try {
      bytes = new P.Uint8Array(v);
    } catch {
      out[0] = "(detached)";
      out[1] = "byteLength: 0";
      return out;
    }
    const length = P.TypedArrayPrototypeGetLength(bytes);
    const text = list();
    const end = MathMin(MAX_ITEMS, length);
    for (let i = 0; i < end; i++) text[i] = P.StringPrototypeToLowerCase(hex(bytes[i]));
    let s = ArrayPrototypeJoin(text, " ");
    if (length > end) s += " ... " + plural(length - end, "more byte");
    out[0] = "[Uint8Contents]: <" + s + ">";
    out[1] = "byteLength: " + length;
    return out;
  };
  const formatPromise = (ctx, v, level) => {
    const out = list();
    const state = N && N.promiseState ? N.promiseState(v) : -1;
    if (state < 0) out[0] = "<state unknown>";
    else if (state === 0) out[0] = "<pending>";
    else {
      ctx.indentation += 2;
      out[0] = (state === 2 ? "<rejected> " : "") + formatValue(ctx, N.promiseResult(v), level);
      ctx.indentation -= 2;
    }
    return out;
  };
  const unknownItems = () => {
    const out = list();
    out[0] = "<items unknown>";
    return out;
  };
  const nothing = () => list();

  const property = (ctx, object, level, key, bare) => {
    const d = ObjectGetOwnPropertyDescriptor(object, key);
    let text;
    if (d === undefined || ObjectHasOwn(d, "value")) {
      ctx.indentation += 2;
      text = formatValue(ctx, d === undefined ? undefined : d.value, level);
      ctx.indentation -= 2;
    } else text = d.get !== undefined ? (d.set !== undefined ? "[Getter/Setter]" : "[Getter]") : d.set !== undefined ? "[Setter]" : "undefined";
    if (bare) return text;
    let name;
    if (typeof key === "symbol") name = "[" + escape(SymbolPrototypeToString(key), 0) + "]";
    else if (key === "__proto__") name = "['__proto__']";
    else if (d !== undefined && d.enumerable === false) name = "[" + escape(key, 39) + "]";
    else if ((name = ctx.names[key]) === undefined) {
      const cut = key.length > MAX_STRING ? StringPrototypeSlice(key, 0, MAX_STRING) + "..." : key;
      name = RegExpPrototypeExec(identifier, cut) !== null ? cut : quoted(cut);
      if (ctx.named++ < 200) ctx.names[key] = name;
    }
    ctx.left -= name.length;
    return name + ": " + text;
  };

  const formatValue = (ctx, v, level) => {
    if ((typeof v !== "object" || v === null) && typeof v !== "function") {
      const s = v === null ? "null" : primitive(ctx, v);
      ctx.left -= s.length;
      return s;
    }
    const target = N && N.proxyTarget ? N.proxyTarget(v) : undefined;
    if (target !== undefined) {
      if (target === null) return "<Revoked Proxy>";
      return ++ctx.proxies > 1000 ? "[Proxy]" : formatValue(ctx, target, level);
    }
    if (ArrayPrototypeIndexOf(ctx.seen, v) >= 0) {
      let n = P.MapPrototypeGet(ctx.circular, v);
      if (n === undefined) {
        n = P.MapPrototypeGetSize(ctx.circular) + 1;
        P.MapPrototypeSet(ctx.circular, v, n);
      }
      return "[Circular *" + n + "]";
    }
    const depth = ctx.seen.length;
    const indentation = ctx.indentation;
    try {
      return formatObject(ctx, v, level);
    } catch {
      // A proxy's trap threw, or the stack is at its end.
      ctx.seen.length = depth;
      ctx.indentation = indentation;
      return "[Object: inspection failed]";
    }
  };

  const formatObject = (ctx, v, level) => {
    ctx.left -= 4;
    // Plain objects and arrays are nearly all there is.
    const plain = !ObjectHasOwn(v, P.SymbolToStringTag) && !ObjectHasOwn(v, "constructor") && typeof v === "object" ? ObjectGetPrototypeOf(v) : undefined;
    const plainArray = plain === P.ArrayPrototype && ArrayIsArray(v);
    const plainObject = plain === P.ObjectPrototype && !ArrayIsArray(v);
    const ctor = plainArray ? "Array" : plainObject ? "Object" : constructorName(ctx, v, level);
    const brand = plainArray ? "Array" : plainObject ? "Object" : P.brand(v);
    let tag = plainArray || plainObject ? "" : peek(v, P.SymbolToStringTag);
    if (typeof tag !== "string" || tag === "" || (ObjectHasOwn(v, P.SymbolToStringTag) && (ctx.showHidden || P.ObjectPrototypePropertyIsEnumerable(v, P.SymbolToStringTag)))) tag = "";
    let base = "";
    let open = "{";
    let close = "}";
    let array = false;
    let keys;
    let contents = nothing;
    let size = 0;
    let shown;
    const prefix = (fallback, n) => prefixed(ctor, tag, fallback, n === undefined ? "" : "(" + n + ")");
    switch (brand) {
      case "Array":
        size = ownValue(v, "length");
        if (typeof size !== "number") size = 0;
        keys = namedKeys(ctx, v, size);
        open = (ctor !== "Array" || tag !== "" ? prefix("Array", size) : "") + "[";
        close = "]";
        if (size === 0 && keys.length === 0) return open + "]";
        array = true;
        contents = formatArray;
        break;
      case "Map":
      case "Set":
        size = brand === "Map" ? P.MapPrototypeGetSize(v) : P.SetPrototypeGetSize(v);
        keys = propertyKeys(ctx, v);
        open = prefix(brand, size) + "{";
        if (size === 0 && keys.length === 0) return open + "}";
        contents = formatEntries;
        break;
      case "Function":
        keys = propertyKeys(ctx, v);
        base = functionBase(v, ctor, tag);
        if (keys.length === 0) return base;
        break;
      case "RegExp": {
        keys = propertyKeys(ctx, v);
        base = "/" + P.RegExpPrototypeGetSource(v) + "/" + regexpFlags(v);
        const p = prefix("RegExp");
        if (p !== "RegExp ") base = p + base;
        if (keys.length === 0 || level > ctx.depth) return base;
        break;
      }
      case "Date": {
        keys = propertyKeys(ctx, v);
        base = P.NumberIsNaN(P.DatePrototypeGetTime(v)) ? "Invalid Date" : P.DatePrototypeToISOString(v);
        const p = prefix("Date");
        if (p !== "Date ") base = p + base;
        if (keys.length === 0) return base;
        break;
      }
      case "Error": {
        const e = errorBase(ctx, v, ctor, tag, propertyKeys(ctx, v));
        base = e.base;
        keys = e.keys;
        ctx.left -= base.length;
        if (keys.length === 0) return base;
        break;
      }
      case "ArrayBuffer":
      case "SharedArrayBuffer":
        keys = propertyKeys(ctx, v);
        open = prefix(brand) + "{";
        contents = formatBuffer;
        break;
      case "Promise":
        keys = propertyKeys(ctx, v);
        open = prefix(brand) + "{";
        contents = formatPromise;
        break;
      case "WeakMap":
      case "WeakSet":
        keys = propertyKeys(ctx, v);
        open = prefix(brand) + "{";
        contents = unknownItems;
        break;
      case "Number":
      case "String":
      case "Boolean":
      case "BigInt":
      case "Symbol": {
        keys = brand === "String" ? namedKeys(ctx, v, P.StringPrototypeValueOf(v).length) : propertyKeys(ctx, v);
        const inner = P[brand + "PrototypeValueOf"](v);
        base = "[" + brand + (brand !== ctor ? (ctor === null ? " (null prototype)" : " (" + ctor + ")") : "") + ": " + primitive(ctx, inner) + "]";
        if (tag !== "" && tag !== ctor) base += " [" + tag + "]";
        if (keys.length === 0) return base;
        break;
      }
      case "DataView":
        keys = propertyKeys(ctx, v);
        open = prefix(brand) + "{";
        contents = formatView;
        break;
      default: {
        const isTyped = ArrayPrototypeIndexOf(P.typedArrays, brand) >= 0;
        if (isTyped) {
          size = P.TypedArrayPrototypeGetLength(v);
          if (tag === "") tag = brand; // a getter of the language's own
          keys = namedKeys(ctx, v, size);
          open = prefix(brand, size) + "[";
          close = "]";
          if (size === 0 && keys.length === 0) return open + "]";
          array = true;
          contents = formatTyped;
          break;
        }
        const custom = ctor === "Object" ? undefined : inspector(v);
        keys = propertyKeys(ctx, v);
        if (custom !== undefined && ctor !== null) {
          open = ctor + " {";
          shown = custom;
          if (custom.pairs !== undefined && custom.pairs.length === 0 && keys.length === 0) return open + "}";
          break;
        }
        const p = ctor === "Object" && tag === "" ? "" : prefix("Object");
        if (keys.length === 0) return p + "{}";
        open = p + "{";
      }
    }
    if (level > ctx.depth || ctx.left <= 0) {
      const name = StringPrototypeSlice(brand === "Array" ? prefixed(ctor, tag, "Array", "") : prefixed(ctor, tag, "Object", ""), 0, -1);
      return ctor === null ? name : "[" + name + "]";
    }
    level += 1;
    ctx.seen[ctx.seen.length] = v;
    ctx.current = level;
    const out = shown !== undefined ? formatShown(ctx, shown, level) : contents(ctx, v, level, size, brand === "Map");
    for (let i = 0; i < keys.length; i++) {
      if (ctx.left <= 0) {
        out[out.length] = more(keys.length - i);
        break;
      }
      out[out.length] = property(ctx, v, level, keys[i], false);
    }
    const n = P.MapPrototypeGet(ctx.circular, v);
    if (n !== undefined) base = base === "" ? "<ref *" + n + ">" : "<ref *" + n + "> " + base;
    ctx.seen.length -= 1;
    return reduce(ctx, out, base, open, close, array, level, v);
  };
  const inspector = (v) => {
    for (let p = ObjectGetPrototypeOf(v), i = 0; p !== null && i < 100; p = ObjectGetPrototypeOf(p), i++) {
      const f = P.MapPrototypeGet(P.inspectors, p);
      if (f !== undefined) return f(v);
    }
  };
  const formatShown = (ctx, shown, level) => {
    const out = list();
    if (shown.object !== undefined) {
      const keys = ObjectKeys(shown.object);
      for (let i = 0; i < keys.length; i++) out[i] = property(ctx, shown.object, level, keys[i], false);
      return out;
    }
    const end = MathMin(MAX_ITEMS, shown.pairs.length);
    for (let i = 0; i < end; i++) out[i] = quoted(shown.pairs[i].name) + " => " + quoted(shown.pairs[i].value);
    if (shown.pairs.length > end) out[end] = more(shown.pairs.length - end);
    return out;
  };
  const formatView = (ctx, v, level) => {
    const out = list();
    let length = "(detached)";
    let offset = length;
    try {
      length = P.DataViewPrototypeGetByteLength(v);
      offset = P.DataViewPrototypeGetByteOffset(v);
    } catch {}
    ctx.indentation += 2;
    out[0] = "byteLength: " + length;
    out[1] = "byteOffset: " + offset;
    out[2] = "buffer: " + formatValue(ctx, P.DataViewPrototypeGetBuffer(v), level);
    ctx.indentation -= 2;
    return out;
  };
  const regexpFlags = (v) =>
    (P.RegExpPrototypeGetHasIndices(v) ? "d" : "") + (P.RegExpPrototypeGetGlobal(v) ? "g" : "") + (P.RegExpPrototypeGetIgnoreCase(v) ? "i" : "") +
    (P.RegExpPrototypeGetMultiline(v) ? "m" : "") + (P.RegExpPrototypeGetDotAll(v) ? "s" : "") + (P.RegExpPrototypeGetUnicode(v) ? "u" : "") +
    (P.RegExpPrototypeGetUnicodeSets(v) ? "v" : "") + (P.RegExpPrototypeGetSticky(v) ? "y" : "");

  // Layout

  const reduce = (ctx, out, base, open, close, array, level, value) => {
    const entries = out.length;
    if (array && entries > 6) out = group(ctx, out, value);
    const lead = base === "" ? "" : base + " ";
    if (ctx.current - level < 3 && entries === out.length) {
      let total = out.length + out.length + ctx.indentation + open.length + base.length + 10;
      let fits = total + out.length <= WIDTH && !StringPrototypeIncludes(base, "\n");
      for (let i = 0; fits && i < out.length; i++) fits = (total += out[i].length) <= WIDTH;
      if (fits) {
        const joined = ArrayPrototypeJoin(out, ", ");
        if (!StringPrototypeIncludes(joined, "\n")) return lead + open + " " + joined + " " + close;
      }
    }
    const line = "\n" + indent(ctx.indentation);
    return lead + open + line + "  " + ArrayPrototypeJoin(out, "," + line + "  ") + line + close;
  };

  // Columns for arrays of many short entries.
  const group = (ctx, out, value) => {
    let total = 0;
    let longest = 0;
    const rest = out.length > MAX_ITEMS;
    const length = rest ? out.length - 1 : out.length;
    const widths = list();
    for (let i = 0; i < length; i++) if (out[i].length > WIDTH) return out;
    for (let i = 0; i < length; i++) {
      const w = width(out[i]);
      widths[i] = w;
      total += w + 2;
      if (longest < w) longest = w;
    }
    const cell = longest + 2;
    if (!(cell * 3 + ctx.indentation < WIDTH && (total / cell > 5 || longest <= 6))) return out;
    const bias = (cell - total / out.length) ** 0.5;
    const biased = MathMax(cell - 3 - bias, 1);
    const columns = MathMin(P.MathRound((2.5 * biased * length) ** 0.5 / biased), P.MathFloor((WIDTH - ctx.indentation) / cell), 12, 15);
    if (columns <= 1) return out;
    const lines = list();
    const max = list();
    for (let i = 0; i < columns; i++) {
      let w = 0;
      for (let j = i; j < length; j += columns) if (widths[j] > w) w = widths[j];
      max[i] = w + 2;
    }
    let pad = StringPrototypePadStart;
    for (let i = 0; i < out.length; i++) {
      const v = ownValue(value, i);
      if (typeof v !== "number" && typeof v !== "bigint") {
        pad = StringPrototypePadEnd;
        break;
      }
    }
    for (let i = 0; i < length; i += columns) {
      const end = MathMin(i + columns, length);
      let s = "";
      let j = i;
      for (; j < end - 1; j++) s += pad(out[j] + ", ", max[j - i] + out[j].length - widths[j], " ");
      s += pad === StringPrototypePadStart ? StringPrototypePadStart(out[j], max[j - i] + out[j].length - widths[j] - 2, " ") : out[j];
      lines[lines.length] = s;
    }
    if (rest) lines[lines.length] = out[length];
    return lines;
  };

  const context = (depth, showHidden, budget) => ({
    __proto__: null, depth, showHidden, left: budget, indentation: 0, current: 0, proxies: 0, names: { __proto__: null }, named: 0, seen: list(), circular: new P.Map(),
  });

  const inspect = (value, options) => {
    const option = (name, fallback) => {
      const v = options === undefined ? undefined : ownValue(options, name);
      return v === undefined ? fallback : v === null ? Infinity : v;
    };
    return formatValue(context(option("depth", 2), option("showHidden", false), option("budget", 1 << 20)), value, 0);
  };

  // %s of an object whose toString the program wrote is still shown by
  // inspection, not called: formatting runs no code of the program.
  const asString = (v, left) => {
    if (typeof v === "string") return v;
    if (typeof v === "bigint") return bigint(v);
    if (typeof v === "number") return number(v);
    if (typeof v === "object" && v !== null) {
      if (P.brand(v) === "Error" || P.brand(v) === "Date") return formatValue(context(0, false, left), v, 0);
    }
    if (typeof v === "function") return P.FunctionPrototypeToString(v);
    return formatValue(context(0, false, left), v, 0);
  };
  const toNumber = (v, how) => {
    if (typeof v === "bigint") return bigint(v);
    if (typeof v === "symbol") return "NaN";
    if (typeof v === "object" || typeof v === "function") {
      if (v === null) return how === 100 ? "0" : "NaN";
      return P.brand(v) === "Date" && how === 100 ? number(P.DatePrototypeGetTime(v)) : "NaN";
    }
    if (how === 105) return number(P.NumberParseInt(v));
    if (how === 102) return number(P.NumberParseFloat(v));
    return number(+v);
  };

  const format = (args, max) => {
    const limit = max === undefined ? 1 << 20 : max;
    const count = args.length;
    if (count === 0) return "";
    const first = args[0];
    let text = "";
    let a = 0;
    let join = "";
    if (typeof first === "string" && count > 1) {
      let last = 0;
      for (let i = 0; i < first.length - 1 && text.length <= limit; i++) {
        if (StringPrototypeCharCodeAt(first, i) !== 37) continue;
        const c = StringPrototypeCharCodeAt(first, ++i);
        if (c === 37) {
          text += StringPrototypeSlice(first, last, i);
          last = i + 1;
          continue;
        }
        if (a + 1 === count) continue;
        const left = limit - text.length + 1;
        let s;
        if (c === 115) s = asString(args[++a], left);
        else if (c === 100 || c === 105 || c === 102) s = toNumber(args[++a], c);
        else if (c === 106) s = json(args[++a]);
        else if (c === 79) s = formatValue(context(2, false, left), args[++a], 0);
        else if (c === 111) s = formatValue(context(4, true, left), args[++a], 0);
        else if (c === 99) (s = ""), a++;
        else continue;
        if (last !== i - 1) text += StringPrototypeSlice(first, last, i - 1);
        text += s;
        last = i + 1;
      }
      if (last !== 0) {
        a++;
        join = " ";
        if (last < first.length) text += StringPrototypeSlice(first, last);
      }
    }
    for (; a < count && text.length <= limit; a++) {
      const v = args[a];
      text += join + (typeof v === "string" ? (v.length > limit + 1 ? StringPrototypeSlice(v, 0, limit + 1) : v) : formatValue(context(2, false, limit - text.length + 1), v, 0));
      join = " ";
    }
    if (text.length <= limit && a < count) text += StringPrototypeRepeat(" ", limit + 1 - text.length);
    return text.length > limit + 1 ? StringPrototypeSlice(text, 0, limit + 1) : text;
  };
  const json = (v) => {
    try {
      const s = P.JSONStringify(v);
      return s === undefined ? "undefined" : s;
    } catch {
      return "[Circular]";
    }
  };

  return { __proto__: null, inspect, format };
})
