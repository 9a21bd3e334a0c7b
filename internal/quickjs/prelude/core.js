// The core of the prelude: what a program calls, in terms of the natives N. It
// is evaluated in the pristine realm, and from then on uses only P, the
// captured built-ins, and its own closures: a program may replace everything
// else. It evaluates to what the Go side calls: see core in prelude.go.
(function (P, N) {
  "use strict";
  const { define, defineHidden, list, peek, JSONParse, JSONStringify, ArrayIsArray, ArrayPrototypePush: push, ObjectDefineProperty, ObjectSetPrototypeOf, StringPrototypeIndexOf: indexOf, StringPrototypeSlice: slice, MapPrototypeGet, MapPrototypeSet, MapPrototypeDelete, Promise: Promise_, Error: Error_, Proxy: Proxy_ } = P;
  const global = P.globalThis;
  const own = P.ObjectHasOwn;
  const isObject = (v) => v !== null && (typeof v === "object" || typeof v === "function");
  const str = (v) => (typeof v === "symbol" ? P.SymbolPrototypeToString(v) : P.String(v));
  const field = (o, k) => (isObject(o) && own(o, k) ? o[k] : undefined);
  const constant = (o, k, value) => ObjectDefineProperty(o, k, { __proto__: null, value, writable: false, enumerable: true, configurable: false });

  // --- Nothing but ECMAScript, and no way to compile text ---
  {
    const keep = "Object Function Array Number Boolean String Symbol BigInt Math JSON Date RegExp Map Set WeakMap WeakSet WeakRef FinalizationRegistry Proxy Reflect Promise Iterator Error EvalError RangeError ReferenceError SyntaxError TypeError URIError AggregateError InternalError ArrayBuffer DataView Uint8Array Int8Array Uint8ClampedArray Uint16Array Int16Array Uint32Array Int32Array Float16Array Float32Array Float64Array BigInt64Array BigUint64Array globalThis undefined NaN Infinity parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval".split(" ");
    for (const k of Reflect.ownKeys(global)) if (typeof k === "string" && !keep.includes(k)) delete global[k];
    const refuse = (name) => {
      throw new P.EvalError(name + " is not available here: a program cannot compile text. Write the code itself, or look a function up in an object by its name");
    };
    defineHidden(global, "eval", { eval() { refuse("eval"); } }.eval);
    let parent = P.FunctionPrototype;
    for (const [name, f] of [["Function", () => {}], ["AsyncFunction", async () => {}], ["GeneratorFunction", function* () {}], ["AsyncGeneratorFunction", async function* () {}]]) {
      const proto = P.ObjectGetPrototypeOf(f);
      const ctor = { [name]: function () { refuse("the " + name + " constructor"); } }[name];
      ObjectDefineProperty(ctor, "prototype", { value: proto, writable: false, enumerable: false, configurable: false });
      ObjectDefineProperty(ctor, "length", { value: 1, configurable: true });
      ObjectSetPrototypeOf(ctor, parent);
      const had = P.ObjectGetOwnPropertyDescriptor(proto, "constructor");
      ObjectDefineProperty(proto, "constructor", { value: ctor, writable: had.writable, configurable: true });
      if (name === "Function") {
        defineHidden(global, name, ctor);
        parent = ctor;
      }
    }
    defineHidden(global.Math, "random", { random: () => N.random() }.random);
  }

  // --- Errors ---
  class HostError extends Error_ {}
  const HostErrorPrototype = HostError.prototype;
  defineHidden(HostErrorPrototype, "name", "HostError");
  const genuine = new P.WeakSet();
  // The program's own frames of a stack.
  const cleanStack = (s) => {
    let out = "";
    if (typeof s !== "string") return out;
    for (let from = 0, to; from < s.length; from = to + 1) {
      to = indexOf(s, "\n", from);
      if (to < 0) to = s.length;
      const line = slice(s, from, to);
      if (indexOf(line, "program.js:") >= 0) out += line + "\n";
    }
    return out;
  };
  const hostError = (code, message, at, more) => {
    const e = new Error_(message);
    ObjectSetPrototypeOf(e, HostErrorPrototype);
    constant(e, "code", code);
    constant(e, "retryable", more !== undefined && more.retryable === true);
    if (more !== undefined) {
      if (more.server) constant(e, "server", more.server);
      if (more.tool) constant(e, "tool", more.tool);
      if (more.suggestion) constant(e, "suggestion", more.suggestion);
      if ("result" in more) constant(e, "result", more.result);
    }
    defineHidden(e, "stack", cleanStack(at === undefined ? e.stack : at));
    P.WeakSetPrototypeAdd(genuine, e);
    return e;
  };
  // --- Libraries, loaded when they are first needed ---
  const libs = { __proto__: null };
  const forLibs = { __proto__: null, classId: N.classId, proxyTarget: N.proxyTarget, promiseState: N.promiseState, promiseResult: N.promiseResult, tzOffset: N.tzOffset, cleanStack };
  const lib = (name) => libs[name] || (libs[name] = N.load(name)(P, name === "api" ? shared() : forLibs));
  const install = (name) => {
    const l = lib(name);
    if (l.install) return l.install(global);
    for (const k in l)
      if (k === "arrayFromAsync") defineHidden(P.Array, "fromAsync", l[k]);
      else defineHidden(global, k, l[k]);
  };

  // --- JSON ---
  // plain says that the program cannot have made what needs the hooks.
  let plain = false;
  const stringify = (v) => (plain ? JSONStringify(v) : lib("values").encode(v));
  // What is wrong with a value that JSON.stringify threw at.
  const unencodable = (v, e) => {
    let at;
    try {
      at = lib("values").findCycle(v);
    } catch {}
    return at === undefined ? "it cannot be written as JSON: " + brief(e) : "it contains itself at " + (at || "its top");
  };

  // --- Calls ---
  const request = (kind, server, name, body, timeout, raw) => N.call(kind, server, name, body, timeout, raw);
  const fail = (reject, at, e) => reject(hostError(e.code, e.message, at, ObjectSetPrototypeOf(e, null)));
  const parsed = (text) => {
    let i = 0;
    for (let ch; (ch = P.StringPrototypeCharCodeAt(text, i)) === 32 || (ch >= 9 && ch <= 13); ) i++;
    const first = P.StringPrototypeCharCodeAt(text, i);
    if (first === 123 || first === 91)
      try {
        return JSONParse(text);
      } catch {}
    return text;
  };
  const content = (r) => {
    const s = field(r, "structuredContent");
    if (s !== undefined && s !== null) return s;
    const blocks = field(r, "content");
    if (!ArrayIsArray(blocks)) return [];
    const text = blocks.length === 1 && field(blocks[0], "type") === "text" ? field(blocks[0], "text") : undefined;
    return typeof text === "string" ? parsed(text) : blocks;
  };
  const contents = (r, resolve) => {
    const all = field(r, "contents");
    if (!ArrayIsArray(all)) return resolve(r);
    const one = (b) => (typeof field(b, "text") === "string" ? parsed(b.text) : b);
    if (all.length === 1) return resolve(one(all[0]));
    for (let i = 0; i < all.length; i++) define(all, i, one(all[i]));
    resolve(all);
  };
  const toolError = (r, resolve, reject, at, server, tool) => {
    let message = "";
    const blocks = field(r, "content");
    if (ArrayIsArray(blocks))
      for (let i = 0; i < blocks.length; i++) {
        const text = field(blocks[i], "type") === "text" ? field(blocks[i], "text") : undefined;
        if (typeof text === "string") message += (message && "\n") + text;
      }
    reject(hostError("TOOL_ERROR", message || "the tool reported an error and did not say which", at, { __proto__: null, server, tool, result: content(r) }));
  };

  // The JSON of a tool's arguments, or an object that says what is wrong.
  const argumentsOf = (args) => {
    if (args === undefined || args === null) return "{}";
    if (typeof args !== "object" || ArrayIsArray(args)) return { __proto__: null, message: " must be an object such as { name: value }, not " + (ArrayIsArray(args) ? "an array" : typeof args === "function" ? "a function" : "the " + typeof args + " " + slice(str(args), 0, 50)) };
    try {
      const s = stringify(args);
      if (typeof s === "string" && s[0] === "{") return s;
      return { __proto__: null, message: " do not become a JSON object" };
    } catch (e) {
      return { __proto__: null, message: " cannot be sent: " + unencodable(args, e) };
    }
  };
  const tool = (server, name, args, options) => {
    const timeout = isObject(options) ? options.timeout : undefined;
    const body = argumentsOf(args);
    if (typeof body !== "string") return P.PromiseReject(hostError("INVALID_ARGUMENTS", "the arguments of " + server + "." + name + body.message, undefined, { __proto__: null, server, tool: name }));
    return request("tool", server, name, body, typeof timeout === "number" && timeout > 0 ? timeout : 0, isObject(options) && options.raw === true);
  };
  const callTool = (server, name, args, options) => {
    const s = str(server);
    const known = N.server(s);
    return tool(known || s, N.tool(known || s, str(name)) || str(name), args, options);
  };

  // --- Proxies that list what there is ---
  const fallback = { __proto__: null };
  for (const k of ["toString", "valueOf", "hasOwnProperty", "propertyIsEnumerable", "isPrototypeOf", "toLocaleString"]) fallback[k] = P.ObjectPrototype[k];
  for (const k of ["then", "toJSON", "constructor", "__proto__", "asymmetricMatch", "nodeType", "$$typeof"]) fallback[k] = undefined;
  const no = () => false;
  // keys() lists, canonical(key) resolves a name, make(name) makes the member.
  const directory = (keys, canonical, make, target) => {
    const made = { __proto__: null };
    const get = (t, k) => {
      // A member called then would make everything that is awaited a thenable;
      // callTool reaches a tool of that name.
      if (typeof k === "symbol" || k === "then") return undefined;
      if (k in made) return made[k];
      const name = canonical(k);
      if (name === undefined && k in fallback) return fallback[k];
      return (made[k] = make(name === undefined ? k : name));
    };
    const has = (t, k) => typeof k === "string" && canonical(k) !== undefined;
    return new Proxy_(target || { __proto__: null }, {
      __proto__: null, get, has,
      ownKeys: keys,
      getOwnPropertyDescriptor: (t, k) => (has(t, k) ? { __proto__: null, value: get(t, k), writable: false, enumerable: true, configurable: true } : undefined),
      set: no, defineProperty: no, deleteProperty: no, preventExtensions: no, setPrototypeOf: no,
      getPrototypeOf: () => P.ObjectPrototype,
    });
  };
  const serverOf = (server) => directory(() => N.tools(server), (k) => N.tool(server, k), (name) => (args, options) => tool(server, name, args, options));
  const tools = directory(() => N.servers(), (k) => N.server(k), serverOf);

  const shared = () => ({ __proto__: null, isObject, str, request, callTool, tool, directory, hostError, parallel, stringify, unencodable, tools, server: N.server, tool_: N.tool, owners: N.owners, owned: N.owned, emit: N.emit, progress: N.progress, fill: N.fill });

  // --- Timers ---
  const timers = new P.Map();
  const setTimeout = (callback, milliseconds, ...args) => {
    if (typeof callback !== "function") throw new P.TypeError("setTimeout needs a function, not " + typeof callback);
    const id = N.timer(+milliseconds || 0);
    if (id === 0) throw new P.RangeError("too many timers at once");
    MapPrototypeSet(timers, id, { __proto__: null, callback, args });
    return id;
  };
  const clearTimeout = (id) => {
    if (MapPrototypeDelete(timers, id)) N.clear(id);
  };
  const sleep = (milliseconds) =>
    new Promise_((resolve) => {
      setTimeout(resolve, milliseconds);
    });
  const fire = (id) => {
    const t = MapPrototypeGet(timers, id);
    if (t === undefined) return;
    MapPrototypeDelete(timers, id);
    guarded(() => P.ReflectApply(t.callback, undefined, t.args));
  };
  const guarded = (f) => {
    try {
      f();
    } catch (e) {
      N.uncaught(e);
    }
  };
  const queueMicrotask = (callback) => {
    if (typeof callback !== "function") throw new P.TypeError("queueMicrotask needs a function, not " + typeof callback);
    later(callback);
  };
  // The captured then would not do: it asks the promise's constructor for its
  // species.
  const later = async (callback) => {
    await undefined;
    guarded(callback);
  };

  // --- parallel ---
  const parallel = (tasks, options) => {
    if (!ArrayIsArray(tasks)) throw new P.TypeError("parallel needs an array of functions, such as ids.map((id) => () => tools.server.tool({ id }))");
    const settling = isObject(options) && options.settle === true;
    const asked = isObject(options) ? +options.concurrency : 0;
    const all = list();
    for (let i = 0; i < tasks.length; i++) {
      const t = tasks[i];
      push(all, isObject(t) && typeof t !== "function" && typeof t.fn === "function" ? t.fn : t);
    }
    const n = all.length;
    const results = list();
    results.length = n;
    return new Promise_((resolve, reject) => {
      let next = 0, done = 0, failed = false;
      const finish = () => resolve(P.array(results));
      if (n === 0) return finish();
      const one = async () => {
        while (next < n && !failed) {
          const i = next++;
          const t = all[i];
          try {
            const value = await (typeof t === "function" ? t() : t);
            results[i] = settling ? { status: "fulfilled", value } : value;
          } catch (reason) {
            if (!settling) {
              failed = true;
              return reject(reason);
            }
            results[i] = { status: "rejected", reason };
          }
          if (++done === n) finish();
        }
      };
      const width = asked >= 1 ? P.MathMin(P.MathFloor(asked), n) : P.MathMin(N.concurrency() || n, n);
      for (let i = 0; i < width; i++) one();
    });
  };

  // --- console ---
  const console = {};
  for (const level of ["log", "info", "warn", "error", "debug"])
    define(console, level, {
      [level]: (...args) => {
        const room = N.logRoom();
        if (room <= 0) return;
        const one = args.length === 1 ? args[0] : undefined;
        let text = "";
        if (args.length === 0) text = "";
        else if (args.length === 1 && typeof one === "string") text = one;
        else if (args.length === 1 && (typeof one === "number" || typeof one === "boolean")) text = P.ObjectIs(one, -0) ? "-0" : str(one);
        else text = lib("inspect").format(args, room);
        N.log(level, text);
      },
    }[level]);

  const globals = { __proto__: null, tools, callTool, parallel, console, sleep, setTimeout, clearTimeout, queueMicrotask, HostError };
  for (const k in globals) defineHidden(global, k, globals[k]);

  // --- The end of a program ---
  const isClass = (f) => indexOf(P.FunctionPrototypeToString(f), "class") === 0;
  // main makes one promise of what the program's text evaluated to.
  const main = async (v, wrapped) => {
    if (wrapped) v = (await v).value;
    if (typeof v === "function" && !isClass(v)) v = v();
    return await v;
  };
  const encode = (v) => {
    let s;
    try {
      s = stringify(v);
    } catch (e) {
      if (P.WeakSetPrototypeHas(genuine, e)) throw e;
      throw hostError("INVALID_RESULT", "the program's result cannot be returned: " + unencodable(v, e), e && peek(e, "stack"));
    }
    return s === undefined ? "null" : s;
  };
  const brief = (e) => {
    try {
      if (isObject(e) && P.WeakSetPrototypeHas(genuine, e)) return str(e.message);
      if (e instanceof Error_) {
        const name = str(e.name), message = str(e.message);
        return name && message ? name + ": " + message : name || message;
      }
    } catch {}
    try {
      return typeof e === "string" ? e : lib("inspect").inspect(e);
    } catch {
      return "a value that cannot be shown";
    }
  };
  // What the Go side says about a thrown value, as JSON.
  const describe = (e) => {
    const d = { __proto__: null, message: "", stack: "", error: false };
    const causes = list();
    let x = e;
    for (let depth = 0; depth < 8; depth++) {
      let s = "";
      try {
        s = isObject(x) ? str(x.stack === undefined ? "" : x.stack) : "";
      } catch {}
      if (depth === 0) {
        d.message = brief(x);
        d.stack = cleanStack(s);
        d.error = isObject(x) && x instanceof Error_;
        d.reference = isObject(x) && x instanceof P.ReferenceError;
        if (isObject(x) && !d.stack) {
          d.line = peek(x, "lineNumber");
          d.column = peek(x, "columnNumber");
        }
        if (isObject(x) && P.WeakSetPrototypeHas(genuine, x)) for (const k of ["code", "server", "tool", "retryable", "suggestion"]) d[k] = peek(x, k);
      } else {
        d.message += "\n  caused by: " + brief(x);
        if (s) d.stack += "caused by: " + brief(x) + "\n" + cleanStack(s);
      }
      let next;
      try {
        if (isObject(x) && x instanceof P.AggregateError && depth === 0) {
          const errors = x.errors;
          for (let i = 0; i < errors.length && i < 10; i++) d.message += "\n  - " + brief(errors[i]);
        }
        next = isObject(x) && x instanceof Error_ ? x.cause : undefined;
      } catch {}
      if (next === undefined || P.ArrayPrototypeIncludes(causes, next)) break;
      push(causes, next);
      x = next;
    }
    return JSONStringify(d);
  };
  return [main, fire, encode, describe, install, lib, (v) => (plain = v), fail, (r, resolve) => resolve(content(r)), toolError, contents];
})
