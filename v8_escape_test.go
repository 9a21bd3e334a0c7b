package autoclave_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// foreign tells whether a value is of another realm than the program's: its
// chain of prototypes ends elsewhere, or it has constructors that are not ours.
// Whoever holds one such function can compile text, and has Node.js.
const foreign = `
const ours = new Set([Object.prototype, Function.prototype, null]);
const escaped = [];
const mine = new WeakSet();
let busy = false;
const tryIt = (v, how) => {
	if (busy) return;
	busy = true;
	try { look(v, how) } finally { busy = false }
};
const look = (v, how) => {
	if (v === null || (typeof v !== "object" && typeof v !== "function") || mine.has(v)) return;
	let p = v;
	for (let i = 0; i < 50; i++) {
		let q;
		try { q = Reflect.getPrototypeOf(p) } catch { return }
		if (q === null) break;
		p = q;
	}
	if (p !== Object.prototype && p !== v) escaped.push(how + ": another Object.prototype");
	for (let f = v, i = 0; i < 4; i++) {
		try { f = f.constructor } catch { break }
		if (typeof f !== "function") break;
		if (Reflect.getPrototypeOf(f) !== Function.prototype && !(f instanceof Function)) escaped.push(how + ": a constructor of another realm");
		try {
			const got = f("return typeof process === 'object' && process.version")();
			if (typeof got === "string" && got[0] === "v") escaped.push(how + ": " + got);
		} catch {}
	}
	try { if (typeof v.pid === "number" && typeof v.version === "string") escaped.push(how + ": a process") } catch {}
};
const caught = async (how, f) => {
	try { const v = await f(); tryIt(v, how) } catch (e) { tryIt(e, how + " threw"); try { tryIt(e.stack, how); tryIt(e.cause, how); tryIt(e.errors, how) } catch {} }
};
`

// endOfStack calls functions near the end of the stack, one after the other.
// Each start is eight bytes further down, so that each function on the way to
// Node's comes to be the one that has no room.
func endOfStack(functions ...string) string {
	return `let other = 0, own = 0;
		const note = (e) => { e instanceof RangeError ? own++ : e instanceof Error && e.name === "DataCloneError" ? 0 : other++ };
		for (const f of [` + strings.Join(functions, ", ") + `])
			for (let pad = 0; pad < 40; pad++) {
				let left = 100;
				const down = () => { try { down() } catch (e) { note(e) } if (left-- > 0) try { f() } catch (e) { note(e) } };
				try { ((...a) => down())(...new Array(pad).fill(0)) } catch (e) { tryIt(e, "the last") }
			}
		if (own === 0) escaped.push("the stack did not end");
		if (other > 0) escaped.push(other + " errors of another realm")`
}

// escapes are the ways out that the history of Node's vm module and of what
// was built on it knows.
var escapes = []struct{ name, source string }{
	{"constructor chains", `for (const k of Reflect.ownKeys(globalThis)) { tryIt(globalThis[k], String(k)); try { for (const m of Reflect.ownKeys(globalThis[k])) tryIt(globalThis[k][m], String(k) + "." + String(m)) } catch {} }
		tryIt(this, "this"); tryIt(globalThis, "globalThis"); (function () { tryIt(this, "sloppy this"); tryIt(arguments, "arguments"); tryIt(arguments.callee, "callee") })();`},
	{"callers", `function f() { tryIt(f.caller, "caller"); try { tryIt(arguments.callee.caller, "callee.caller") } catch {} for (let c = f.caller, i = 0; c && i < 20; i++) { tryIt(c, "caller " + i); try { tryIt(c.arguments, "arguments " + i); c = c.caller } catch { break } } }
		f(); [1].forEach(f); await Promise.resolve().then(f); setTimeout(f, 0); await sleep(5);
		({ toJSON: f }); JSON.stringify({ toJSON: f }); console.log({ get x() { f(); return 1 } }); await tools.s.t({ toJSON() { f(); return {} } });`},
	{"stack preparation", `const sites = (e, s) => { for (const x of [s, ...(Array.isArray(s) ? s : [])]) { tryIt(x, "site"); for (const m of ["getThis", "getFunction", "getEvalOrigin", "getTypeName", "getFileName", "getScriptNameOrSourceURL"]) try { tryIt(x[m](), m) } catch (e) { tryIt(e, m + " threw") } } escaped.push("the program prepared a stack"); return "mine" };
		Error.prepareStackTrace = sites; new Error("x").stack; Error.captureStackTrace({}); const o = {}; Error.captureStackTrace(o); o.stack;
		try { null.x } catch (e) { e.stack }
		const E = Error; globalThis.Error = class extends E { static prepareStackTrace = sites }; new Error("y").stack; try { null.x } catch (e) { e.stack }
		globalThis.Error = { prepareStackTrace: sites }; try { null.x } catch (e) { e.stack } new E("z").stack;
		E.stackTraceLimit = Infinity; new E("z").stack;
		Object.defineProperty(E, "prepareStackTrace", { get() { return sites } }); new E("z").stack; await tools.s.fail().catch((e) => e.stack);
		globalThis.Error = new Proxy(E, { get: (t, k) => (k === "prepareStackTrace" ? sites : t[k]) }); new E("z").stack`},
	{"errors of the engine's", `let left = 1000; const deep = () => { try { deep() } catch (e) { if (left-- > 0) tryIt(e, "overflow"); throw e } }; try { deep() } catch (e) { tryIt(e, "overflow at the top") }
		for (const f of [() => new Array(-1), () => "x".repeat(2 ** 31), () => null.x, () => undefinedName, () => JSON.parse("{"), () => decodeURIComponent("%"), () => 1n + 1, () => Symbol() + "", () => new Intl.NumberFormat("xx-invalid-locale-"), () => new RegExp("("), () => [].reduce(() => 1), () => structuredClone(() => 1), () => crypto.getRandomValues(1), () => new URL("nope"), () => atob("*"), () => "x".normalize("y")])
			await caught(String(f), f);`},
	// Whatever a function of ours is in the middle of when the stack ends, the
	// error is of this realm.
	{"the end of the stack", `const say = new Array(100).fill("x").join("");
		Math.random(); btoa("x");
		` + endOfStack("() => Math.random()", "() => Object.keys(tools)", "() => crypto.randomUUID()", "() => console.log(say)", `() => new Error("x").stack`, `() => btoa("x")`)},
	{"the end of the stack, in what the engine is asked", `const promise = Promise.resolve(1), proxy = new Proxy({}, {}), error = new Error("x");
		console.log(promise, proxy, error); structuredClone(error);
		` + endOfStack("() => structuredClone(proxy)", "() => structuredClone(error)", "() => console.log(promise)", "() => console.log(proxy)")},
	{"promise species", `class P extends Promise { static get [Symbol.species]() { return function (f) { tryIt(f, "executor"); f((v) => tryIt(v, "resolve"), (e) => tryIt(e, "reject")) } } }
		await caught("species", () => P.resolve(1).then((v) => v)); const p = tools.s.t({}); tryIt(p, "call"); tryIt(p.constructor, "call's constructor");
		p.constructor = { [Symbol.species]: function (f) { tryIt(f, "executor 2"); f((v) => tryIt(v, "v"), (e) => tryIt(e, "e")) } }; p.then(() => 1, () => 1);
		Object.defineProperty(Promise.prototype, "constructor", { get() { tryIt(this, "this of constructor"); return Promise } }); await tools.s.t({}); await caught("import", () => import("fs"));
		Promise.prototype.then = new Proxy(Promise.prototype.then, { apply(t, self, args) { tryIt(self, "then's this"); for (const a of args) tryIt(a, "then's argument"); return Reflect.apply(t, self, args) } }); await tools.s.t({}); await sleep(1)`},
	{"import", `await caught("import", () => import("fs")); await caught("import node:", () => import("node:child_process")); await caught("data:", () => import("data:text/javascript,export default process"));
		const p = import("x"); tryIt(p, "promise"); tryIt(p.constructor, "promise constructor"); tryIt(p.then, "then"); await caught("catch", () => p);
		await caught("specifier", () => import({ toString() { throw new Error("mine") } })); await caught("symbol", () => import(Symbol())); await caught("attributes", () => import("x", { with: { type: "json" } })); await caught("bad attributes", () => import("x", { get with() { throw 1 } }));
		let left = 1000; const deep = () => { try { deep() } catch { } if (left-- <= 0) return; const p = import("x"); tryIt(p, "deep import"); p.catch((e) => tryIt(e, "deep import rejected")) }; try { deep() } catch (e) { tryIt(e, "deep") } await sleep(5)`},
	// Node would ask a reason that nobody handled for its stack, when all is over,
	// where the thread lives that long.
	{"rejections", `const reason = new Proxy(new Error("left"), { getOwnPropertyDescriptor(t, k) { if (k === "stack") { tryIt(this, "handler"); escaped.push("Node looked at a reason"); tools.s.t({}) } return Reflect.getOwnPropertyDescriptor(t, k) } });
		Promise.reject(reason); (async () => { throw reason })(); new Promise((_, reject) => reject(reason)); Promise.reject(reason).catch(() => 1); const late = Promise.reject(reason); await sleep(2); late.catch(() => 1)`},
	{"asynchronous stacks", `const look = async () => { await sleep(1); try { null.x } catch (e) { tryIt(e, "async"); return e.stack } }; const s = await look(); if (/node:|autoclave:|prelude/.test(s)) escaped.push("frames that are not the program's: " + s);
		Error.stackTraceLimit = 1000; const all = await Promise.all([look(), look()]); if (/node:|autoclave:|prelude/.test(all.join())) escaped.push("frames: " + all.join());
		const e = await tools.s.fail().catch((e) => e); tryIt(e, "host error"); if (/node:|autoclave:|prelude/.test(e.stack)) escaped.push("frames: " + e.stack)`},
	{"host objects", `const r = await callTool("s", "t", { a: [1], d: { x: 1 } }); tryIt(r, "result"); tryIt(r.a, "array"); const e = await callTool("s", "fail").catch((e) => e); tryIt(e, "error"); tryIt(e.result, "result of an error");
		tryIt(await catalog.servers().catch((e) => e), "catalog"); tryIt(await stash.keys().catch((e) => e), "stash"); tryIt(await resources.list().catch((e) => e), "resources"); tryIt(Object.keys(tools), "keys"); tryIt(console, "console"); tryIt(console.log, "log"); tryIt(crypto.getRandomValues(new Uint8Array(4)), "random"); tryIt(new URL("http://x").searchParams, "URL"); tryIt(new TextEncoder().encode("x"), "bytes"); tryIt(Intl, "Intl"); tryIt(new Intl.NumberFormat().formatToParts(1), "parts"); tryIt(Intl.supportedValuesOf("unit"), "units"); tryIt(new Date().toLocaleString, "locale")`},
	{"finalizers and weak references", `const r = new FinalizationRegistry((x) => { tryIt(x, "held") }); for (let i = 0; i < 1e4; i++) r.register({ i }, { i }); const w = new WeakRef({}); tryIt(w, "ref"); await sleep(5); for (let i = 0; i < 100; i++) new Array(1e4).fill(i); await sleep(5)`},
	{"what is left of the context", `for (const n of ["console", "WebAssembly", "SharedArrayBuffer", "Atomics", "process", "require", "global", "Buffer", "queueMicrotask", "structuredClone", "ShadowRealm", "AsyncDisposableStack", "gc"]) { const v = globalThis[n]; tryIt(v, n) }
		if (typeof WebAssembly !== "undefined" || typeof SharedArrayBuffer !== "undefined" || typeof Atomics !== "undefined" || typeof ShadowRealm !== "undefined") escaped.push("something that should be gone");
		if (Object.getPrototypeOf(globalThis) !== Object.prototype) escaped.push("an object of Node's between the global one and what it inherits from");
		for (const f of [() => eval("1"), () => Function("return 1"), ...[async () => 1, function* () {}, async function* () {}].map((g) => () => g.constructor("return 1"))]) try { f(); escaped.push("text was compiled: " + f) } catch (e) { if (!(e instanceof EvalError)) escaped.push(f + " threw " + e) }
		if (Reflect.ownKeys(globalThis).some((k) => typeof k === "symbol" && k !== Symbol.toStringTag)) escaped.push("symbols of another realm");
		for (const k of Object.getOwnPropertySymbols(globalThis)) tryIt(globalThis[k], String(k))`},
	{"registered symbols", `const inspect = Symbol.for("nodejs.util.inspect.custom"); const o = { [inspect](...args) { for (const a of args) tryIt(a, "inspect's argument"); escaped.push("a custom inspection was called") }, [Symbol.for("nodejs.util.promisify.custom")]: 1 }; console.log(o); console.log({ o }, [o], new Map([[o, o]])); await tools.s.t({ o })`},
	{"getters and proxies everywhere", `const trap = new Proxy({}, { get(t, k) { return new Proxy(t, this) }, apply() {}, getPrototypeOf() { return null } });
		const spy = new Proxy(function () {}, { get(t, k, r) { tryIt(r, "receiver"); return k === Symbol.toPrimitive || k === "then" ? undefined : spy }, apply(t, self, args) { tryIt(self, "this"); for (const a of args) tryIt(a, "argument"); return spy }, construct(t, args, n) { for (const a of args) tryIt(a, "argument"); tryIt(n, "new.target"); return spy }, getPrototypeOf(t) { return Object.prototype }, has() { return true }, ownKeys() { return [] } });
		mine.add(spy).add(trap);
		console.log(spy, trap); await caught("argument", () => tools.s.t(spy)); await caught("emit", () => emit(spy)); await caught("sleep", () => sleep(spy)); await caught("parallel", () => parallel([spy, () => spy])); await caught("clone", () => structuredClone(spy)); await caught("URL", () => new URL(spy)); await caught("stash", () => stash.put("k", spy)); setTimeout(spy, 0, spy); queueMicrotask(spy); await sleep(3)`},
	{"wrapped natives", `const apply = Reflect.apply; for (const [o, n] of [[Map.prototype, "get"], [Map.prototype, "set"], [Array.prototype, "push"], [Function.prototype, "call"], [Function.prototype, "apply"], [Function.prototype, "bind"], [Reflect, "apply"], [JSON, "parse"], [JSON, "stringify"], [Object, "defineProperty"], [String.prototype, "indexOf"], [Symbol, "for"], [Promise, "resolve"], [Error, "captureStackTrace"], [Object.prototype, "__defineGetter__"]]) { const f = o[n]; o[n] = function (...a) { tryIt(this, n + "'s this"); for (const x of a) tryIt(x, n + "'s argument"); return apply(f, this, a) } }
		Object.defineProperty(Object.prototype, "host", { set(v) { tryIt(v, "host"); }, get() { return undefined } });
		for (const k of ["resolve", "reject", "at", "promise", "reason", "value", "get", "set", "kind", "then", "0", "1"]) try { Object.defineProperty(Object.prototype, k, { set(v) { tryIt(v, k) }, configurable: true }) } catch {}
		console.log({ a: 1 }); await tools.s.t({ a: 1 }); await tools.s.fail().catch(() => 1); emit({ type: "text", text: "x" }); setTimeout(() => 1, 0); await sleep(2); Object.keys(tools)`},
}

// tryEscape runs an escape: what it finds of another realm fails the test.
func tryEscape(t *testing.T, rt *autoclave.Runtime, escape string) *autoclave.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The answer is made of the realm's own parts, whatever became of its
	// globals.
	source := "const { stringify } = JSON; " + foreign + "\n{\n" + escape + "\n}\nreturn escaped.length + ' ' + escaped.slice(0, 5).join('; ')"
	res, err := rt.Execute(ctx, autoclave.Program{Source: source}, temptation)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(res.Value); !strings.HasPrefix(got, `"0 `) {
		t.Errorf("got %s", got)
	}
	return res
}

// TestV8Escapes: no object, function, error or promise of another realm comes
// into a program's hands.
func TestV8Escapes(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{CPU: time.Minute}}))
	for _, e := range escapes {
		t.Run(e.name, func(t *testing.T) {
			res := tryEscape(t, rt, e.source)
			// It is told by whom the engine tells: the realm, or Node.
			if want := "unhandled rejection: Error: left"; e.name == "rejections" && !slices.Contains(res.Warnings, want) {
				t.Errorf("it warns %q, want %q: somebody else has heard of it", res.Warnings, want)
			}
			// What a program does when it has ended is met by the next one.
			if next := execute(t, rt, "await sleep(20); 1", patient); next.Worker.PID != res.Worker.PID {
				t.Error("it goes on after its end, and has cost its worker")
			}
		})
	}
}

// TestV8ThrownValues: whatever a program throws, rejects with or returns, the
// thread that runs it does not look at it.
func TestV8ThrownValues(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker()}))
	const spy = `const seen = []; const note = (x) => { try { if (x !== null && (typeof x === "object" || typeof x === "function") && !(x instanceof Object) && Reflect.getPrototypeOf(x) !== null) seen.push(typeof x) } catch {} };
		const h = new Proxy({}, { get: (_, trap) => (...a) => { a.forEach(note); if (trap === "get") { note(a[2]); throw new Error(seen.length ? "ESCAPED" : "trap get " + String(a[1])) } return Reflect[trap](...a) } });
		const p = new Proxy(function () {}, h);
		const q = new Proxy(function () {}, new Proxy({}, { get: () => () => { throw "a trap" } }));`
	for _, end := range []string{
		"throw q", "return q", "return { q }", "await Promise.reject(q)", "Promise.reject(q); await sleep(2); return 1", "await new Promise(() => Promise.reject(q))",
		"setTimeout(() => { throw q }, 0); await sleep(5); return 1", "queueMicrotask(() => { throw q }); await sleep(1); return 1", "await tools.s.t({ q })", "throw new AggregateError([q], 'x')",
		"throw p", "throw new Proxy(new Error('x'), h)", "return p", "return { p }", "await Promise.reject(p)", "Promise.reject(p); await sleep(2); return 1",
		"setTimeout(() => { throw p }, 0); await sleep(5); return 1", "queueMicrotask(() => { throw p }); await sleep(1); return 1",
		"const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { throw p } }); throw e", "const e = new Error('x'); e.cause = p; throw e",
		"throw new AggregateError([p, p], 'x')", "throw { get message() { throw p }, get stack() { throw p } }", "return { toJSON() { throw p } }", "throw Object.create(p)",
		"await tools.s.t({ get a() { throw p } })", "await import(p)",
	} {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: spy + "\n" + end}, temptation)
		var typed *autoclave.Error
		if err != nil && (!errors.As(err, &typed) || typed.Blame() == autoclave.BlameOurs) {
			t.Errorf("%s: %v", end, err)
		}
		if strings.Contains(string(res.Value), "ESCAPED") || err != nil && strings.Contains(err.Error(), "ESCAPED") {
			t.Errorf("%s: %s, %v", end, res.Value, err)
		}
	}
}

// TestV8NodeDoesNotLook: what a program throws or leaves rejected is told of by
// the program's own realm, while the program runs. Node.js would look at it as
// well, later and with its own hands: for how a rejection is to be reported, and
// to draw an arrow into a stack.
func TestV8NodeDoesNotLook(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker()}))
	const left = "unhandled rejection: Error: left"
	// Node asks whether a reason has a stack of its own.
	const watched = `const watched = new Proxy(new Error("left"), { getOwnPropertyDescriptor(t, k) { if (k === "stack") { console.log("looked at"); tools.s.t({}) } return Reflect.getOwnPropertyDescriptor(t, k) } });`
	const stack = `var e = new Error("left"); Object.defineProperty(e, "stack", { get() { return "" }, set(v) { console.log("written to: " + v) } });`
	pid := execute(t, rt, "1", patient).Worker.PID
	for _, c := range []struct {
		source, value string
		fails         bool
		warning       string
	}{
		{source: `Promise.reject(new Error("left")); return 1`, value: "1", warning: left},
		{source: `Promise.reject(new Error("left")); Promise.reject(1).catch(() => 1); return 1`, value: "1", warning: left},
		{source: `const p = Promise.reject(new Error("left")); await sleep(2); p.catch(() => 1); return 1`, value: "1"},
		{source: `for (let i = 0; i < 70; i++) Promise.reject(new Error("left")); return 1`, value: "1", warning: "more warnings"},
		{source: `await new Promise(() => Promise.reject(new Error("left")))`, fails: true, warning: left},
		{source: watched + "Promise.reject(watched); return 1", value: "1", warning: left},
		{source: watched + "throw watched", fails: true},
		{source: watched + "setTimeout(() => { throw watched }, 0); await sleep(5); return 1", value: "1", warning: "uncaught in a timer or microtask: Error: left"},
		{source: stack + "throw e", fails: true},
		{source: stack + "async () => { throw e }", fails: true},
		{source: stack + "setTimeout(() => { throw e }, 0); await sleep(5); return 1", value: "1", warning: "uncaught in a timer or microtask: Error: left"},
		{source: stack + "Promise.reject(e); return 1", value: "1", warning: left},
	} {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: c.source}, patient)
		if (err != nil) != c.fails || string(res.Value) != c.value {
			t.Errorf("%s\ngot %s, %v", c.source, res.Value, err)
		}
		if c.fails && !strings.Contains(res.Error.Message, "left") {
			t.Errorf("%s\ngot %v", c.source, err)
		}
		if said := strings.Join(res.Warnings, "\n"); !strings.Contains(said, c.warning) || c.warning == "" && !c.fails && said != "" {
			t.Errorf("%s\nwarns %q, want %q", c.source, said, c.warning)
		}
		if len(res.Logs) > 0 || len(res.Calls) > 0 {
			t.Errorf("%s\nhad its values looked at: %.200v", c.source, res.Logs)
		}
		// What came after the end would be a violation in the next execution.
		if next := execute(t, rt, "await sleep(20); 1", patient); next.Worker.PID != pid {
			t.Fatalf("%s\ncost its worker", c.source)
		}
	}
}

// contextOf is where the isolate's text makes the program's context.
var contextOf = regexp.MustCompile(`(?s)vm\.createContext\((.*?)\);`)

// TestV8ContextCompilesNothing: the context itself refuses text and WebAssembly.
// No program can try: the prelude takes away whatever would compile.
func TestV8ContextCompilesNothing(t *testing.T) {
	t.Parallel()
	path := nodetest.Find(t).Path
	source, err := os.ReadFile("internal/node/js/isolate.js")
	if err != nil {
		t.Fatal(err)
	}
	made := contextOf.Find(source)
	if made == nil {
		t.Fatal("the isolate's text makes no context")
	}
	const ways = `{
		eval: () => eval("1"), indirect: () => (0, eval)("1"), Function: () => Function("return 1")(), async: () => (async () => 1).constructor("return 1"), generator: () => (function* () {}).constructor("return 1"),
		module: () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
	}`
	script := "const vm = require('vm'); const context = " + string(made) + `
		const ways = vm.runInContext(` + "`(" + ways + ")`" + `, context);
		const said = {};
		for (const name in ways) try { said[name] = "it did" + typeof ways[name]() } catch (e) { said[name] = e.name }
		console.log(JSON.stringify(said))`
	out, err := exec.CommandContext(t.Context(), path, "-e", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"eval":"EvalError","indirect":"EvalError","Function":"EvalError","async":"EvalError","generator":"EvalError","module":"CompileError"}`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
