// The worker: it speaks the host's protocol on descriptors 0 and 1 (see
// PROTOCOL.md), and keeps isolates armed: threads with a program's realm in
// which nothing has run yet. This thread reads; the isolate that runs writes.
"use strict";
(function (require, process, bundle, boot) {
  const { Worker, MessageChannel } = require("worker_threads");
  const net = require("net");
  const fs = require("fs");
  // Isolates are young: what a program reads in is not copied three times while
  // V8 finds out that its nursery is too small. This thread's is not changed.
  require("v8").setFlagsFromString("--min-semi-space-size=16");
  const maxFrame = boot.max_frame;
  // 2 is how a process of Go's ends that ran out of stack: the host then looks
  // for its last words.
  const exitProtocol = 71, exitPipe = 72, exitGo = 2;

  function fail(status, why) {
    try {
      fs.writeSync(2, "autoclave-worker: " + why + "\n");
    } catch {}
    process.reallyExit(status);
  }
  process.on("uncaughtException", (e) => fail(70, (e && e.stack) || String(e)));
  // What Node would warn of is known here.
  process.removeAllListeners("warning");

  function say(header, body) {
    const h = Buffer.from(JSON.stringify(header));
    const n = body === undefined ? 0 : body.length;
    const f = Buffer.allocUnsafe(8 + h.length + n);
    f.writeUInt32BE(4 + h.length + n, 0);
    f.writeUInt32BE(h.length, 4);
    h.copy(f, 8);
    if (n > 0) body.copy(f, 8 + h.length);
    try {
      for (let at = 0; at < f.length; ) at += fs.writeSync(1, f, at, f.length - at);
    } catch (e) {
      fail(exitPipe, e.message);
    }
  }

  // --- Isolates ---
  const mebibyte = 1 << 20;
  const defaultHeap = 128 * mebibyte;
  const slotSize = 65536;
  // What an isolate has of its own before a program has anything.
  const own = 8;
  // Buffers and long strings that nobody holds any more count until V8 collects
  // them, which it does when there are some 64 MiB: that much above the limit
  // may be waste.
  const waste = 64 * mebibyte;
  // What isolates have compiled, once one has run a program: the prelude and
  // the thread's own text. Later ones begin with it.
  let cache = {};
  const start = 'const d=require("worker_threads").workerData;const s=new(require("vm").Script)(d.isolate,{filename:"autoclave:isolate",cachedData:d.cache.isolate});s.runInThisContext()(require,process,s)';
  function newIsolate(heap) {
    const control = new Int32Array(new SharedArrayBuffer(44));
    const slot = Buffer.from(new SharedArrayBuffer(slotSize));
    const { port1, port2 } = new MessageChannel();
    const size = heap / mebibyte;
    const worker = new Worker(start, {
      // stdout and stderr: Node would copy them to this thread's own, and turn
      // descriptor 1 into one that does not wait.
      eval: true, name: "isolate", env: {}, argv: [], stdin: false, stdout: true, stderr: true, trackUnmanagedFds: false,
      resourceLimits: { maxOldGenerationSizeMb: size + own, maxYoungGenerationSizeMb: Math.min(Math.max((size * 3) / 8, 2), 48), stackSizeMb: 4, codeRangeSizeMb: 32 },
      workerData: { heap, control, slot: slot.buffer, port: port2, catalog: catalogs, prelude: bundle.prelude, isolate: bundle.isolate, cache, wantCache: cache.prelude === undefined, lazy: boot.lazy === true, maxFrame, shaperIn: boot.shaper_in, shaperOut: boot.shaper_out },
      transferList: [port2],
    });
    const x = { heap, control, slot, port: port1, worker, armed: false, over: false, id: 0 };
    port1.unref();
    pass(x, Buffer.from('{"type":"warm"}'), new Uint8Array(8));
    worker.on("message", (m) => {
      if (m.cache) cache = m.cache;
      if (m.armed) {
        x.armed = true;
        progress();
      }
      // Without the shaper nothing more can run here, and none can be made.
      if (m.gone) fail(exitGo, "the process that parses programs is gone");
      if (m.done) finished(x);
    });
    worker.on("error", (e) => {
      x.failed = e;
    });
    worker.on("exit", () => {
      x.over = true;
      ended(x);
    });
    return x;
  }
  function wake(x) {
    Atomics.add(x.control, 0, 1);
    Atomics.notify(x.control, 0);
  }
  // pass hands a frame to an isolate, through memory that both have where it is
  // free and large enough: a message to a thread costs several times as much.
  function pass(x, header, body) {
    const n = body === undefined ? 0 : body.length;
    if (8 + header.length + n <= slotSize && Atomics.load(x.control, 8) === 0) {
      x.slot.writeUInt32LE(header.length, 0);
      x.slot.writeUInt32LE(n, 4);
      x.slot.set(header, 8);
      if (n > 0) x.slot.set(body, 8 + header.length);
      Atomics.store(x.control, 8, 1);
    } else {
      post(x, { header: header.toString(), body }, n === 0 ? [] : [body.buffer]);
    }
    wake(x);
  }
  function post(x, message, transfer) {
    x.port.postMessage(message, transfer);
    Atomics.add(x.control, 9, 1);
  }

  let catalogs = { version: "", body: undefined };
  // With less than eight some versions do not even begin.
  const heapOf = (n) => (n > 0 ? Math.max(n, 8 * mebibyte) : defaultHeap);
  let heap = heapOf(boot.heap); // of the next isolate
  let stock = []; // armed, or about to be
  let generation = 0;
  let awaited = true; // the host waits for armed
  let wanted; // an execute that needs an isolate of its own size
  let current; // the isolate that runs a program
  let resetAfter; // a reset that came while it runs

  let later; // the timer of the next
  function restock() {
    const keep = boot.stock || 2;
    stock = stock.filter((x) => {
      if (x.over) return false;
      if (x.heap === heap) return true;
      x.discarded = true;
      x.worker.terminate();
      return false;
    });
    // One at a time: the next begins when the one before it is armed. Where
    // one is, the next can wait: whoever comes now should not share the
    // processors with it.
    if (stock.length >= keep || !stock.every((x) => x.armed)) return;
    if (stock.length === 0) stock.push(newIsolate(heap));
    else if (later === undefined)
      later = setTimeout(() => {
        later = undefined;
        if (stock.length < keep && stock.every((x) => x.armed)) stock.push(newIsolate(heap));
      }, 5);
  }
  // progress goes on with what waited for an isolate.
  function progress() {
    if (wanted !== undefined) {
      if (!wanted.x.armed) return;
      const { x, begin, error } = wanted;
      wanted = undefined;
      begin(x);
      if (error) stop(x, error);
    } else if (awaited && stock.length > 0 && stock[0].armed) {
      awaited = false;
      say({ type: "armed", generation: ++generation });
    }
    restock();
  }
  // ended is called when an isolate's thread is gone.
  function ended(x) {
    if (x.discarded) return;
    if (x === current) return stopped(x);
    // One that could not even be armed: without isolates there is no worker.
    fail(70, "an isolate ended before its program: " + ((x.failed && (x.failed.stack || x.failed.message)) || "it gave no reason"));
  }

  // --- One execution ---
  function execute(h, body, raw) {
    if (current !== undefined || awaited || wanted !== undefined) return fail(exitProtocol, "execute while a program runs or no isolate is armed");
    if (!(h.id > 0)) return fail(exitProtocol, "execute without an id");
    if (Buffer.byteLength(h.seed || "", "base64") !== 32) return fail(exitProtocol, "execute with a seed that is not of 32 bytes");
    if (h.catalog && h.catalog !== catalogs.version) return fail(exitProtocol, "execute names a catalog that was not sent");
    const limits = h.limits || {};
    const begin = (x) => {
      current = x;
      x.id = h.id;
      x.limits = { ...limits, heap: x.heap };
      x.cpu = process.cpuUsage();
      Atomics.store(x.control, 10, x.cpu.user + x.cpu.system);
      Atomics.store(x.control, 1, 1);
      pass(x, raw, body);
      watch(x);
    };
    const armed = stock.shift();
    if (limits.heap > 0 && heapOf(limits.heap) < armed.heap) {
      // V8 takes a limit when it makes an isolate and at no other time.
      armed.discarded = true;
      armed.worker.terminate();
      wanted = { x: newIsolate(heapOf(limits.heap)), begin, id: h.id };
      return;
    }
    begin(armed);
  }

  // watch ends a program that computes for too long, or holds too much memory
  // that V8 does not count.
  function watch(x) {
    x.timer = setInterval(() => {
      if (Atomics.load(x.control, 2) === 1) return;
      const limit = x.limits.cpu_ms;
      if (limit > 0) {
        const used = process.cpuUsage(x.cpu);
        if ((used.user + used.system) / 1000 >= limit)
          return stop(x, { code: "CPU_LIMIT", message: `the program computed for ${duration(limit)}, which is the limit (waiting for host calls does not count)` });
      }
      if (x.looking && performance.now() - x.asked > 300 && x.used > 0.6 * x.limits.heap) {
        // It does not even look up to answer: near its limit V8 may do nothing
        // but collect, for as long as it is let.
        stop(x, heapLimit(x));
        setTimeout(() => {
          if (x.over || x !== current || Atomics.load(x.control, 3) !== 2) return;
          over(x, x.error);
          fail(exitPipe, "an isolate does nothing but collect garbage, and does not end");
        }, 200);
        return;
      }
      if (!x.looking && x.worker.getHeapStatistics) {
        x.looking = true;
        x.asked = performance.now();
        x.worker.getHeapStatistics().then((s) => {
          x.looking = false;
          x.used = s.used_heap_size;
          Atomics.store(x.control, 4, Math.max(Atomics.load(x.control, 4), (s.used_heap_size + s.external_memory) >> 10));
          // Near its limit V8 may collect for seconds before it gives up.
          x.full = s.used_heap_size > 0.9 * s.heap_size_limit ? (x.full || performance.now()) : 0;
          if (s.external_memory > x.limits.heap + waste || s.used_heap_size > x.limits.heap + own * mebibyte || (x.full && performance.now() - x.full > 300)) stop(x, heapLimit(x));
        }, () => {});
      }
    }, 5);
  }
  function duration(ms) {
    return ms < 1000 ? ms + "ms" : ms / 1000 + "s";
  }
  function heapLimit(x) {
    const n = x.limits.heap;
    return {
      code: "HEAP_LIMIT", message: `the program needs more memory than the limit of ${n < mebibyte ? n + " bytes" : Math.round((n / mebibyte) * 10) / 10 + " MiB"}`,
      suggestion: "work on less data at a time, and keep only what the result needs",
    };
  }
  // stop ends the isolate's thread, unless the program has just ended.
  function stop(x, error) {
    if (x !== current || x.error) return;
    if (Atomics.compareExchange(x.control, 1, 1, 3) !== 1) return;
    x.error = error;
    clearInterval(x.timer);
    terminate(x);
  }
  // terminate ends the thread when it is not in the middle of a frame, or of
  // what it asked the shaper: the next isolate would be given the rest of it.
  function terminate(x) {
    if (Atomics.compareExchange(x.control, 3, 0, 2) === 1) setTimeout(terminate, 1, x);
    else {
      x.worker.terminate();
      wake(x);
    }
  }
  // stopped is called when the thread of a running program is gone.
  function stopped(x) {
    clearInterval(x.timer);
    if (Atomics.load(x.control, 1) === 4) return finished(x); // it said done
    let error = x.error;
    if (error === undefined || Atomics.load(x.control, 1) === 2) {
      const e = x.failed;
      if (e && e.code === "ERR_WORKER_OUT_OF_MEMORY") error = heapLimit(x);
      else return fail(70, "an isolate failed: " + ((e && (e.stack || e.message)) || "it gave no reason"));
    }
    over(x, error);
    // V8 ended it in the middle of a frame, or of what it asked the shaper.
    if (Atomics.load(x.control, 3) === 1) fail(exitPipe, "an isolate ended in the middle of a frame or of what it asked");
    finished(x);
  }
  // over says done in the place of an isolate that cannot.
  function over(x, error) {
    const used = process.cpuUsage(x.cpu);
    const peak = Atomics.load(x.control, 4) * 1024;
    const calls = Atomics.load(x.control, 6);
    if (Atomics.load(x.control, 7) === 0) say({ type: "started", id: x.id });
    say({ type: "done", id: x.id, error, usage: { cpu_us: used.user + used.system, heap_peak: error.code === "HEAP_LIMIT" ? Math.max(peak, x.heap) : peak, calls } });
  }
  function finished(x) {
    if (x !== current) return;
    clearInterval(x.timer);
    current = undefined;
    if (!x.over) {
      x.discarded = true;
      x.worker.terminate();
    }
    if (resetAfter !== undefined) {
      const h = resetAfter;
      resetAfter = undefined;
      reset(h);
    } else restock();
  }
  function reset(h) {
    const limits = h.limits || {};
    heap = heapOf(limits.heap);
    awaited = true;
    restock();
    progress();
  }

  // --- What the host says ---
  const reasons = new Set(["TIMEOUT", "CPU_LIMIT", "SHUTTING_DOWN", "HEAP_LIMIT", "CALL_LIMIT", "EMIT_LIMIT", "OUTPUT_LIMIT"]);
  function message(h, body, raw) {
    switch (h.type) {
      case "execute":
        return execute(h, body, raw);
      case "return":
        if (current !== undefined && h.id === current.id) pass(current, raw, body);
        return;
      case "cancel": {
        const reason = h.reason || "";
        const error = reasons.has(reason) ? { code: reason, message: "the host ended the execution" } : { code: "CANCELLED", message: "the execution was cancelled" + (reason ? ": " + reason : "") };
        if (current !== undefined && h.id === current.id) stop(current, error);
        else if (wanted !== undefined && h.id === wanted.id) wanted.error = error;
        return;
      }
      case "reset":
        if (current !== undefined || wanted !== undefined) resetAfter = h;
        else reset(h);
        return;
      case "catalog": {
        const shared = new Uint8Array(new SharedArrayBuffer(body === undefined ? 0 : body.length));
        if (body !== undefined) shared.set(body);
        try {
          check(JSON.parse(Buffer.from(shared).toString()));
        } catch (e) {
          return fail(exitProtocol, "catalog: " + e.message);
        }
        catalogs = { version: h.catalog || "", body: shared };
        for (const x of stock) post(x, { catalog: catalogs });
      }
    }
  }
  function check(list) {
    const seen = new Set();
    for (const s of list) {
      if (typeof s.name !== "string" || s.name === "" || seen.has(s.name)) throw new Error("a server has no name, or one that is there twice");
      seen.add(s.name);
    }
  }

  // Frames are put together from what the pipe gives. A body has memory of its
  // own, so that it can be handed to another thread without a copy.
  const empty = Buffer.alloc(0);
  let head = empty;
  let header;
  let text; // the header as it came
  let body;
  let have = 0;
  function feed(chunk) {
    while (chunk.length > 0) {
      if (header !== undefined) {
        const n = Math.min(chunk.length, body.length - have);
        body.set(chunk.subarray(0, n), have);
        have += n;
        chunk = chunk.subarray(n);
        if (have === body.length) {
          const h = header;
          header = undefined;
          message(h, body, text);
        }
        continue;
      }
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      chunk = head.subarray(0, 0);
      if (head.length < 8) break;
      const length = head.readUInt32BE(0);
      const size = head.readUInt32BE(4);
      if (length > maxFrame || size > 65536 || size === 0 || length < 4 + size) return fail(exitProtocol, `protocol violation: a frame of ${length} bytes with a header of ${size}`);
      if (head.length < 8 + size) break;
      let h;
      try {
        h = JSON.parse(head.toString("utf8", 8, 8 + size));
        if (typeof h !== "object" || h === null || Array.isArray(h)) throw new Error("it is no object");
      } catch (e) {
        return fail(exitProtocol, "protocol violation: a header that is not JSON: " + e.message);
      }
      text = Buffer.from(head.subarray(8, 8 + size));
      chunk = head.subarray(8 + size);
      head = empty;
      const n = length - 4 - size;
      if (n === 0) message(h, undefined, text);
      else {
        header = h;
        body = new Uint8Array(n);
        have = 0;
      }
    }
    // What is kept must not be the buffer that is read into again.
    if (head.length > 0) head = Buffer.from(head);
  }
  const input = new net.Socket({ fd: 0, readable: true, writable: false, onread: { buffer: Buffer.alloc(65536), callback: (n, buffer) => { feed(buffer.subarray(0, n)); return true; } } });
  input.on("end", () => process.reallyExit(0));
  input.on("error", (e) => fail(exitPipe, e.message));

  say({ type: "hello", protocol: 1, engine: "v8", engine_version: `${process.versions.v8} (Node.js ${process.versions.node})`, lockdown: boot.report });
  restock();
})
