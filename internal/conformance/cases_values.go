package conformance

import "github.com/autoclave-run/autoclave/internal/wire"

func timers() []Case {
	return []Case{
		{Name: "order", Source: "const o = [];\nsetTimeout((a, b) => o.push(a + b), 30, 'x', 'y'); setTimeout(() => o.push(1), 10); setTimeout(() => o.push(0)); queueMicrotask(() => o.push('m'));\nawait sleep(60);\no", Value: `["m",0,1,"xy"]`},
		{Name: "equal times are in order", Source: "const o = [];\nfor (let i = 0; i < 5; i++) setTimeout(() => o.push(i), 1);\nawait sleep(20);\no", Value: `[0,1,2,3,4]`},
		{Name: "clear", Source: "const o = [];\nconst t = setTimeout(() => o.push(1), 1);\nclearTimeout(t); clearTimeout(t); clearTimeout('x'); clearTimeout();\nawait sleep(10);\no", Value: `[]`},
		{Name: "odd times", Source: "[typeof setTimeout(() => {}, 0), await sleep('1'), await sleep(-1), await sleep(NaN), await sleep()]", Value: `["number",null,null,null,null]`},
		{Name: "no function", Source: "setTimeout('code', 1)", Code: wire.CodeScript, Line: 1},
		{Name: "no function for a microtask", Source: "queueMicrotask(3)", Code: wire.CodeScript, Line: 1},
		{Name: "sleeping takes time", Source: "const t = Date.now(); await sleep(30); Date.now() - t >= 29", Value: `true`},
		{Name: "a storm of timers lets answers through", Source: "let n = 0, on = true;\n(function f() { n++; if (on) setTimeout(f, 0) })();\nawait tools.s.t(); on = false;\nn > 0", Value: `true`},
		{Name: "timers that are left are dropped", Source: "setTimeout(() => console.log('late'), 10);\n'done'", Value: `"done"`},
		{Name: "race with a timeout", Source: "await Promise.race([tools.s.t(), sleep(5).then(() => 'timed out')])", Answer: always(Answer{Never: true}), Value: `"timed out"`, Warnings: []string{"without awaiting 1"}},
	}
}

func output() []Case {
	return []Case{
		{Name: "emit text", Source: "emit({ type: 'text', text: 'hello' });\n1", Value: `1`, Emits: []string{`{"type":"text","text":"hello"}`}},
		{Name: "emit an image", Source: "emit({ type: 'image', data: 'AAEC', mimeType: 'image/png' })", Value: `null`, Emits: []string{`{"type":"image","data":"AAEC","mimeType":"image/png"}`}},
		{Name: "emit what a tool gave", Source: "for (const b of await tools.s.t()) emit(b);\n0", Answer: mcp(`{"content":[{"type":"image","data":"AA==","mimeType":"image/png"},{"type":"resource_link","uri":"x://1","name":"n"}]}`), Value: `0`,
			Emits: []string{`{"type":"image","data":"AA==","mimeType":"image/png"}`, `{"type":"resource_link","uri":"x://1","name":"n"}`}},
		{Name: "emit no block", Source: "emit('text')", Code: wire.CodeScript, Line: 1, Says: "type"},
		{Name: "emit another type", Source: "emit({ type: 'video' })", Code: wire.CodeScript, Line: 1},
		{Name: "emit a cycle", Source: "const a = { type: 'text' }; a.a = a;\nemit(a)", Code: wire.CodeInvalidArguments, Line: 2},
		{Name: "emits over the limit", Source: "emit({ type: 'text', text: 'x'.repeat(90) });\nemit({ type: 'text', text: 'x'.repeat(90) })", Limits: wire.Limits{Emits: 500}, Code: wire.CodeEmitLimit, Line: 2, Emits: []string{`{"type":"text","text":"` + repeated("x", 90) + `"}`}},
		{Name: "emit a nested block", Source: "let a = 1; for (let i = 0; i < 600; i++) a = [a];\nemit({ type: 'text', a })", Code: wire.CodeInvalidArguments, Line: 2},
		{Name: "progress that is no number", Source: "progress(NaN); progress(1, Infinity);\n1", Value: `1`, Progress: []string{"1/"}},
		{Name: "progress", Source: "progress(1, 3, 'one'); progress(2.5); progress(3, 3);\n1", Value: `1`, Progress: []string{"1/3 one", "2.5/", "3/3"}},
		{Name: "progress without numbers", Source: "progress('half')", Code: wire.CodeScript, Line: 1},
		{Name: "a long progress message", Source: "progress(1, 2, 'é'.repeat(5000));\n1", Value: `1`, Progress: []string{"1/2 " + repeated("é", 512)}},
		{Name: "much progress", Source: "for (let i = 0; i < 3000; i++) progress(i);\n'done'", Value: `"done"`, Progress: manyProgress()},
	}
}

func manyProgress() []string {
	all := make([]string, wire.MaxProgress)
	for i := range all {
		all[i] = itoa(i) + "/"
	}
	return all
}

// library is what a program finds beside ECMAScript.
func library() []Case {
	return []Case{
		{Name: "structuredClone", Source: "const a = { d: new Date(0), m: new Map([[1, new Set([2])]]), n: [1, [2]] };\na.self = a;\nconst b = structuredClone(a);\n[b !== a, b.self === b, b.d.getTime(), b.m.get(1).has(2), b.n]", Value: `[true,true,0,true,[1,[2]]]`},
		{Name: "structuredClone of a function", Source: "try { structuredClone({ f() {} }) } catch (e) { e.name }", Value: `"DataCloneError"`},
		{Name: "base64", Source: "[btoa('hello é'), atob('aGVsbG8=')]", Value: `["aGVsbG8g6Q==","hello"]`},
		{Name: "base64 beyond Latin-1", Source: "try { btoa('日') } catch (e) { e.name }", Value: `"InvalidCharacterError"`},
		{Name: "TextEncoder", Source: "Array.from(new TextEncoder().encode('é😀'))", Value: `[195,169,240,159,152,128]`},
		{Name: "TextDecoder", Source: "new TextDecoder().decode(new Uint8Array([195, 169, 255, 65]))", Value: `"é` + "\ufffd" + `A"`},
		{Name: "URL", Source: "const u = new URL('/a/../b?x=1&y=%20z#h', 'https://user:pw@example.com:8443/c/');\n[u.href, u.origin, u.host, u.port, u.pathname, u.search, u.hash, u.searchParams.get('y')]", Value: `["https://user:pw@example.com:8443/b?x=1&y=%20z#h","https://example.com:8443","example.com:8443","8443","/b","?x=1&y=%20z","#h"," z"]`},
		{Name: "bad URL", Source: "try { new URL('not a url') } catch (e) { e instanceof TypeError }", Value: `true`},
		{Name: "URLSearchParams", Source: "const p = new URLSearchParams({ a: '1', b: 'x y' });\np.append('a', '2'); p.set('b', 'é&'); p.delete('c');\n[p.toString(), p.getAll('a'), p.has('b'), p.get('nope'), [...p].length]", Value: `["a=1&b=%C3%A9%26&a=2",["1","2"],true,null,3]`},
		{Name: "searchParams writes back", Source: "const u = new URL('https://x.test/?a=1');\nu.searchParams.set('b', '2');\nu.href", Value: `"https://x.test/?a=1&b=2"`},
		{Name: "crypto", Source: "const a = crypto.getRandomValues(new Uint8Array(32));\n[a.length, new Set(a).size > 8, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), crypto.randomUUID() !== crypto.randomUUID()]", Value: `[32,true,true,true]`},
		{Name: "Math.random", Source: "const a = Array.from({ length: 100 }, () => Math.random());\n[a.every((x) => x >= 0 && x < 1), new Set(a).size]", Value: `[true,100]`},
		{Name: "UTC", Source: "[new Date(2025, 0, 1).toISOString(), new Date(0).getTimezoneOffset(), new Date('2025-06-01T12:00').getTime()]", Value: `["2025-01-01T00:00:00.000Z",0,1748779200000]`},
		{Name: "the clock goes", Source: "Date.now() > 1700000000000 && new Date().getUTCFullYear() > 2023", Value: `true`},
		{Name: "Array.fromAsync", Source: "async function* g() { yield 1; yield 2 }\n[await Array.fromAsync(g()), await Array.fromAsync([Promise.resolve(3)], (x) => x * 2)]", Value: `[[1,2],[6]]`},
		{Name: "numbers for people", Source: "[(1234567.891).toLocaleString(), (1234.5).toLocaleString('en-US', { style: 'currency', currency: 'USD' }), (0.256).toLocaleString('en-US', { style: 'percent' }), (5).toLocaleString('en-US', { minimumFractionDigits: 2 })]", Value: `["1,234,567.891","$1,234.50","26%","5.00"]`},
		{Name: "Intl.NumberFormat", Source: "new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 }).format(12345.67)", Value: `"12,345.7"`},
		{Name: "dates for people", Source: "const d = new Date(Date.UTC(2025, 2, 9, 15, 4, 5));\n[d.toLocaleDateString('en-US'), d.toLocaleDateString('en-US', { year: 'numeric', month: 'long', day: 'numeric' }), d.toLocaleDateString('en-US', { weekday: 'short' })]", Value: `["3/9/2025","March 9, 2025","Sun"]`},
		{Name: "Intl.DateTimeFormat", Source: "new Intl.DateTimeFormat('en-US', { month: 'short', day: '2-digit' }).format(new Date(0))", Value: `"Jan 01"`},
		{Name: "time zones", Source: "new Date(Date.UTC(2025, 6, 1, 12)).toLocaleTimeString('en-US', { timeZone: 'America/New_York', hour: 'numeric', minute: '2-digit' }).replace(/\\s/u, ' ')", Value: `"8:00 AM"`},
		{Name: "sorting for people", Source: "['b', 'a', 'C', 'á'].sort((a, b) => a.localeCompare(b))", Value: `["a","á","b","C"]`},
	}
}

// values is what becomes of a program's value.
func values() []Case {
	return []Case{
		{Name: "primitives", Source: "[1, -0, 1.5, 1e21, true, false, null, 'x']", Value: `[1,0,1.5,1e+21,true,false,null,"x"]`},
		{Name: "undefined", Source: "undefined", Value: `null`},
		{Name: "a function", Source: "return { f: () => 1, g: [() => 1] }", Value: `{"g":[null]}`},
		{Name: "a symbol", Source: "Symbol('x')", Value: `null`},
		{Name: "not a number", Source: "[NaN, Infinity, -Infinity]", Value: `[null,null,null]`},
		{Name: "undefined inside", Source: "({ a: undefined, b: [undefined], c: 1 })", Value: `{"b":[null],"c":1}`},
		{Name: "BigInt", Source: "[12345678901234567890n, -1n, { n: 0n }]", Value: `["12345678901234567890","-1",{"n":"0"}]`},
		{Name: "Date", Source: "[new Date(0), new Date(NaN)]", Value: `["1970-01-01T00:00:00.000Z",null]`},
		{Name: "Map", Source: "new Map([['a', 1], ['b', new Map([['c', 2]])]])", Value: `{"a":1,"b":{"c":2}}`},
		{Name: "Map of other keys", Source: "new Map([[1, 'a'], [{ k: 1 }, 'b']])", Value: `[[1,"a"],[{"k":1},"b"]]`},
		{Name: "Set", Source: "new Set([1, 'a', new Set()])", Value: `[1,"a",[]]`},
		{Name: "typed arrays", Source: "[new Uint8Array([1, 2]), new Float64Array([0.5]), new BigInt64Array([5n]), new ArrayBuffer(2)]", Value: `[[1,2],[0.5],["5"],[0,0]]`},
		{Name: "Error", Source: "new TypeError('no', { cause: new Error('deep') })", Value: `{"name":"TypeError","message":"no","cause":{"name":"Error","message":"deep"}}`},
		{Name: "Error with fields", Source: "Object.assign(new Error('no'), { code: 7 })", Value: `{"name":"Error","message":"no","code":7}`},
		{Name: "RegExp", Source: "[/a\\/b/gi]", Value: `["/a\\/b/gi"]`},
		{Name: "boxed", Source: "[new Number(1), new String('a'), new Boolean(false)]", Value: `[1,"a",false]`},
		{Name: "classes", Source: "class P { constructor() { this.a = 1; this.b = undefined } get c() { return 2 } }\nnew P()", Value: `{"a":1}`},
		{Name: "toJSON", Source: "({ a: { toJSON(k) { return 'key ' + k } } })", Value: `{"a":"key a"}`},
		{Name: "key order", Source: "({ z: 1, a: 2, 10: 3, 9: 4 })", Value: `{"9":4,"10":3,"z":1,"a":2}`},
		{Name: "prototype key", Source: "const o = JSON.parse('{\"__proto__\": {\"x\": 1}, \"a\": 2}'); o", Value: `{"__proto__":{"x":1},"a":2}`},
		{Name: "text", Source: `["\u2028", "\0", "\ud800", "é😀", "\"\\\/\n"]`, Value: `["` + "\u2028" + `","\u0000","\ud800","é😀","\"\\/\n"]`},
		{Name: "sparse array", Source: "const a = [1]; a[3] = 2; a", Value: `[1,null,null,2]`},
		{Name: "the same thing twice", Source: "const a = { x: 1 }; [a, a, { a }]", Value: `[{"x":1},{"x":1},{"a":{"x":1}}]`},
		{Name: "a proxy", Source: "new Proxy({ a: 1 }, {})", Value: `{"a":1}`},
		{Name: "a cycle", Source: "const a = { list: [] }; a.list.push({ a });\nreturn a", Code: wire.CodeInvalidResult, Says: ".list[0].a"},
		{Name: "a cycle through a Map", Source: "const m = new Map(); m.set('self', m);\nreturn { m }", Code: wire.CodeInvalidResult, Says: ".m"},
		{Name: "a throwing getter", Source: "return { get x() { throw new Error('not for you') } }", Code: wire.CodeInvalidResult + "|" + wire.CodeScript, Says: "not for you"},
		{Name: "a throwing toJSON", Source: "return { toJSON() { throw new Error('not for you') } }", Code: wire.CodeInvalidResult + "|" + wire.CodeScript, Says: "not for you"},
		{Name: "nested to the limit", Source: "let a = 1; for (let i = 0; i < 500; i++) a = [a];\nreturn a", Value: repeated("[", 500) + "1" + repeated("]", 500)},
		{Name: "nested over the limit", Source: "let a = 1; for (let i = 0; i < 600; i++) a = [a];\nreturn a", Code: wire.CodeInvalidResult},
		{Name: "over the limit", Source: "'x'.repeat(2000)", Limits: wire.Limits{Result: 1000}, Code: wire.CodeOutputLimit, Says: "1000"},
		{Name: "a preview below the limit", Source: "'x'", Limits: wire.Limits{Result: 100, Preview: true}, Value: `"x"`},
		{Name: "at the limit", Source: "'x'.repeat(998)", Limits: wire.Limits{Result: 1000}, Value: `"` + repeated("x", 998) + `"`},
		{Name: "a thousand rows", Source: "Array.from({ length: 1000 }, (_, i) => ({ i })).length", Value: `1000`},
	}
}

func consoles() []Case {
	one := func(name, source string, logs ...string) Case {
		return Case{Name: name, Source: source + ";\n0", Value: `0`, Logs: logs}
	}
	return []Case{
		one("levels", "console.log('a'); console.info('b'); console.warn('c'); console.error('d'); console.debug('e')", "log: a", "info: b", "warn: c", "error: d", "debug: e"),
		one("values", "console.log('n', 1, true, null, undefined, 2n, Symbol('s'), -0)", "log: n 1 true null undefined 2n Symbol(s) -0"),
		one("nothing", "console.log()", "log: "),
		one("an object", "console.log({ a: 1, b: 'x', c: [1, 'y'], d: { e: null } })", "log: { a: 1, b: 'x', c: [ 1, 'y' ], d: { e: null } }"),
		one("an empty object and array", "console.log({}, [])", "log: {} []"),
		one("text in an array", "console.log(['it\\'s', \"a\"])", `log: [ "it's", 'a' ]`),
		one("deep", "console.log({ a: { b: { c: { d: 1 } } } })", "log: { a: { b: { c: [Object] } } }"),
		one("Map and Set", "console.log(new Map([['a', 1]]), new Set([1, 'b']))", "log: Map(1) { 'a' => 1 } Set(2) { 1, 'b' }"),
		one("a class", "console.log(new (class Point { x = 1 })())", "log: Point { x: 1 }"),
		one("functions", "console.log(function f() {}, () => 1, class A {})", "log: [Function: f] [Function (anonymous)] [class A]"),
		one("dates and patterns", "console.log(new Date(0), /a/g)", "log: 1970-01-01T00:00:00.000Z /a/g"),
		one("a cycle", "const a = {}; a.self = a; console.log(a)", "log: <ref *1> { self: [Circular *1] }"),
		one("promises", "console.log(Promise.resolve(1))", "log: Promise { 1 }"),
		one("format", "console.log('%s is %d, %j', 'x', 3, { a: 1 }, 'more')", `log: x is 3, {"a":1} more`),
		one("an error", "console.error(new TypeError('bad'))", "error: TypeError: bad…"),
		one("an error with its line", "const e = new Error('bad'); console.log(e.stack.includes('program.js:1') || /:1:\\d+/.test(e.stack))", "log: true"),
		one("a null prototype", "console.log(Object.assign(Object.create(null), { a: 1 }))", "log: [Object: null prototype] { a: 1 }"),
		one("holes", "console.log([1, , 3])", "log: [ 1, <1 empty item>, 3 ]"),
		one("typed arrays", "console.log(new Uint8Array([1, 2]))", "log: Uint8Array(2) [ 1, 2 ]"),
		one("a getter is not called", "console.log({ get a() { throw 1 } })", "log: { a: [Getter] }"),
		one("tools", "console.log(typeof tools.s.t)", "log: function"),
		one("no surrogates alone", `console.log("a\ud800b")`, "log: a\ufffdb"),
		{Name: "in order with calls", Source: "console.log(1); await tools.s.t(); console.log(2); emit({ type: 'text', text: 'x' }); console.log(3);\n0", Value: `0`, Logs: []string{"log: 1", "log: 2", "log: 3"}, Emits: []string{`{"type":"text","text":"x"}`}},
		{Name: "cut", Source: "for (let i = 0; i < 1000; i++) console.log('éééé');\n0", Limits: wire.Limits{Logs: 2*(8+wire.LogOverhead) + 3}, Value: `0`, Logs: []string{"log: éééé", "log: éééé", "log: é [truncated]"}},
		{Name: "a long text", Source: "console.log('x'.repeat(1e6));\n0", Limits: wire.Limits{Logs: 100}, Value: `0`, Logs: []string{"log: xxx…"}},
	}
}
