// What stands between the prelude and the isolate's thread, evaluated in the
// program's own realm before the program: the natives N that the prelude
// expects, and the functions that the thread calls.
//
// host is the one function of the other realm that is ever called from here,
// promiseDetails and proxyDetails besides, which are the engine's own. No
// program reaches any of them, what they throw is dropped where it is caught,
// and nothing but strings, numbers and undefined goes to host or comes from it.
(function (sources) {
  "use strict";
  // Between the global object and what it inherits from, an embedder has an
  // object of its own.
  Object.setPrototypeOf(globalThis, Object.prototype);
  // Temporal is not among the globals that stay, and this leads to it.
  delete Date.prototype.toTemporalInstant;
  const P = sources.primordials(globalThis);
  const { Promise: Promise_, Error: Error_, JSONParse, JSONStringify, MapPrototypeGet, MapPrototypeSet, MapPrototypeDelete, ObjectHasOwn } = P;
  const Intl_ = globalThis.Intl;
  const captureStackTrace = Error_.captureStackTrace;
  Error_.stackTraceLimit = 30;
  const errorToString = P.uncurryThis(P.ErrorPrototype.toString);
  // In V8 the stack of an error is behind a getter of its own, which the
  // program cannot have made.
  const stackGetter = P.ObjectGetOwnPropertyDescriptor(new Error_(), "stack").get;
  const peek = P.peek;
  P.peek = (object, key) => {
    const v = peek(object, key);
    if (v !== undefined || key !== "stack" || stackGetter === undefined) return v;
    const d = P.ObjectGetOwnPropertyDescriptor(object, key);
    return d !== undefined && d.get === stackGetter ? P.ReflectApply(stackGetter, object, []) : undefined;
  };
  const str = P.String;

  return function (host_, promiseDetails, proxyDetails, isNativeError) {
    // The catch is bare: an error of the other realm, such as that of a stack
    // that has no room for host_, has that realm's constructors behind it.
    const host = (op, a, b, c, d, e) => {
      let r;
      let ok = false;
      try {
        r = host_(op, a, b, c, d, e);
        ok = true;
      } catch {}
      if (!ok) throw new P.RangeError("Maximum call stack size exceeded");
      return typeof r === "string" || typeof r === "number" ? r : undefined;
    };
    const details = (f, v) => {
      let d;
      try {
        d = f(v);
      } catch {}
      return d;
    };

    // --- What newer versions of V8 have ---
    if (!P.ErrorIsError) P.ErrorIsError = (v) => details(isNativeError, v) === true;
    if (!P.Uint8Array.prototype.toBase64) {
      P.Uint8ArrayPrototypeToBase64 = (bytes) => {
        let s = "";
        for (let i = 0; i < bytes.length; i++) s += P.StringFromCharCode(bytes[i]);
        return host("encode64", s);
      };
      P.Uint8ArrayFromBase64 = (text) => {
        const s = host("decode64", text);
        if (s === undefined) throw new P.SyntaxError("it is not Base64");
        const bytes = new P.Uint8Array(s.length);
        for (let i = 0; i < s.length; i++) bytes[i] = P.StringPrototypeCharCodeAt(s, i);
        return bytes;
      };
    }

    // --- What the engine calls ---
    // The stack of an error: what V8 says, without frames that are not the
    // program's. No function of the program's has a part in it.
    const prepare = (g, error, trace) => {
      let text = "Error";
      try {
        text = errorToString(error);
      } catch {}
      for (let i = 0; i < trace.length; i++) {
        const site = trace[i];
        const file = site.getFileName();
        if (file === "program.js" || file === null || file === undefined) text += "\n    at " + site.toString();
      }
      return text;
    };
    const importModule = async (a, specifier) => {
      throw new P.ReferenceError("there are no modules here, so " + JSONStringify(str(specifier)) + " cannot be imported");
    };
    const rejected = P.list(); // { promise, reason }
    let unhandled = 0;
    const rejection = (type, promise, reason) => {
      if (type === 0) {
        if (rejected.length < 64) rejected[rejected.length] = { __proto__: null, promise, reason };
        else unhandled++;
      } else if (type === 1) {
        for (let i = 0; i < rejected.length; i++)
          if (rejected[i].promise === promise) {
            for (; i + 1 < rejected.length; i++) rejected[i] = rejected[i + 1];
            rejected.length--;
            return;
          }
        if (unhandled > 0) unhandled--;
      }
    };

    // --- The natives ---
    const waiting = new P.Map(); // the number of a call → how it ends
    const uncaught = P.list();
    const strings = (op, a) => JSONParse(host(op, a));
    const N = {
      __proto__: null,
      call(kind, server, name, body, timeout, raw) {
        let resolve, reject;
        const promise = new Promise_((a, b) => {
          resolve = a;
          reject = b;
        });
        const at = { __proto__: null };
        captureStackTrace(at);
        const c = { __proto__: null, kind, server, name, resolve, reject, at, raw: raw === true };
        const r = host("call", kind, server, name, body === undefined ? undefined : str(body), +timeout || 0);
        if (typeof r === "number") {
          if (r > 0) MapPrototypeSet(waiting, r, c);
        } else fail(c, r);
        return promise;
      },
      log(level, text) {
        host("log", level, str(text));
      },
      logRoom: () => host("room"),
      emit(body) {
        const r = host("emit", str(body));
        return r === "" ? undefined : JSONParse(r);
      },
      progress(done, total, message) {
        host("progress", +done, total === undefined ? undefined : +total, message === undefined ? undefined : str(message));
      },
      timer: (ms) => host("timer", +ms),
      clear(id) {
        host("clear", +id);
      },
      uncaught(e) {
        if (uncaught.length < 16) uncaught[uncaught.length] = describe(e);
      },
      concurrency: () => host("concurrency"),
      servers: () => strings("servers"),
      server: (name) => host("server", str(name)),
      tools: (server) => strings("tools", str(server)),
      tool: (server, name) => host("tool", str(server), str(name)),
      owners: (name) => strings("owners", str(name)),
      owned: () => strings("owned"),
      random: () => host("random"),
      fill(array) {
        const bytes = host("bytes", P.TypedArrayPrototypeGetByteLength(array));
        const view = new P.Uint8Array(P.TypedArrayPrototypeGetBuffer(array), P.TypedArrayPrototypeGetByteOffset(array), bytes.length);
        for (let i = 0; i < bytes.length; i++) view[i] = P.StringPrototypeCharCodeAt(bytes, i);
      },
      load: (name) => sources[name],
      proxyTarget(v) {
        const d = details(proxyDetails, v);
        return d === undefined ? undefined : d;
      },
      promiseState(v) {
        const d = details(promiseDetails, v);
        return d === undefined ? -1 : d[0];
      },
      promiseResult(v) {
        const d = details(promiseDetails, v);
        return d === undefined ? undefined : d[1];
      },
    };
    // V8 has all of Intl itself.
    sources.intl = () => ({ __proto__: null, Intl: Intl_ });
    const core = sources.core(P, N);
    const main = core[0], fire = core[1], encode = core[2], describe = core[3], install = core[4];
    const failCall = core[7], content = core[8], toolError = core[9], contents = core[10];
    for (const name of ["api", "url", "text", "clone", "intl"]) install(name);

    const fail = (c, json) => failCall(c.reject, c.at.stack, JSONParse(json));

    // --- What the thread calls ---
    let state = 0; // 1: it has a value, 2: it has thrown
    let value;
    let promise;
    const finish = async (p) => {
      try {
        value = await p;
        state = 1;
      } catch (e) {
        value = e;
        state = 2;
      }
    };
    const settle = (number, form, body, error) => {
      const c = MapPrototypeGet(waiting, number);
      if (c === undefined) return;
      MapPrototypeDelete(waiting, number);
      if (error !== undefined) return fail(c, error);
      if (form === "absent" || body === undefined) return c.resolve(undefined);
      let v;
      try {
        v = JSONParse(body);
      } catch (e) {
        return fail(c, JSONStringify({ __proto__: null, code: "UPSTREAM_ERROR", message: "the answer cannot be read: " + str(P.peek(e, "message")), server: c.server }));
      }
      if (form !== "mcp" || c.raw) return c.resolve(v);
      if (c.kind === "resource.read") return contents(v, c.resolve);
      if (typeof v === "object" && v !== null && ObjectHasOwn(v, "isError") && v.isError === true) return toolError(v, c.resolve, c.reject, c.at.stack, c.server, c.name);
      content(v, c.resolve);
    };
    return {
      __proto__: null,
      prepare, importModule, rejection, settle,
      begin(v, wrapped) {
        promise = main(v, wrapped);
        finish(promise);
      },
      threw(e) {
        value = e;
        state = 2;
      },
      state: () => state,
      fire,
      encode() {
        try {
          return encode(value);
        } catch (e) {
          value = e;
          state = 2;
        }
      },
      failure: () => describe(value),
      // The descriptions of what nobody caught, the timers' and microtasks'
      // first, as JSON.
      uncaught: () => JSONStringify(P.array(uncaught)),
      unhandled() {
        const out = P.list();
        for (let i = 0; i < rejected.length; i++) if (rejected[i].promise !== promise) out[out.length] = describe(rejected[i].reason);
        return JSONStringify(P.array(out));
      },
      more: () => unhandled,
    };
  };
})
