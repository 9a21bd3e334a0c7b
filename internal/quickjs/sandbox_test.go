package quickjs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// What a program may call beside tools, and what the host is asked then.
func TestSandbox(t *testing.T) {
	e := newEngine(t)
	cat := catalog(t, demoCatalog)
	for _, c := range []struct {
		name, src, want string
		calls           []string
	}{
		{"resources.read", "await resources.read('github', 'repo://x')", "null", []string{"1 resource.read github/repo://x "}},
		{"resources.list", "await resources.list()", "null", []string{"1 resource.list / "}},
		{"resources.list of one", "await resources.list('my_server')", "null", []string{"1 resource.list my-server/ "}},
		{"stash.put", "await stash.put('k', { a: [1] }, { ttl: 60 })", `{"value":{"a":[1]},"ttl":60}`, []string{`1 stash.put /k {"value":{"a":[1]},"ttl":60}`}},
		{"stash.put nothing", "await stash.put('k')", `{"value":null}`, []string{`1 stash.put /k {"value":null}`}},
		{"stash.put a Map", "await stash.put('k', new Map([['a', 1]]))", `{"value":{"a":1}}`, []string{`1 stash.put /k {"value":{"a":1}}`}},
		{"stash.get", "await stash.get('k')", "null", []string{"1 stash.get /k "}},
		{"stash.delete", "await stash.delete('k')", "null", []string{"1 stash.delete /k "}},
		{"stash.keys", "await stash.keys()", "null", []string{"1 stash.keys / "}},
		{"stash key", "await stash.get('no spaces').catch(e => e.code)", `"STASH_ERROR"`, nil},
		{"stash ttl", "await stash.put('k', 1, { ttl: -1 }).catch(e => e.code)", `"STASH_ERROR"`, nil},
		{"catalog.servers", "await catalog.servers()", "null", []string{"1 catalog.servers / "}},
		{"catalog.search", "await catalog.search('issue', { server: 'github', limit: 3 })", `{"server":"github","limit":3}`, []string{`1 catalog.search /issue {"server":"github","limit":3}`}},
		{"catalog.types", "await catalog.types('github', 'create_issue')", "null", []string{"1 catalog.types github/create_issue "}},
		{"forge.callTool", "await forge.callTool('github', 'create_issue', { a: 1 })", `{"a":1}`, []string{`1 tool github/create_issue {"a":1}`}},
		{"forge.server", "await forge.server('github').create_issue({ a: 1 })", `{"a":1}`, []string{`1 tool github/create_issue {"a":1}`}},
		{"forge category", "await forge.server('github').get.file({ a: 1 })", `{"a":1}`, []string{`1 tool github/get.file {"a":1}`}},
		{"forge.readResource", "await forge.readResource('github', 'x')", "null", []string{"1 resource.read github/x "}},
		{"forge.parallel", "await forge.parallel([{ fn: async () => 1 }, () => 2])", "[1,2]", nil},
		{"forge.stash", "await forge.stash.get('k')", "null", []string{"1 stash.get /k "}},
		{"codemode", "await codemode.forecast({ a: 1 })", `{"a":1}`, []string{`1 tool weather/forecast {"a":1}`}},
		{"codemode alias", "await codemode.list_issues({ a: 1 })", `{"a":1}`, []string{`1 tool github/list-issues {"a":1}`}},
		{"codemode unknown", "await codemode.nope({}).catch(e => [e.code, e.tool])", `["TOOL_NOT_FOUND","nope"]`, nil},
		{"codemode keys", "Object.keys(codemode).length", "7", nil},
		{"randomUUID", "const a = crypto.randomUUID(); [/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(a), a !== crypto.randomUUID()]", "[true,true]", nil},
		{"getRandomValues", "const a = crypto.getRandomValues(new Uint8Array(100)); [a.length, new Set(a).size > 50]", "[100,true]", nil},
		{"getRandomValues view", "const b = new Uint8Array(32); crypto.getRandomValues(b.subarray(8, 16)); [b.slice(0, 8).every(x => x === 0), b.slice(16).every(x => x === 0), b.slice(8, 16).some(x => x !== 0)]", "[true,true,true]", nil},
		{"getRandomValues refuses", "try { crypto.getRandomValues([1]) } catch (e) { e.name }", `"TypeError"`, nil},
		{"structuredClone", "const a = { d: new Date(0), m: new Map([[1, { x: 1 }]]) }; a.self = a; const b = structuredClone(a); [b.self === b, b.m.get(1).x, b !== a]", "[true,1,true]", nil},
		{"atob, btoa", "atob(btoa('héllo'))", `"héllo"`, nil},
		{"text", "new TextDecoder().decode(new TextEncoder().encode('é😀'))", `"é😀"`, nil},
		{"URL", "const u = new URL('../b?x=1#y', 'http://h:81/a/c'); [u.href, u.port, u.searchParams.get('x')]", `["http://h:81/b?x=1#y","81","1"]`, nil},
		{"toLocaleString", "(1234567.891).toLocaleString()", `"1,234,567.891"`, nil},
		{"Intl", "new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' }).format(1234.5)", `"$1,234.50"`, nil},
		{"time zone", "new Date(1700000000000).toLocaleString('en-US', { timeZone: 'America/New_York' })", `"11/14/2023, 5:13:20 PM"`, nil},
		{"fromAsync", "await Array.fromAsync([1, Promise.resolve(2)])", "[1,2]", nil},
		{"UTC", "[new Date(0).getHours(), new Date(0).getTimezoneOffset(), String(new Date(0))]", `[0,0,"Thu Jan 01 1970 00:00:00 GMT+0000"]`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fakePort{}
			out := runWith(t, e, quickjs.Program{Source: []byte(c.src), Catalog: cat}, p)
			if got := show(out); got != c.want && !strings.HasPrefix(strings.ReplaceAll(got, " (UTC)", ""), strings.TrimSuffix(c.want, `"]`)) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if !slices.Equal(p.calls, c.calls) {
				t.Errorf("calls %q, want %q", p.calls, c.calls)
			}
		})
	}
}

func TestEmitAndProgress(t *testing.T) {
	e := newEngine(t)
	p := &fakePort{}
	out := run(t, e, "emit({ type: 'image', data: 'AA==', mimeType: 'image/png' }); progress(1); progress(2, 10); progress(3, 10, 'three'); let r = []; for (const b of [null, {}, { type: 'video' }, 3]) try { emit(b) } catch (e) { r.push(e.name) } try { progress('x') } catch (e) { r.push(e.name) } r", wire.Limits{}, p)
	if show(out) != `["TypeError","TypeError","TypeError","TypeError","TypeError"]` {
		t.Error(show(out))
	}
	if want := []string{`{"type":"image","data":"AA==","mimeType":"image/png"}`}; !slices.Equal(p.emits, want) {
		t.Errorf("%q", p.emits)
	}
	if want := []string{"1 ", "2/10 ", "3/10 three"}; !slices.Equal(p.progress, want) {
		t.Errorf("%q", p.progress)
	}
}

func TestValues(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ src, want string }{
		{"({ a: undefined, b: () => 1, c: Symbol('x'), d: NaN, e: -0, f: Infinity })", `{"d":null,"e":0,"f":null}`},
		{"[undefined, () => 1, Symbol('x')]", `[null,null,null]`},
		{"() => () => 1", `null`},
		{"Symbol('x')", `null`},
		{"12345678901234567890n", `"12345678901234567890"`},
		{"({ n: 1n })", `{"n":"1"}`},
		{"new Map([['a', 1], ['b', new Set([1, 2])]])", `{"a":1,"b":[1,2]}`},
		{"new Map([[1, 'x']])", `[[1,"x"]]`},
		{"new Set([1, 'x'])", `[1,"x"]`},
		{"new Uint8Array([1, 2])", `[1,2]`},
		{"new Date(0)", `"1970-01-01T00:00:00.000Z"`},
		{"/a.b/gi", `"/a.b/gi"`},
		{"const e = new TypeError('bad'); e.extra = 1; ({ e })", `{"e":{"name":"TypeError","message":"bad","extra":1}}`},
		{"await Promise.allSettled([Promise.reject(new Error('x'))])", `[{"status":"rejected","reason":{"name":"Error","message":"x"}}]`},
		{"await tools.s.t('x').then(x => x, e => e)", `{"name":"HostError","message":"the arguments of s.t must be an object such as { name: value }, not the string x","code":"INVALID_ARGUMENTS","retryable":false,"server":"s","tool":"t"}`},
		{"({ toJSON() { return { x: 1 } } })", `{"x":1}`},
		{"({ __proto__: null, a: 1 })", `{"a":1}`},
		{"JSON.parse('{\"__proto__\": 1}')", `{"__proto__":1}`},
		{"({ ['a\\u0000b']: '\\u0000' })", `{"a\u0000b":"\u0000"}`},
		{"new Proxy([1, 2], {})", `[1,2]`},
		{"Object('x')", `"x"`},
		{"const a = { b: { c: [] } }; a.b.c.push(a); a", "INVALID_RESULT 0:0 the program's result cannot be returned: it contains itself at .b.c[0]"},
		{"({ get x() { throw new Error('no') } })", "INVALID_RESULT 1:29 the program's result cannot be returned: it cannot be written as JSON: Error: no"},
		{"Map.prototype.toJSON = () => 'mine'; [new Map()]", `["mine"]`},
		{"Array.prototype.toJSON = () => 'mine'; [1]", `"mine"`},
		{"JSON.stringify(new Map([[1, 2]])) + JSON.stringify(new Error('x'))", `"{}{}"`},
		{"BigInt.prototype.toJSON", `null`},
		{"const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); [proxy]", "INVALID_RESULT"},
		{"[1, 2, 3].map(n => n / 2)", `[0.5,1,1.5]`},
		{"'lone \\ud800'", `"lone \ud800"`},
		{"({ then(r) { r(5) } })", `5`},
		{"tools", `{}`},
	} {
		t.Run(c.src, func(t *testing.T) {
			out := run(t, e, c.src, wire.Limits{}, &fakePort{})
			if got := show(out); got != c.want && !(out.Error != nil && strings.HasPrefix(got, c.want)) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ name, src, message, suggestion, frame string }{
		{"frame", "async () => {\n\tconst x = {};\n\treturn x.a.b;\n}", "TypeError: cannot read property 'b' of undefined", "", "3 | \treturn x.a.b;\n  | \t          ^"},
		{"cause", "throw new Error('outer', { cause: new TypeError('inner', { cause: 'root' }) })", "Error: outer\n  caused by: TypeError: inner\n  caused by: root", "", ""},
		{"aggregate", "await Promise.any([Promise.reject(new Error('a')), Promise.reject(new Error('b'))])", "AggregateError\n  - Error: a\n  - Error: b", "", ""},
		{"no error", "throw { code: 5 }", "the program threw a value that is not an Error: { code: 5 }", "", ""},
		{"undefined", "throw undefined", "the program threw a value that is not an Error: undefined", "", ""},
		{"null", "throw null", "the program threw a value that is not an Error: null", "", ""},
		{"rejected with a string", "await Promise.reject('text')", "the program threw a value that is not an Error: text", "", ""},
		{"custom class", "class Oops extends Error { get name() { return 'Oops' } }\nthrow new Oops('x')", "Oops: x", "", ""},
		{"hostile error", "throw new Proxy(new Error('x'), { get() { throw 1 }, getPrototypeOf() { throw 2 } })", "", "", ""},
		{"hostile message", "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e", "", "", ""},
		{"forged code", "const e = new HostError('x'); e.code = 'CPU_LIMIT'; throw e", "HostError: x", "", ""},
		{"fetch", "await fetch('http://x')", "ReferenceError: 'fetch' is not defined", "there is no network here", ""},
		{"require", "const fs = require('fs')", "ReferenceError: 'require' is not defined", "there are no modules here", ""},
		{"process", "process.env.X", "ReferenceError: 'process' is not defined", "there is no process here", ""},
		{"deep", "function f() { f() }\nf()", "InternalError: stack overflow", "the calls are nested too deeply", ""},
		{"import()", "await import('fs')", "ReferenceError: there are no modules here", "remove the import", "1 | await import('fs')\n  |              ^"},
		{"long", "throw new Error('x'.repeat(100000))", "Error: xxxx", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if raceEnabled && c.name == "deep" {
				t.Skip("takes minutes under the race detector")
			}
			out := run(t, e, c.src, wire.Limits{}, &fakePort{})
			if out.Error == nil || out.Error.Code != wire.CodeScript {
				t.Fatalf("got %s", show(out))
			}
			if !strings.HasPrefix(out.Error.Message, c.message) || len(out.Error.Message) > 9000 {
				t.Errorf("message %.300q", out.Error.Message)
			}
			if !strings.HasPrefix(out.Error.Suggestion, c.suggestion) || c.suggestion == "" && out.Error.Suggestion != "" {
				t.Errorf("suggestion %q", out.Error.Suggestion)
			}
			if c.frame != "" && out.Error.Frame != c.frame {
				t.Errorf("frame\n%s\nwant\n%s", out.Error.Frame, c.frame)
			}
			if len(out.Error.Stack) > 10000 {
				t.Errorf("a stack of %d bytes", len(out.Error.Stack))
			}
		})
	}
}

func TestStacksShowTheProgramAlone(t *testing.T) {
	e := newEngine(t)
	out := run(t, e, "function a() { [1].forEach(b) }\nfunction b() { throw new Error('x') }\nsetTimeout(() => {}, 0);\nqueueMicrotask(() => {});\nawait parallel([async () => a()])", wire.Limits{}, &fakePort{})
	want := []string{"b (program.js:2:", "a (program.js:1:", "program.js:5:"}
	at := 0
	for _, w := range want {
		i := strings.Index(out.Error.Stack[at:], w)
		if i < 0 {
			t.Fatalf("no %q in\n%s", w, out.Error.Stack)
		}
		at += i
	}
	for _, w := range []string{"native", "prelude", "one", "parallel"} {
		if strings.Contains(out.Error.Stack, w) {
			t.Errorf("%q in\n%s", w, out.Error.Stack)
		}
	}
}

// A program that has replaced everything still gets what the host said, and
// the host gets what the program said.
func TestTampering(t *testing.T) {
	e := newEngine(t)
	const tamper = `
const all = [];
for (const C of [Object, Array, Function, Promise, Map, Set, WeakSet, String, Number, RegExp, JSON, Reflect, Math, Symbol, Error]) {
	for (const o of [C, C.prototype]) if (o) for (const k of Reflect.ownKeys(o)) {
		if (!['then', 'constructor', 'prototype', 'caller', 'callee', 'arguments'].includes(k)) all.push([o, k]);
	}
}
for (let i = 0; i < all.length; i++) {
	const k = all[i][1];
	try { Object_defineProperty(all[i][0], k, { get: () => () => { throw new Err('tampered ' + String_(k)) }, set() {}, configurable: true }) } catch {}
}
`
	const src = `const Object_defineProperty = Object.defineProperty, Err = Error, String_ = String;
` + tamper + `
const r = await tools.s.t({ a: 1 });
console.log('logged', r.a);
emit({ type: 'text', text: 'x' });
stash.put('k', 1);
const list = await parallel([() => tools.s.t({ b: 2 })]);
({ r, b: list[0].b })`
	p := &fakePort{}
	out := run(t, e, src, wire.Limits{}, p)
	if got := show(out); got != `{"r":{"a":1},"b":2}` {
		t.Errorf("got %s\n%s", got, fmt.Sprint(out.Error))
	}
	if want := []string{"log: logged 1"}; !slices.Equal(p.logs, want) {
		t.Errorf("logs %q", p.logs)
	}
}

// Nothing that a program can reach leads to the natives.
func TestNativesAreOutOfReach(t *testing.T) {
	e := newEngine(t)
	out := run(t, e, `const seen = new Set(), found = [];
const names = ['logRoom', 'uncaught', 'owners', 'proxyTarget', 'promiseResult', 'tzOffset', 'owned', 'fill', 'load'];
(function walk(o, path) {
	if ((typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o)) return;
	seen.add(o);
	if (path.length > 300 || o === tools || o === codemode) return;
	for (const k of Reflect.ownKeys(o)) {
		if (names.includes(k) && path !== '.prototype' && !path.includes('Array') && !path.includes('TypedArray')) found.push(path + '.' + String(k));
		const d = Reflect.getOwnPropertyDescriptor(o, k);
		for (const v of [d.value, d.get, d.set]) walk(v, path + '.' + String(k));
	}
	walk(Reflect.getPrototypeOf(o), path + '.__proto__');
})(globalThis, '');
found.filter(f => !/prototype\.fill|proxy/i.test(f))`, wire.Limits{}, &fakePort{})
	if got := show(out); got != "[]" {
		t.Errorf("got %s", got)
	}
	if strings.Contains(show(run(t, e, "try { tools.s.t.caller } catch {} console.log.toString() + callTool.toString() + sleep", wire.Limits{}, &fakePort{})), "N.") {
		t.Error("the prelude's source is shown")
	}
}

func FuzzRun(f *testing.F) {
	for _, s := range []string{"1+1", "async () => tools.s.t({})", "const a: number = 1; return a", "```js\nexport default 1\n```", "import x from 'y'", "throw {}", "for(;;);", "`${`${1}`}`", "\x00\xff", "({a:1n,b:new Map,c:/x/})", "console.log(new Proxy({},{}))", "class A{static #x=1}", "(async()=>{for await(const x of [tools])x})()"} {
		f.Add(s)
	}
	e, err := quickjs.New(quickjs.Config{HeapLimit: 8 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.Close)
	f.Fuzz(func(t *testing.T, src string) {
		if err := e.Arm(8<<20, 1000); err != nil {
			t.Fatal(err)
		}
		out, err := e.Run(quickjs.Program{Source: []byte(src), Limits: wire.Limits{CPU: 50, Heap: 4 << 20, Result: 1 << 16, Calls: 5, Concurrency: 2, Logs: 1000, Emits: 1000, Program: 1 << 14}}, &cancelPort{})
		if err != nil {
			t.Fatal(err)
		}
		if out.Error == nil {
			if err := wire.ValidateJSON(out.Value, 100_000); err != nil {
				t.Fatalf("%q: %v: %.100s", src, err, out.Value)
			}
		} else if out.Error.Code == "" || out.Error.Code == wire.CodeInternal {
			t.Fatalf("%q: %+v", src, out.Error)
		}
	})
}
