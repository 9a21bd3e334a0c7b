// One isolate: a worker thread that is given one program, runs it in a context
// of its own and is never used again. While it runs, it writes what the program
// says to the host itself, and waits without an event loop.
//
// Everything here is strict: a program that got hold of a frame of it would
// find nothing in there.
"use strict";
(function (require, process, self) {
  const { workerData, parentPort, receiveMessageOnPort } = require("worker_threads");
  const { writeSync, readSync } = require("fs");
  const { isAscii } = require("buffer");
  const vm = require("vm");
  const v8 = require("v8");
  const { internalBinding } = require("internal/test/binding");
  const { control, port, prelude, cache, lazy, maxFrame, shaperIn, shaperOut } = workerData;
  const slot = Buffer.from(workerData.slot);

  // --- The program's realm ---
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY, { codeGeneration: { strings: false, wasm: false }, microtaskMode: "afterEvaluate", name: "program" });
  const script = new vm.Script(prelude, { filename: "prelude.js", cachedData: cache.prelude });
  const drain = new vm.Script("0", { filename: "autoclave:drain" });
  const quiet = { displayErrors: false };
  const util = internalBinding("util");
  const inner = script.runInContext(context, quiet)(host, util.getPromiseDetails, (v) => util.getProxyDetails(v, false), internalBinding("types").isNativeError);
  const { settle, begin, threw, state, fire, encode, failure, uncaught, unhandled, more } = inner;
  // What the engine calls while it makes a stack, imports or rejects must be of
  // the program's realm: what Node has there would hand over its own.
  internalBinding("errors").setPrepareStackTraceCallback(inner.prepare);
  internalBinding("module_wrap").setImportModuleDynamicallyCallback(inner.importModule);
  internalBinding("task_queue").setPromiseRejectCallback(inner.rejection);

  // --- Frames ---
  function frame(header, body) {
    const h = Buffer.from(JSON.stringify(header));
    const n = body === undefined ? 0 : body.length;
    if (h.length > 65536 || 4 + h.length + n > maxFrame) return undefined;
    // A large body is written as it stands, behind this.
    const copied = n <= large ? n : 0;
    const f = Buffer.allocUnsafe(8 + h.length + copied);
    f.writeUInt32BE(4 + h.length + n, 0);
    f.writeUInt32BE(h.length, 4);
    h.copy(f, 8);
    if (copied > 0) body.copy(f, 8 + h.length);
    return f;
  }
  const large = 65536;
  function writeAll(fd, buffer) {
    for (let at = 0; at < buffer.length; ) at += writeSync(fd, buffer, at, buffer.length - at);
  }
  // What must not be cut in two is done under a lock that whoever ends this
  // thread waits for, and then keeps.
  function lock() {
    if (Atomics.compareExchange(control, 3, 0, 1) !== 0) throw new Error("the isolate is being ended");
  }
  function unlock() {
    Atomics.store(control, 3, 0);
  }
  let started; // the frame that says so, while it is held back
  function out(f, body) {
    lock();
    if (started !== undefined) {
      if (f === undefined || f.length > 65536) writeAll(1, started);
      else f = Buffer.concat([started, f]);
      started = undefined;
      Atomics.store(control, 7, 1);
    }
    if (f !== undefined) writeAll(1, f);
    if (body !== undefined && body.length > large) writeAll(1, body);
    unlock();
  }
  function flush() {
    if (started !== undefined) out();
  }
  function say(header, body) {
    const f = frame(header, body);
    if (f === undefined) return false;
    out(f, body);
    return true;
  }

  // --- The shaper, a process of our own that parses for us ---
  let sequence = 0;
  // gone ends this process, since nothing more can run in it. The host knows
  // from what the shaper wrote whether it ran out of stack, which is the
  // program's doing, or was killed, which is not.
  function gone() {
    parentPort.postMessage({ gone: true });
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  function readExactly(n) {
    const b = Buffer.allocUnsafe(n);
    for (let at = 0; at < n; ) {
      const got = readSync(shaperOut, b, at, n - at, null);
      if (got === 0) {
        unlock();
        gone();
      }
      at += got;
    }
    return b;
  }
  function shaper(kind, payload) {
    lock();
    const head = Buffer.allocUnsafe(9);
    head.writeUInt32BE(5 + payload.length, 0);
    head.writeUInt32BE(++sequence, 4);
    head[8] = kind.charCodeAt(0);
    writeAll(shaperIn, payload.length < 4096 ? Buffer.concat([head, payload]) : (writeAll(shaperIn, head), payload));
    const answer = readExactly(readExactly(4).readUInt32BE(0));
    unlock();
    const n = answer.readUInt32BE(4);
    return { header: JSON.parse(answer.toString("utf8", 8, 8 + n)), text: answer.subarray(8 + n) };
  }
  // What V8 took as it stands the shaper has not seen: it has to, before it can
  // say where in it something is.
  let unseen;
  function seen() {
    if (unseen === undefined) return;
    const source = unseen;
    unseen = undefined;
    shaper("S", source);
  }
  function explain(description) {
    seen();
    const e = shaper("E", Buffer.from(description)).header;
    // A program can forge a stack; a number of its must stay one of a line.
    if (e.line > 0x7fffffff) e.line = e.column = undefined;
    if (e.column > 0x7fffffff) e.column = undefined;
    return e;
  }
  const firstLine = (s) => s.split("\n", 1)[0];

  // --- What is told of a value ---
  const wellFormed = (s) => (s.isWellFormed() ? s : s.toWellFormed());
  function tooDeep(s) {
    let depth = 0;
    for (let i = 0; i < s.length; i++) {
      const c = s.charCodeAt(i);
      if (c === 34) {
        for (;;) {
          i = s.indexOf('"', i + 1);
          if (i < 0) return false;
          let k = i - 1;
          while (s.charCodeAt(k) === 92) k--;
          if ((i - k) & 1) break;
        }
      } else if (c === 91 || c === 123) {
        if (++depth > 512) return true;
      } else if (c === 93 || c === 125) depth--;
    }
    return false;
  }
  function unsendable(s) {
    if (s.length > 1024 && tooDeep(s)) return "it is nested more than 512 deep";
    if (!s.isWellFormed()) return "it holds text that is not valid JSON in UTF-8, such as half of a surrogate pair";
    return "";
  }
  function cut(buffer, n) {
    if (n >= buffer.length) return buffer;
    while (n > 0 && (buffer[n] & 0xc0) === 0x80) n--;
    return buffer.subarray(0, Math.max(n, 0));
  }
  function cutText(s, n) {
    return cut(Buffer.from(wellFormed(s)), n).toString();
  }
  const megabytes = (n) => (n < 1 << 20 ? n + " bytes" : String(Math.round((n / (1 << 20)) * 10) / 10) + " MiB");

  // --- One execution ---
  let id = 0;
  let limits = {};
  let catalog;
  let calls = 0; // made
  let sent = 0;
  let nextCall = 0; // the numbers that the realm knows
  const inFlight = new Map(); // the host's number → the realm's, with kind and names
  const queue = [];
  const answers = [];
  let logged = 0;
  let logsCut = false;
  let emitted = 0;
  let progressed = 0;
  let lastTimer = 0;
  const timers = new Map(); // number → when it is due
  let seed;
  let random; // a stream that the seed begins
  let pool = Buffer.alloc(0);
  let poolAt = 0;

  function randomBytes(n) {
    if (random === undefined) random = require("crypto").createCipheriv("chacha20", seed, Buffer.alloc(16));
    if (pool.length - poolAt < n) {
      pool = random.update(Buffer.alloc(Math.max(n, 4096)));
      poolAt = 0;
    }
    poolAt += n;
    return pool.subarray(poolAt - n, poolAt);
  }

  const longName = "a name in this call has over 8192 bytes";
  function refusal(c, code, message, suggestion) {
    return JSON.stringify({ code, message, suggestion, server: c.server, tool: c.kind === "tool" ? c.name : undefined });
  }
  // send hands a call over, or says why not.
  function send(c) {
    const body = c.body === undefined ? undefined : Buffer.from(c.body);
    if (body !== undefined) {
      if (limits.arguments > 0 && body.length > limits.arguments) return refusal(c, "ARGUMENT_LIMIT", `the arguments of this call are ${body.length} bytes of JSON; the limit is ${limits.arguments}`);
      const why = unsendable(c.body);
      if (body.length > 0 && why) return refusal(c, "INVALID_ARGUMENTS", "what this call is given cannot be sent: " + why);
    }
    c.body = undefined;
    const header = { type: "call", id, call: sent + 1, kind: c.kind, server: c.server || undefined, name: c.name || undefined, timeout_ms: c.timeout ? Math.trunc(Math.min(c.timeout, 1e9)) || undefined : undefined };
    if (!say(header, body)) return refusal(c, "INVALID_ARGUMENTS", "the names in this call are too long");
    inFlight.set(++sent, c);
    return c.number;
  }

  let names;
  function identifier(name) {
    let out = "";
    let i = 0;
    for (const r of name) {
      if (/^[a-zA-Z_$]$/.test(r) || (/^[0-9]$/.test(r) && i > 0)) out += r;
      else if (/^[0-9]$/.test(r)) out += "_" + r;
      else out += "_";
      i++;
    }
    return out;
  }
  function aliases(list) {
    const m = new Map();
    const twice = new Set();
    for (const n of list) {
      const k = identifier(n);
      if (m.has(k)) twice.add(k);
      m.set(k, n);
    }
    for (const k of twice) m.delete(k);
    return m;
  }
  function lookup() {
    if (names !== undefined || catalog === undefined) return names;
    const list = JSON.parse(Buffer.from(catalog).toString());
    names = { list: list.map((s) => s.name), servers: new Map(), owner: new Map() };
    const own = (tool, server) => names.owner.set(tool, (names.owner.get(tool) || []).concat([server]));
    for (const s of list) {
      const tools = [...new Set(s.tools || [])];
      if (tools.length !== (s.tools || []).length) tools.sort();
      const t = { names: tools, exact: new Set(tools), alias: aliases(tools) };
      names.servers.set(s.name, t);
      for (const n of tools) own(n, s.name);
      for (const [k, n] of t.alias) if (!t.exact.has(k) && k !== n) own(k, s.name);
    }
    names.alias = aliases(names.list);
    return names;
  }

  const operations = {
    __proto__: null,
    call(kind, server, name, body, timeout) {
      const c = { number: ++nextCall, kind, server: wellFormed(server), name: wellFormed(name), body, timeout };
      if (Buffer.byteLength(c.server) > 8192 || Buffer.byteLength(c.name) > 8192) return refusal(c, "INVALID_ARGUMENTS", longName);
      if (limits.calls > 0 && calls >= limits.calls) return refusal(c, "CALL_LIMIT", `the program has made ${calls} host calls, which is the limit`);
      Atomics.store(control, 6, ++calls);
      if (limits.concurrency > 0 && inFlight.size >= limits.concurrency) {
        queue.push(c);
        return c.number;
      }
      return send(c);
    },
    log(level, text) {
      let b = Buffer.from(wellFormed(text));
      let truncated;
      if (limits.logs > 0 && b.length > limits.logs - logged) {
        b = cut(b, Math.max(limits.logs - logged, 0));
        truncated = logsCut = true;
      }
      logged += b.length + 16;
      say({ type: "log", id, level, truncated }, b);
    },
    room() {
      if (logsCut) return 0;
      return limits.logs > 0 ? Math.max(limits.logs - logged, 1) : 2 ** 31 - 1;
    },
    emit(json) {
      const b = Buffer.from(json);
      if (limits.emits > 0 && emitted + b.length + 256 > limits.emits)
        return JSON.stringify({ code: "EMIT_LIMIT", message: `this block is ${b.length} bytes of JSON and ${emitted} have been emitted already; the limit is ${limits.emits}` });
      const why = unsendable(json);
      if (why) return JSON.stringify({ code: "INVALID_ARGUMENTS", message: "the block cannot be sent: " + why });
      if (!say({ type: "emit", id }, b)) return JSON.stringify({ code: "INVALID_ARGUMENTS", message: "the block cannot be sent: it does not fit a message" });
      emitted += b.length + 256;
      return "";
    },
    progress(done, total, message) {
      if (++progressed > 1000 || !Number.isFinite(done)) return;
      say({ type: "progress", id, done, total: Number.isFinite(total) ? total : undefined, message: message === undefined ? undefined : cutText(message, 1024) });
    },
    timer(ms) {
      if (timers.size >= 100000) return 0;
      timers.set(++lastTimer, performance.now() + (ms > 0 ? Math.min(ms, 31536e6) : 0));
      due = undefined;
      return lastTimer;
    },
    clear(number) {
      timers.delete(number);
      due = undefined;
    },
    concurrency: () => limits.concurrency || 0,
    servers: () => JSON.stringify(lookup() ? names.list : []),
    server(name) {
      if (!lookup()) return undefined;
      return names.servers.has(name) ? name : names.alias.get(name);
    },
    tools: (server) => JSON.stringify((lookup() && names.servers.get(server)?.names) || []),
    tool(server, name) {
      const t = lookup() && names.servers.get(server);
      if (!t) return undefined;
      return t.exact.has(name) ? name : t.alias.get(name);
    },
    owners: (name) => JSON.stringify((lookup() && names.owner.get(name)) || []),
    owned() {
      const out = [];
      if (lookup()) for (const s of names.list) for (const t of names.servers.get(s).names) if (names.owner.get(t).length === 1) out.push(t);
      return JSON.stringify(out);
    },
    encode64: (bytes) => Buffer.from(bytes, "latin1").toString("base64"),
    // undefined where the text is not what the standard takes.
    decode64(text) {
      const s = text.replace(/[\t\n\f\r ]+/g, "");
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(s)) return undefined;
      const data = s.replace(/=+$/, "");
      if (data.length % 4 === 1 || (s.length !== data.length && s.length % 4 !== 0)) return undefined;
      return Buffer.from(data, "base64").toString("latin1");
    },
    random: () => Number(randomBytes(8).readBigUInt64LE() >> 11n) / 2 ** 53,
    bytes: (n) => randomBytes(n).toString("latin1"),
  };
  function host(op, a, b, c, d, e) {
    return operations[op](a, b, c, d, e);
  }

  // The timer that is due first. Many are found in one pass, and few programs
  // have many.
  let due;
  function nextTimer() {
    if (due === undefined && timers.size > 0) {
      for (const [number, at] of timers) if (due === undefined || at < due.at) due = { number, at };
    }
    return due;
  }

  // --- What the host says ---
  let program; // the frame that begins an execution
  let catalogs = workerData.catalog; // the newest
  let posted = 0; // messages that have been received
  function take() {
    if (Atomics.load(control, 8) === 1) {
      const at = 8 + slot.readUInt32LE(0);
      const n = slot.readUInt32LE(4);
      const header = slot.utf8Slice(8, at);
      const body = n === 0 ? undefined : Buffer.from(slot.subarray(at, at + n));
      Atomics.store(control, 8, 0);
      heard(header, body);
    }
    while (posted < Atomics.load(control, 9)) {
      const m = receiveMessageOnPort(port);
      if (m === undefined) return;
      posted++;
      const { header, body, catalog } = m.message;
      if (catalog !== undefined) catalogs = catalog;
      else heard(header, body === undefined ? undefined : Buffer.from(body.buffer));
    }
  }
  function heard(header, body) {
    const h = JSON.parse(header);
    if (h.type === "execute") {
      program = h;
      program.source = body;
    } else if (h.type === "return" && h.id === id && inFlight.has(h.call)) {
      const c = inFlight.get(h.call);
      inFlight.delete(h.call);
      answers.push({ c, h, body });
    }
  }
  // wait blocks until the host says something, or the time is over.
  function wait(ms) {
    const seen = Atomics.load(control, 0);
    take();
    if (answers.length > 0 || (id === 0 && program !== undefined)) return;
    Atomics.store(control, 2, 1);
    Atomics.wait(control, 0, seen, ms);
    Atomics.store(control, 2, 0);
    take();
  }

  function deliver({ c, h, body }) {
    while (queue.length > 0 && inFlight.size < limits.concurrency) {
      const next = queue.shift();
      const r = send(next);
      if (typeof r === "string") settle(next.number, undefined, undefined, r);
    }
    let error = h.error || undefined;
    if (!error && limits.call_result > 0 && body !== undefined && body.length > limits.call_result)
      error = { code: "CALL_RESULT_LIMIT", message: `the result of this call is ${body.length} bytes; the limit is ${limits.call_result}`, suggestion: "ask the tool for less: a page, a filter, fewer fields" };
    if (error) {
      const e = { ...error };
      if (!e.server) e.server = c.server;
      if (!e.tool && c.kind === "tool") e.tool = c.name;
      return settle(c.number, undefined, undefined, JSON.stringify(e));
    }
    const text = body === undefined || body.length === 0 ? undefined : isAscii(body) ? body.latin1Slice() : body.toString();
    // It is of no more use, and V8 would not free it before long. A small one
    // lies in memory that others have as well.
    if (body !== undefined && body.length === body.buffer.byteLength) body.buffer.transfer(0);
    settle(c.number, h.form || "", text, undefined);
  }

  // What is called in the program's realm may throw what is that realm's: it is
  // not looked at.
  function call(f, a, b) {
    try {
      f(a, b);
    } catch {}
  }
  function run() {
    try {
      drain.runInContext(context, quiet);
    } catch {}
  }

  // The words that begin no expression; the shaper has the same.
  const statement = /^(?:const|let|var|if|for|while|do|return|try|throw|switch|import|export|interface|type|enum|namespace|declare)$/;
  // direct takes a program in the forms that V8 takes as they stand, in the
  // order in which the shaper tries them: an expression, then a script. The rest
  // is the shaper's: types, await at the top, return, export, fences.
  function direct(text) {
    const [, word] = /^(?:[\s\ufeff]|\/\/.*\n|\/\*[^]*?\*\/)*([A-Za-z_$]*)/.exec(text);
    const whole = word === "async" || word === "function";
    if ((!whole && text.includes("await")) || /^[\s\ufeff]*(?:```|~~~)/.test(text)) return undefined;
    const forms = statement.test(word) ? [["", ""]] : whole ? [["(", "\n)"]] : [["(", "\n)"], ["", ""]];
    for (const [before, after] of forms) {
      try {
        return new vm.Script(before + text + after, { filename: "program.js" });
      } catch {}
    }
    return undefined;
  }
  // compile makes a script of the program, or says why there is none.
  function compile(shape, text) {
    try {
      return new vm.Script(shape.before + text + shape.after, { filename: "program.js" });
    } catch (e) {
      // V8 refuses what the shaper took. Its error is this realm's.
      const at = /^program\.js:(\d+)\n(?:.*\n( *)\^)?/.exec(String(e.stack));
      const where = { message: `${e.name}: ${e.message}`, line: at ? +at[1] : 0, column: at && at[2] !== undefined ? at[2].length + 1 : 0 };
      return shaper("X", Buffer.from(JSON.stringify(where))).header;
    }
  }
  // What the shaper does not know V8 may.
  function plain(text) {
    for (const [before, after] of [["(", "\n)"], ["", ""], ["(async()=>{", "\n})()"]]) {
      try {
        const s = new vm.Script(before + text + after, { filename: "program.js" });
        shaper("P", Buffer.from(before));
        return s;
      } catch {}
    }
    return undefined;
  }

  function execute() {
    const source = program.source || Buffer.alloc(0);
    if (limits.program > 0 && source.length > limits.program) return { error: { code: "CODE_LIMIT", message: `the program is ${source.length} bytes long; the limit is ${limits.program}` } };
    let shape = {};
    let text;
    let compiled = direct(source.toString());
    if (compiled !== undefined) unseen = source;
    else ({ header: shape, text } = shaper("S", source));
    if (compiled === undefined && shape.error) {
      if (shape.error.code === "SYNTAX_ERROR" && !shape.imports) compiled = plain(text.toString());
      if (compiled === undefined) return { error: shape.error };
    } else if (compiled === undefined) compiled = compile(shape, text.toString());
    if (!(compiled instanceof vm.Script)) return { error: compiled };
    let thrown = true;
    try {
      const v = compiled.runInContext(context, quiet);
      thrown = false;
      begin(v, shape.wrapped === true);
    } catch (e) {
      if (thrown) threw(e);
      else return { error: { code: "SCRIPT_ERROR", message: "RangeError: Maximum call stack size exceeded" } };
    }
    for (;;) {
      run();
      if (stopped()) return {};
      if (state() !== 0) break;
      if (answers.length > 0) {
        const a = answers.shift();
        try {
          deliver(a);
        } catch {}
        continue;
      }
      const timer = nextTimer();
      if (timer === undefined && inFlight.size === 0) return { error: neverSettles() };
      const ms = timer === undefined ? Infinity : timer.at - performance.now();
      if (ms <= 0) {
        timers.delete(timer.number);
        due = undefined;
        call(fire, timer.number);
        take();
        continue;
      }
      flush();
      wait(ms);
    }
    const value = state() === 1 ? told(encode) : undefined;
    if (state() !== 1 || typeof value !== "string") return { error: failed() };
    const body = Buffer.from(value);
    if (limits.result > 0 && body.length > limits.result) {
      if (limits.preview) return preview(body);
      return { error: { code: "OUTPUT_LIMIT", message: `the result is ${body.length} bytes of JSON; the limit is ${limits.result}`, suggestion: "return only what is needed: count, filter, pick fields or slice before returning" } };
    }
    const why = unsendable(value);
    if (why) return { error: { code: "INVALID_RESULT", message: "the program's result cannot be returned: " + why, suggestion: "return a flatter value, such as a list of rows" } };
    return { body };
  }

  function failed() {
    const e = explain(told(failure, '{"message":"a value that cannot be shown"}'));
    if (e.code === "INVALID_RESULT" && e.message.endsWith("Invalid string length")) {
      e.code = "OUTPUT_LIMIT";
      e.suggestion = "return only what is needed: count, filter, pick fields or slice before returning";
    }
    return e;
  }

  function preview(body) {
    const truncated = `the result is ${body.length} bytes of JSON and the limit is ${limits.result}: it was cut to a preview`;
    for (let keep = limits.result; ; keep = keep >> 1) {
      const out = Buffer.from(JSON.stringify({ truncated: true, bytes: body.length, preview: wellFormed(cut(body, keep).toString()) }));
      if (out.length <= limits.result || keep === 0) return { body: out, truncated };
    }
  }

  function neverSettles() {
    const e = { code: "NEVER_SETTLES", message: "the program waits for a promise that nothing can settle any more: no timer, host call or job is left" };
    const lost = JSON.parse(told(unhandled, "[]"));
    if (lost.length > 0) e.message += "\n  unhandled rejection: " + firstLine(explain(lost[0]).message);
    return e;
  }

  function warnings(out) {
    const w = [];
    if (out.truncated) w.push(out.truncated);
    for (const d of JSON.parse(told(uncaught, "[]"))) w.push("uncaught in a timer or microtask: " + firstLine(explain(d).message));
    for (const d of JSON.parse(told(unhandled, "[]"))) {
      const message = firstLine(explain(d).message);
      if (!out.error || !out.error.message.startsWith(message)) w.push("unhandled rejection: " + message);
    }
    if (more() > 0) w.push(`${more()} more unhandled rejections`);
    const lost = inFlight.size + queue.length + answers.length;
    if (lost > 0 && !out.error) w.push(`the program ended without awaiting ${lost} of its host calls; their answers are lost`);
    if (w.length > 16) w.splice(15, w.length, `${w.length - 15} more warnings`);
    return w.length === 0 ? undefined : w.map((s) => cutText(s, 1024));
  }

  // told is what f says, as the realm's own words; what it throws is dropped.
  function told(f, otherwise) {
    try {
      const s = f();
      if (typeof s === "string") return s;
    } catch {}
    return otherwise;
  }

  // stopped says that the main thread ends this isolate, and says done itself.
  // V8 may drop the end of the thread where it was in a job of the program's.
  const stopped = () => Atomics.load(control, 1) === 3;

  // --- The life of the isolate ---
  // What an execution needs is compiled when it is called first: now.
  function warm() {
    const f = frame({ type: "done", id: 1, usage: { cpu_us: 1, heap_peak: 1, calls: 0 } }, Buffer.from(JSON.stringify({ a: [1] })));
    writeSync(1, f, 0, 0);
    direct("async () => 1");
    direct("const a = await 1");
    run();
    state();
    nextTimer();
    unsendable('{"a":1}');
    told(unhandled);
    told(uncaught);
    more();
    v8.getHeapStatistics();
    process.cpuUsage();
    Buffer.from("AAAA", "base64");
    performance.now();
    take();
  }
  warm();
  parentPort.postMessage({ armed: true });
  while (program === undefined) wait();
  id = program.id;
  limits = program.limits || {};
  seed = Buffer.from(program.seed, "base64");
  catalog = program.catalog ? catalogs.body : undefined;
  const heapLimit = workerData.heap;
  started = frame({ type: "started", id });
  if (!lazy) flush();
  let outcome;
  try {
    outcome = execute();
  } catch (e) {
    if (!stopped()) throw e;
    outcome = {};
  }
  const heap = v8.getHeapStatistics();
  const used = heap.used_heap_size + heap.external_memory;
  // Some of it may be waste.
  if (heap.external_memory > heapLimit * 1.25) {
    outcome.body = undefined;
    outcome.error = { code: "HEAP_LIMIT", message: `the program needs more memory than the limit of ${megabytes(heapLimit)}`, suggestion: "work on less data at a time, and keep only what the result needs" };
  }
  const warned = stopped() ? undefined : warnings(outcome);
  // From here on nobody else may end the execution.
  if (Atomics.compareExchange(control, 1, 1, 2) === 1) {
    const spent = process.cpuUsage();
    const usage = { cpu_us: (spent.user + spent.system - Atomics.load(control, 10)) >>> 0, heap_peak: Math.max(used, Atomics.load(control, 4) * 1024), calls };
    const header = { type: "done", id, error: outcome.error, usage, warnings: warned };
    if (!say(header, outcome.body)) {
      const fewer = warned && say({ ...header, warnings: [`${warned.length} warnings are too long to be shown`] }, outcome.body);
      if (fewer) {
        // It fits without them.
      } else if (outcome.error) {
        const short = (s) => (s && s.length > 4096 ? cutText(s, 4096) + "…" : s);
        const e = outcome.error;
        say({ type: "done", id, usage, error: { code: e.code, message: short(e.message), retryable: e.retryable, suggestion: short(e.suggestion), line: e.line, column: e.column } });
      } else say({ type: "done", id, usage, error: { code: "OUTPUT_LIMIT", message: "the value does not fit a frame of the protocol" } });
    }
    Atomics.store(control, 1, 4);
    // What was compiled on the way: whoever comes next begins with it.
    if (workerData.wantCache) parentPort.postMessage({ cache: { prelude: script.createCachedData(), isolate: self.createCachedData() } });
    parentPort.postMessage({ done: true });
  }
  // It is used up. The thread ends.
})
