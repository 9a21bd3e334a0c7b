package conformance

import (
	"strconv"

	"github.com/autoclave-run/autoclave/internal/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

// errs is how a program fails.
func errs() []Case {
	return []Case{
		{Name: "thrown", Source: "const a = 1;\nthrow new Error('boom ' + a);", Code: wire.CodeScript, Line: 2, Says: "boom 1", Frame: "throw new Error('boom ' + a);"},
		{Name: "in a helper", Source: "function helper(x) {\n  return x.foo.bar;\n}\n\nhelper({});", Code: wire.CodeScript, Line: 2, Says: "bar", Frame: "  return x.foo.bar;"},
		{Name: "in an arrow", Source: "async () => {\n  null.foo\n}", Code: wire.CodeScript, Line: 2, Says: "foo"},
		{Name: "in a callback", Source: "[1].map((x) =>\n  x.y.z)", Code: wire.CodeScript, Line: 2},
		{Name: "after an await", Source: "await tools.s.t();\nawait sleep(1);\nundefined.x", Code: wire.CodeScript, Line: 3},
		{Name: "in a fence", Source: "```js\n\nthrow new Error('x')\n```", Code: wire.CodeScript, Line: 3, Frame: "throw new Error('x')"},
		{Name: "after a return form", Source: "if (0) return 1;\nthrow new Error('x')", Code: wire.CodeScript, Line: 2},
		{Name: "carriage returns", Source: "const a = 1;\r\nthrow new Error('x');\r\n", Code: wire.CodeScript, Line: 2},
		{Name: "the kind is told", Source: "throw new RangeError('x')", Code: wire.CodeScript, Says: "RangeError: x"},
		{Name: "own class", Source: "class NotFound extends Error { name = 'NotFound' }\nthrow new NotFound('row 7')", Code: wire.CodeScript, Says: "NotFound: row 7"},
		{Name: "causes", Source: "try { null.x } catch (e) { throw new Error('outer', { cause: new Error('middle', { cause: e }) }) }", Code: wire.CodeScript, Says: "middle"},
		{Name: "AggregateError", Source: "await Promise.any([Promise.reject(new Error('one')), Promise.reject(new Error('two'))])", Code: wire.CodeScript, Says: "two"},
		{Name: "a string", Source: "throw 'text'", Code: wire.CodeScript, Says: "text"},
		{Name: "an object", Source: "throw { code: 404, why: 'gone' }", Code: wire.CodeScript, Says: "gone"},
		{Name: "undefined", Source: "throw undefined", Code: wire.CodeScript, Says: "undefined"},
		{Name: "null", Source: "throw null", Code: wire.CodeScript, Says: "null"},
		{Name: "a rejection", Source: "await Promise.reject(new Error('no'))", Code: wire.CodeScript, Line: 1, Says: "no"},
		{Name: "a rejected value", Source: "return Promise.reject(3)", Code: wire.CodeScript, Says: "3"},
		{Name: "a hostile message", Source: "throw { get message() { throw 1 }, toString() { throw 2 } }", Code: wire.CodeScript},
		{Name: "a long message", Source: "throw new Error('x'.repeat(1e6))", Code: wire.CodeScript, Says: "xxx"},
		{Name: "a strange message", Source: `throw new Error("\ud800\0\u2028é")`, Code: wire.CodeScript, Says: "é"},
		{Name: "constants", Source: "const a = 1;\na = 2;", Code: wire.CodeScript + "|" + wire.CodeSyntax, Line: 2},
		{Name: "deep recursion", Source: "function f() { return f() + 1 }\nf()", Code: wire.CodeScript},
		{Name: "deep recursion caught", Source: "function f() { try { return f() + 1 } catch { return 1 } }\nf() > 10", Value: `true`},
		{Name: "an ordinary depth", Source: "const f = (n) => n ? 1 + f(n - 1) : 0;\nf(1500)", Value: `1500`},
	}
}

// uncaught is what nobody waited for.
func uncaught() []Case {
	return []Case{
		{Name: "unhandled rejection", Source: "Promise.reject(new Error('lost')); await sleep(1);\n1", Value: `1`, Warnings: []string{"lost"}},
		{Name: "handled late", Source: "const p = Promise.reject(new Error('late')); await sleep(1);\nawait p.catch(() => 1)", Value: `1`},
		{Name: "a call that failed unheard", Source: "tools.s.t().then(() => { throw new Error('in then') }); await sleep(20);\n1", Value: `1`, Warnings: []string{"in then"}},
		{Name: "in a timer", Source: "setTimeout(() => { throw new Error('in a timer') }, 0); await sleep(10);\n1", Value: `1`, Warnings: []string{"in a timer"}},
		{Name: "in a microtask", Source: "queueMicrotask(() => { throw new Error('in a task') }); await 0;\n1", Value: `1`, Warnings: []string{"in a task"}},
		{Name: "calls in flight", Source: "tools.s.t(); tools.s.t();\n1", Answer: always(Answer{Never: true}), Value: `1`, Warnings: []string{"2 of its host calls"}},
		{Name: "never settles", Source: "await new Promise(() => {})", Code: wire.CodeNeverSettles},
		{Name: "never settles in an arrow", Source: "async () => new Promise(() => {})", Code: wire.CodeNeverSettles},
		{Name: "never settles after a call", Source: "await tools.s.t(); await new Promise(() => {})", Code: wire.CodeNeverSettles},
		{Name: "never settles and why", Source: "(async () => { throw new Error('the reason') })(); await new Promise(() => {})", Code: wire.CodeNeverSettles, Says: "the reason", Warnings: []string{"the reason"}},
		{Name: "a cleared timer wakes nobody", Source: "await new Promise((r) => clearTimeout(setTimeout(r, 1e6)))", Code: wire.CodeNeverSettles},
		{Name: "waits for itself", Source: "const p = (async () => { await 0; return await p })(); await p", Code: wire.CodeNeverSettles},
	}
}

// limits are met by a program, and told by the worker.
func limits() []Case {
	cpu := wire.Limits{CPU: 100}
	heap := wire.Limits{Heap: 16 << 20}
	return []Case{
		{Name: "endless loop", Source: "for (;;) {}", Limits: cpu, Code: wire.CodeCPULimit, Says: "100ms"},
		{Name: "endless loop caught", Source: "for (;;) { try { for (;;) {} } catch {} finally { continue } }", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "endless awaits", Source: "for (;;) await 0", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "endless timers", Source: "(function f() { setTimeout(f, 0) })(); await sleep(1e7)", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "endless microtasks", Source: "(function f() { queueMicrotask(f) })(); await sleep(1e7)", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "endless sort", Source: "[3, 2, 1].sort(() => { for (;;) {} })", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "endless pattern", Source: "/^(a+)+$/.test('a'.repeat(40) + 'b')", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "endless toJSON", Source: "({ toJSON() { for (;;) {} } })", Limits: cpu, Code: wire.CodeCPULimit},
		{Name: "waiting is no computing", Source: "await sleep(300);\n1", Limits: cpu, Value: `1`},
		{Name: "array", Source: "const a = []; for (;;) a.push(new Array(10000).fill(a.length))", Limits: heap, Code: wire.CodeHeapLimit},
		{Name: "array caught", Source: "const a = []; for (;;) { try { for (;;) a.push(new Array(10000).fill(a.length)) } catch {} }", Limits: heap, Code: wire.CodeHeapLimit},
		{Name: "array caught and returned", Source: "const a = []; try { for (;;) a.push(new Array(10000).fill(7)) } catch {}\n'fine'", Limits: heap, Code: wire.CodeHeapLimit},
		{Name: "typed array", Source: "new Uint8Array(100e6)", Limits: heap, Code: wire.CodeHeapLimit},
		{Name: "text", Source: "'x'.repeat(100e6)", Limits: heap, Code: wire.CodeHeapLimit},
		{Name: "garbage is no memory", Source: "let n = 0; for (let i = 0; i < 2000; i++) { const a = new Array(1000).fill(i); a[0] = a; n += a.length }\nn", Limits: heap, Value: `2000000`},
		{Name: "program", Source: "1" + repeated(" ", 2000), Limits: wire.Limits{Program: 1000}, Code: wire.CodeCodeLimit, Says: "1000"},
		{Name: "arguments", Source: "1;\nawait tools.s.t({ x: 'x'.repeat(2000) })", Limits: wire.Limits{Arguments: 1000}, Code: wire.CodeArgumentLimit, Line: 2, Says: "1000", Calls: []string{}},
		{Name: "arguments caught", Source: "await tools.s.t({ x: 'x'.repeat(2000) }).catch((e) => [e.code, e.server, e.tool])", Limits: wire.Limits{Arguments: 1000}, Value: `["ARGUMENT_LIMIT","s","t"]`},
		{Name: "arguments at the limit", Source: "(await tools.s.t({ x: 'x'.repeat(992) })).x.length", Limits: wire.Limits{Arguments: 1000}, Value: `992`},
		{Name: "nested arguments", Source: "let a = 1; for (let i = 0; i < 600; i++) a = [a];\nawait tools.s.t({ a }).catch((e) => e.code)", Value: `"INVALID_ARGUMENTS"`, Calls: []string{}},
		{Name: "calls", Source: "const r = []; for (let i = 0; i < 5; i++) r.push(await tools.s.t().then(() => 1, (e) => e.code));\nr", Limits: wire.Limits{Calls: 3}, Value: `[1,1,1,"CALL_LIMIT","CALL_LIMIT"]`},
		{Name: "calls uncaught", Source: "for (let i = 0; i < 5; i++)\n  await tools.s.t()", Limits: wire.Limits{Calls: 3}, Code: wire.CodeCallLimit, Line: 2, Says: "3"},
		{Name: "calls at once", Source: "(await Promise.all(Array.from({ length: 30 }, (_, n) => tools.s.t({ n })))).map((x) => x.n).join()", Limits: wire.Limits{Concurrency: 3}, Value: `"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29"`},
		{Name: "result of a call", Source: "1;\nawait tools.s.t()", Limits: wire.Limits{CallResult: 1000}, Answer: value(`"` + repeated("x", 2000) + `"`), Code: wire.CodeCallResultLimit, Line: 2, Says: "1000"},
	}
}

// sealed is what a program cannot reach or forge.
func sealed() []Case {
	return []Case{
		{Name: "eval", Source: "try { eval('1') } catch (e) { e.name }", Value: `"EvalError"`},
		{Name: "indirect eval", Source: "try { (0, eval)('1'); 'ran' } catch (e) { 'refused' }", Value: `"refused"`},
		{Name: "Function", Source: "try { new Function('return 1')() } catch (e) { e.name }", Value: `"EvalError"`},
		{Name: "constructors of functions", Source: "[() => {}, async () => {}, function* () {}, async function* () {}].map((f) => { try { f.constructor('1'); return 'ran' } catch { return 'refused' } })", Value: `["refused","refused","refused","refused"]`},
		{Name: "text in setTimeout", Source: "try { setTimeout('globalThis.x = 1', 0) } catch {}\nawait sleep(5); typeof globalThis.x", Value: `"undefined"`},
		{Name: "no names of ours", Source: "Object.getOwnPropertyNames(globalThis).filter((k) => /^_|native|host(?!Error)|bridge|wire|internal(?!Error)/i.test(k) && k !== 'HostError' && k !== 'InternalError')", Value: `[]`},
		{Name: "polluted prototypes do not change answers", Source: "Object.prototype.structuredContent = 'forged'; Object.prototype.isError = true; Object.prototype.raw = true;\nawait tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"x"}]}`), Value: `"x"`},
		{Name: "polluted prototypes do not change arguments", Source: "Object.defineProperty(Object.prototype, 'toJSON', { value() { return { forged: 1 } }, configurable: true });\nArray.prototype.push = () => 0;\nconst r = await tools.s.t({ a: 1 });\ndelete Object.prototype.toJSON;\nr !== undefined", Value: `true`},
		{Name: "replaced JSON", Source: "JSON.stringify = () => '{\"forged\":1}'; JSON.parse = () => 'forged';\nawait tools.s.t({ a: 1 })", Value: `{"a":1}`, Calls: []string{`tool s/t {"a":1}`}},
		{Name: "replaced Promise", Source: "const then = Promise.prototype.then;\nglobalThis.Promise = function () { throw 1 };\nObject.getPrototypeOf((async () => {})()).then = function (...a) { return then.apply(this, a) };\nawait callTool('s', 't', { a: 1 })", Value: `{"a":1}`},
		{Name: "replaced Array", Source: "for (const k of ['push', 'shift', 'map', 'join', 'forEach', 'includes', 'indexOf', 'slice', 'concat']) Array.prototype[k] = () => { throw new Error(k) };\nArray.prototype[Symbol.iterator] = () => { throw new Error('iterated') };\nawait tools.s.t({ a: [1] })", Value: `{"a":[1]}`},
		{Name: "deleted globals", Source: "for (const k of Object.getOwnPropertyNames(globalThis)) { try { if (k !== 'tools') delete globalThis[k] } catch {} }\nawait tools.s.t({ a: 1 })", Value: `{"a":1}`},
		{Name: "a frozen world", Source: "for (const k of Object.getOwnPropertyNames(globalThis)) { const v = globalThis[k]; try { Object.freeze(v); Object.freeze(v.prototype) } catch {} }\nawait callTool('s', 't', { a: 1 })", Value: `{"a":1}`},
		{Name: "setters on prototypes", Source: "let stolen = 0; for (const k of ['code', 'message', 'resolve', 'reject', 'id', 'callback', 'server', 'tool']) Object.defineProperty(Object.prototype, k, { __proto__: null, set() { stolen++ }, get() { return undefined }, configurable: true });\nconst r = await callTool('s', 't', {});\n[stolen, JSON.stringify(r)]", Value: `[0,"{}"]`},
		{Name: "a HostError is the host's alone", Source: "const e = await tools.s.t().catch((e) => e);\ntry { e.code = 'OTHER' } catch {}\ne.code", Answer: always(Answer{Error: &wire.Error{Code: wire.CodeToolError, Message: "no"}}), Value: `"TOOL_ERROR"`},
	}
}
