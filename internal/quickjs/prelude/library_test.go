package prelude_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// check is an expression of a library and what it gives, as a string. value is
// evaluated in the pristine realm and is v in expr. hostile says that expr is
// held to the same in a ruined realm.
type check struct {
	name, value, expr, want string
	hostile                 bool
}

// Names of thrown errors are shown by this.
const caught = `const thrown = (f) => { try { f(); return "nothing thrown"; } catch (e) { return P.String(e.name) + ": " + P.String(e.message); } };
const bytes = (a) => { const out = P.list(); const n = P.TypedArrayPrototypeGetLength(a); for (let i = 0; i < n; i++) out[i] = a[i]; return P.ArrayPrototypeJoin(out, ","); };
const units = (s) => { const out = P.list(); for (let i = 0; i < s.length; i++) out[i] = P.NumberPrototypeToString(P.StringPrototypeCharCodeAt(s, i), 16); return P.ArrayPrototypeJoin(out, " "); };
`

func runChecks(t *testing.T, library, ours, poison string, checks []check) {
	t.Helper()
	for _, hostile := range []bool{false, true} {
		name := "pristine"
		if hostile {
			name = "hostile"
		}
		t.Run(name, func(t *testing.T) {
			var held []check
			for _, c := range checks {
				if c.value == "" {
					c.value = "undefined"
				}
				if !hostile || c.hostile {
					held = append(held, c)
				}
			}
			var values []string
			for _, c := range held {
				values = append(values, c.value)
			}
			var v *vm
			if hostile {
				v = poisoned(t, values, poison)
			} else {
				v = newVM(t)
				v.pristine(t)
				v.must(t, "const V = P.list(); ''")
				for i, src := range values {
					v.must(t, fmt.Sprintf("V[%d] = (%s); ''", i, src))
				}
			}
			v.load(t, library, "inspect")
			var script strings.Builder
			script.WriteString("const inspect = L.inspect.inspect;" + ours + caught)
			for i, c := range held {
				fmt.Fprintf(&script, "R[%d] = ((v) => { try { return P.String(%s); } catch (e) { return 'THROWS ' + P.String(e.name) + ': ' + P.String(e.message); } })(V[%d]);\n", i, c.expr, i)
			}
			for i, got := range v.results(t, script.String(), len(held)) {
				if got != held[i].want {
					t.Errorf("%s: %s %s\n got: %s\nwant: %s", held[i].name, held[i].value, held[i].expr, got, held[i].want)
				}
			}
			if hostile {
				v.untouched(t)
			}
		})
	}
}

func TestText(t *testing.T) {
	runChecks(t, "text", "const { TextEncoder, TextDecoder, atob, btoa } = L.text; const make = (a) => { const u = new P.Uint8Array(a.length); for (let i = 0; i < a.length; i++) u[i] = a[i]; return u; }; const decode = (bytes, o) => new TextDecoder('utf-8', o).decode(make(bytes));", poison, []check{
		{"ASCII", "", "bytes(new TextEncoder().encode('hi'))", "104,105", true},
		{"empty", "", "bytes(new TextEncoder().encode()) + '|' + bytes(new TextEncoder().encode(''))", "|", true},
		{"two, three, four bytes", "", "bytes(new TextEncoder().encode('é€😀'))", "195,169,226,130,172,240,159,152,128", true},
		{"lone surrogates", "", "bytes(new TextEncoder().encode('\\ud800x\\udc00'))", "239,191,189,120,239,191,189", true},
		{"converts", "", "bytes(new TextEncoder().encode(12))", "49,50", true},
		{"null is text", "", "bytes(new TextEncoder().encode(null))", "110,117,108,108", true},
		{"a symbol is not", "Symbol('x')", "thrown(() => new TextEncoder().encode(v))", "TypeError: Cannot convert a Symbol value to a string", true},
		{"encodeInto", "new Uint8Array(4)", "(() => { const r = new TextEncoder().encodeInto('aé€', v); return r.read + ' ' + r.written + ' ' + bytes(v); })()", "2 3 97,195,169,0", true},
		{"encodeInto a pair", "new Uint8Array(3)", "(() => { const r = new TextEncoder().encodeInto('😀', v); return r.read + ' ' + r.written; })()", "0 0", true},
		{"encodeInto needs bytes", "new Uint16Array(3)", "thrown(() => new TextEncoder().encodeInto('x', v))", "TypeError: encodeInto's destination must be a Uint8Array", true},
		{"encoding", "", "new TextEncoder().encoding + new TextDecoder().encoding", "utf-8utf-8", true},
		{"brand", "", "thrown(() => TextEncoder.prototype.encode.call({}))", "TypeError: private class field '#brand' does not exist", false},

		{"plain", "", "decode([104, 105])", "hi", true},
		{"all lengths", "", "decode([195, 169, 226, 130, 172, 240, 159, 152, 128])", "é€😀", true},
		{"BOM", "", "units(decode([0xef, 0xbb, 0xbf, 0x41]))", "41", true},
		{"BOM kept", "", "units(decode([0xef, 0xbb, 0xbf, 0x41], { ignoreBOM: true }))", "feff 41", true},
		{"second BOM", "", "units(decode([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]))", "feff", true},
		{"stray continuation", "", "units(decode([0x80, 0x41]))", "fffd 41", true},
		{"overlong", "", "units(decode([0xc0, 0x80]))", "fffd fffd", true},
		{"overlong three", "", "units(decode([0xe0, 0x80, 0x80]))", "fffd fffd fffd", true},
		{"surrogate", "", "units(decode([0xed, 0xa0, 0x80]))", "fffd fffd fffd", true},
		{"too large", "", "units(decode([0xf4, 0x90, 0x80, 0x80]))", "fffd fffd fffd fffd", true},
		{"truncated", "", "units(decode([0xf0, 0x9f, 0x98]))", "fffd", true},
		{"truncated then ASCII", "", "units(decode([0xe2, 0x82, 0x41]))", "fffd 41", true},
		{"maximal subparts", "", "units(decode([0xf0, 0x9f, 0x41, 0xf0, 0x80, 0x80, 0x41]))", "fffd 41 fffd fffd fffd 41", true},
		{"fatal", "", "thrown(() => decode([0xff], { fatal: true }))", "TypeError: The encoded data was not valid for encoding utf-8", true},
		{"fatal truncated", "", "thrown(() => decode([0xe2, 0x82], { fatal: true }))", "TypeError: The encoded data was not valid for encoding utf-8", true},
		{"fatal but fine", "", "decode([0x41], { fatal: true })", "A", true},
		{"stream", "", "(() => { const d = new TextDecoder(); return d.decode(make([0xe2]), { stream: true }) + '|' + d.decode(make([0x82]), { stream: true }) + '|' + d.decode(make([0xac, 0x41])); })()", "||€A", true},
		{"stream end", "", "(() => { const d = new TextDecoder(); return units(d.decode(make([0xe2]), { stream: true }) + d.decode()) + '|' + units(d.decode(make([0x41]))); })()", "fffd|41", true},
		{"stream BOM", "", "(() => { const d = new TextDecoder(); return units(d.decode(make([0xef, 0xbb]), { stream: true }) + d.decode(make([0xbf, 0x41]))); })()", "41", true},
		{"after a fatal error", "", "(() => { const d = new TextDecoder('utf-8', { fatal: true }); thrown(() => d.decode(make([0xe2, 0x82, 0x41]))); return d.decode(make([0x42])); })()", "B", true},
		{"buffer", "new Uint8Array([65, 66]).buffer", "new TextDecoder().decode(v)", "AB", true},
		{"part of a buffer", "new Uint8Array([65, 66, 67, 68]).subarray(1, 3)", "new TextDecoder().decode(v)", "BC", true},
		{"view", "new DataView(new Uint8Array([65, 66, 67]).buffer, 1)", "new TextDecoder().decode(v)", "BC", true},
		{"wider elements", "new Uint16Array([0x4241])", "new TextDecoder().decode(v)", "AB", true},
		{"nothing", "", "new TextDecoder().decode() + new TextDecoder().decode(undefined)", "", true},
		{"not bytes", "", "thrown(() => new TextDecoder().decode('x'))", "TypeError: TextDecoder.decode's input must be an ArrayBuffer, a typed array or a DataView", true},
		{"labels", "", "new TextDecoder(' UTF8 ').encoding + new TextDecoder('unicode-1-1-utf-8').encoding", "utf-8utf-8", true},
		{"other labels", "", "thrown(() => new TextDecoder('latin1'))", "RangeError: TextDecoder decodes utf-8 only here, not \"latin1\"", true},
		{"flags", "", "new TextDecoder('utf-8', { fatal: 1 }).fatal + ' ' + new TextDecoder().ignoreBOM", "true false", true},
		{"more than a piece", "'aé😀'.repeat(5000)", "new TextDecoder().decode(new TextEncoder().encode(v)) === v", "true", true},
		{"tags", "", "Object.prototype.toString.call(new TextDecoder()) + Object.prototype.toString.call(new TextEncoder())", "[object TextDecoder][object TextEncoder]", false},

		{"btoa", "", "btoa('') + '|' + btoa('a') + '|' + btoa('ab') + '|' + btoa('abc') + '|' + btoa('\\xff\\x00')", "|YQ==|YWI=|YWJj|/wA=", true},
		{"btoa converts", "", "btoa(12) + btoa(null) + btoa(undefined)", "MTI=bnVsbA==dW5kZWZpbmVk", true},
		{"btoa too wide", "", "thrown(() => btoa('é€'))", "InvalidCharacterError: btoa takes characters up to U+00FF only; encode other text with new TextEncoder().encode(text) first", true},
		{"btoa of nothing", "", "thrown(() => btoa())", "TypeError: btoa needs one argument", true},
		{"atob", "", "atob('') + '|' + atob('YQ==') + '|' + atob('YWI=') + '|' + atob('YWJj') + '|' + units(atob('/wA='))", "|a|ab|abc|ff 0", true},
		{"atob without padding", "", "atob('YQ') + atob('YWI')", "aab", true},
		{"atob with white space", "", "atob(' Y\\tW\\nJ\\fj\\r ')", "abc", true},
		{"atob loose bits", "", "units(atob('YR=='))", "61", true},
		{"atob of five", "", "thrown(() => atob('YWJjY'))", "InvalidCharacterError: The string to be decoded is not correctly encoded base64", true},
		{"atob padding in excess", "", "thrown(() => atob('YQ==='))", "InvalidCharacterError: The string to be decoded is not correctly encoded base64", true},
		{"atob padding too short", "", "thrown(() => atob('YQ='))", "InvalidCharacterError: The string to be decoded is not correctly encoded base64", true},
		{"atob padding alone", "", "thrown(() => atob('='))", "InvalidCharacterError: The string to be decoded is not correctly encoded base64", true},
		{"atob URL alphabet", "", "thrown(() => atob('_-8='))", "InvalidCharacterError: The string to be decoded is not correctly encoded base64", true},
		{"atob other characters", "", "thrown(() => atob('YQ*='))", "InvalidCharacterError: The string to be decoded is not correctly encoded base64", true},
		{"atob null", "", "units(atob(null))", "9e e9 65", true},
		{"there and back", "(() => { let s = ''; for (let i = 0; i < 10000; i++) s += String.fromCharCode(i % 256); return s; })()", "atob(btoa(v)) === v", "true", true},
	})
}

func TestFromAsync(t *testing.T) {
	v := newVM(t)
	v.pristine(t)
	v.load(t, "text")
	v.must(t, `
		const got = [];
		const fromAsync = L.text.arrayFromAsync;
		const show = (name, p) => p.then((a) => got.push(name + " " + Array.isArray(a) + " " + JSON.stringify(a)), (e) => got.push(name + " " + e));
		async function* gen() { yield 1; yield 2; }
		let closed = 0;
		const closing = { [Symbol.iterator]() { return { next: () => ({ done: false, value: 1 }), return() { closed++; return {}; } }; } };
		class Sub extends Array {}
		show("async", fromAsync.call(Array, gen()));
		show("sync", fromAsync.call(Array, [1, Promise.resolve(2)]));
		show("map", fromAsync.call(Array, gen(), async (x, i) => x * 10 + i));
		show("like", fromAsync.call(Array, { length: 2, 0: Promise.resolve("a"), 1: "b" }));
		show("string", fromAsync.call(Array, "ab"));
		show("bad", fromAsync.call(Array, null));
		show("bad map", fromAsync.call(Array, [], 1));
		show("closes", fromAsync.call(Array, closing, () => { throw new Error("stop"); }));
		fromAsync.call(Sub, [1]).then((a) => got.push("sub " + (a instanceof Sub) + a.length));
		show("name", Promise.resolve([fromAsync.name, fromAsync.length]));
		''`)
	v.jobs(t)
	got := strings.Split(v.must(t, "got.push('closed ' + closed), got.sort().join('\\n')"), "\n")
	want := []string{
		`async true [1,2]`, `bad TypeError: Array.fromAsync needs an iterable or an array-like object, not null`,
		`bad map TypeError: Array.fromAsync's second argument must be a function`, `closed 1`, `closes Error: stop`,
		`like true ["a","b"]`, `map true [10,21]`, `name true ["fromAsync",1]`, `string true ["a","b"]`, `sub true1`, `sync true [1,2]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestClone(t *testing.T) {
	runChecks(t, "clone", "const { structuredClone } = L.clone; const twice = (v) => { const c = structuredClone(v); return (c === v ? 'the same ' : '') + inspect(c); };", poison, []check{
		{"primitives", "[1, 'a', true, null, undefined, 10n, NaN, -0]", "twice(v)", "[ 1, 'a', true, null, undefined, 10n, NaN, -0 ]", true},
		{"objects", "({ a: { b: [1, { c: 2 }] } })", "twice(v)", "{ a: { b: [ 1, [Object] ] } }", true},
		{"sparse", "Object.assign([1, , 3, , ], { name: 'x' })", "twice(v)", "[ 1, <1 empty item>, 3, <1 empty item>, name: 'x' ]", true},
		{"long sparse", "new Array(2 ** 31)", "structuredClone(v).length", "2147483648", true},
		{"date", "new Date(5)", "twice(v)", "1970-01-01T00:00:00.005Z", true},
		{"invalid date", "new Date(NaN)", "twice(v)", "Invalid Date", true},
		{"regexp", "Object.assign(/a[/]b/giu, { lastIndex: 3 })", "twice(v) + structuredClone(v).lastIndex", "/a[/]b/giu0", true},
		{"map", "new Map([[{ k: 1 }, new Set([1, [2]])]])", "twice(v)", "Map(1) { { k: 1 } => Set(2) { 1, [ 2 ] } }", true},
		{"map of itself", "(() => { const m = new Map(); m.set(m, m); return m; })()", "twice(v)", "<ref *1> Map(1) { [Circular *1] => [Circular *1] }", true},
		{"cycle", "(() => { const a = { b: [] }; a.b.push(a); return a; })()", "twice(v)", "<ref *1> { b: [ [Circular *1] ] }", true},
		{"shared", "(() => { const s = {}; return [s, s]; })()", "(() => { const c = structuredClone(v); return c[0] === c[1]; })()", "true", true},
		{"boxed", "[Object(1), Object('s'), Object(true), Object(1n)]", "twice(v)", "[ [Number: 1], [String: 's'], [Boolean: true], [BigInt: 1n] ]", true},
		{"buffer", "new Uint8Array([1, 2, 3]).buffer", "twice(v)", "ArrayBuffer { [Uint8Contents]: <01 02 03>, byteLength: 3 }", true},
		{"typed arrays", "[new Float32Array([1.5]), new BigInt64Array([-1n]), new Uint8ClampedArray(2)]", "twice(v)", "[\n  Float32Array(1) [ 1.5 ],\n  BigInt64Array(1) [ -1n ],\n  Uint8ClampedArray(2) [ 0, 0 ]\n]", true},
		{"part of a buffer", "new Uint8Array([1, 2, 3, 4]).subarray(1, 3)", "twice(v) + P.ArrayBufferPrototypeGetByteLength(P.TypedArrayPrototypeGetBuffer(structuredClone(v)))", "Uint8Array(2) [ 2, 3 ]4", true},
		{"shared buffer", "(() => { const b = new ArrayBuffer(4); return [new Uint8Array(b), new DataView(b, 1)]; })()", "(() => { const c = structuredClone(v); return P.TypedArrayPrototypeGetBuffer(c[0]) === P.DataViewPrototypeGetBuffer(c[1]); })()", "true", true},
		{"error", "(() => { const e = new RangeError('r', { cause: { a: 1 } }); e.stack = 'kept'; e.extra = 1; return e; })()", "(() => { const c = structuredClone(v); return P.ObjectGetPrototypeOf(c) === P.RangeErrorPrototype && c.message + c.stack + c.cause.a + ('extra' in c); })()", "rkept1false", true},
		{"error of a class", "(() => { class Mine extends Error { name = 'Mine' } return new Mine('m'); })()", "(() => { const c = structuredClone(v); return (P.ObjectGetPrototypeOf(c) === P.ErrorPrototype) + c.name + c.message; })()", "trueErrorm", true},
		{"class", "(() => { class Foo { a = 1; #b = 2; get c() { return 3; } } return new Foo(); })()", "twice(v)", "{ a: 1 }", true},
		{"getter", "({ get a() { return [1]; } })", "twice(v)", "{ a: [ 1 ] }", true},
		{"null prototype", "Object.assign(Object.create(null), { a: 1 })", "twice(v)", "{ a: 1 }", true},
		{"proto key", "JSON.parse('{\"__proto__\":{\"x\":1}}')", "twice(v)", "{ ['__proto__']: { x: 1 } }", true},
		{"symbol keys", "({ [Symbol('s')]: 1, a: 2 })", "twice(v)", "{ a: 2 }", true},
		{"deep", "(() => { let v = null; for (let i = 0; i < 20000; i++) v = [v]; return v; })()", "(() => { let n = 0; for (let c = structuredClone(v); c !== null; c = c[0]) n++; return n; })()", "20000", true},
		{"function", "function f() { return 1; }", "thrown(() => structuredClone(v))", "DataCloneError: function f() { return 1; } could not be cloned", true},
		{"function inside", "({ a: [() => 1] })", "thrown(() => structuredClone(v))", "DataCloneError: () => 1 could not be cloned", true},
		{"symbol", "Symbol('s')", "thrown(() => structuredClone(v))", "DataCloneError: Symbol(s) could not be cloned", true},
		{"promise", "Promise.resolve(1)", "thrown(() => structuredClone(v))", "DataCloneError: a Promise could not be cloned", true},
		{"weak", "new WeakMap()", "thrown(() => structuredClone(v))", "DataCloneError: a WeakMap could not be cloned", true},
		{"proxy", "new Proxy({}, {})", "thrown(() => structuredClone(v))", "DataCloneError: a Proxy could not be cloned", true},
		{"nothing", "", "thrown(() => structuredClone())", "TypeError: structuredClone needs one argument", true},
		{"code", "Symbol('s')", "(() => { try { structuredClone(v); } catch (e) { return e.code + ' ' + P.ObjectHasOwn(e, 'name') + P.ObjectKeys(e).length; } })()", "25 true0", true},
		{"a thrown getter", "({ get a() { throw { name: 'RangeError', message: 'mine' }; } })", "thrown(() => structuredClone(v))", "RangeError: mine", true},
	})
}

func TestValues(t *testing.T) {
	runChecks(t, "values", "const { encode, findCycle } = L.values;", leaveIndexes, []check{
		{"undefined", "", "encode(undefined)", "null", true},
		{"function", "() => 1", "encode(v)", "null", true},
		{"symbol", "Symbol('s')", "encode(v)", "null", true},
		{"plain", "({ a: [1, 'x', null, true, { b: undefined, c() {} }], d: NaN })", "encode(v)", `{"a":[1,"x",null,true,{}],"d":null}`, true},
		{"BigInt", "({ n: 12345678901234567890n, b: Object(-1n) })", "encode(v)", `{"n":"12345678901234567890","b":"-1"}`, true},
		{"BigInt at the top", "5n", "encode(v)", `"5"`, true},
		{"map with string keys", "new Map([['a', 1n], ['b', new Map([['c', 2]])], ['__proto__', 3]])", "encode(v)", `{"a":"1","b":{"c":2},"__proto__":3}`, true},
		{"map with other keys", "new Map([['a', 1], [2, { b: 3 }]])", "encode(v)", `[["a",1],[2,{"b":3}]]`, true},
		{"empty map", "new Map()", "encode(v)", `{}`, true},
		{"set", "new Set([1, 'x', new Set([2n])])", "encode(v)", `[1,"x",["2"]]`, true},
		{"typed arrays", "[new Uint8Array([1, 2]), new BigInt64Array([3n]), new Float32Array([0.5, NaN])]", "encode(v)", `[[1,2],["3"],[0.5,null]]`, true},
		{"buffer", "new Uint8Array([7]).buffer", "encode(v)", `[7]`, true},
		{"date", "[new Date(0), new Date(NaN)]", "encode(v)", `["1970-01-01T00:00:00.000Z",null]`, false},
		{"regexp", "/a[/]b/gi", "encode(v)", `"/a[/]b/gi"`, true},
		{"error", "new TypeError('bad')", "encode(v)", `{"name":"TypeError","message":"bad"}`, true},
		{"error with more", "Object.assign(new Error('bad', { cause: new RangeError('why') }), { code: 'E', stack: 's', at: 1n })", "encode(v)", `{"name":"Error","message":"bad","code":"E","at":"1","cause":{"name":"RangeError","message":"why"}}`, true},
		{"errors", "new AggregateError([new Error('a'), 1], 'm')", "encode(v)", `{"name":"AggregateError","message":"m","errors":[{"name":"Error","message":"a"},1]}`, true},
		{"error of a class", "(() => { class HttpError extends Error { constructor() { super('m'); this.name = 'HttpError'; this.status = 404; } } return [new HttpError()]; })()", "encode(v)", `[{"name":"HttpError","message":"m","status":404}]`, true},
		{"toJSON of the program", "({ a: { toJSON() { return { b: 5n }; } } })", "encode(v)", `{"a":{"b":"5"}}`, true},
		{"toJSON on a class of map", "(() => { class M extends Map { toJSON() { return 'mine'; } } return new M(); })()", "encode(v)", `"mine"`, true},
		{"subclass", "(() => { class M extends Map { x = 1 } return new M([['k', 1]]); })()", "encode(v)", `{"k":1}`, true},
		{"pretender", "Object.create(Map.prototype, { a: { value: 1, enumerable: true } })", "encode(v)", `{"a":1}`, true},
		{"null prototype", "Object.assign(Object.create(null), { a: 1n })", "encode(v)", `{"a":"1"}`, true},
		{"nothing stays behind", "", "(() => { encode({ a: 1n }); let n = 0; for (let i = 0; i < L.values.hooks.length; i += 2) if (P.ObjectHasOwn(L.values.hooks[i], 'toJSON')) n++; return n + ' ' + L.values.hooks.length; })()", "0 14", true},
		{"nothing stays behind an error", "({ get a() { throw { name: 'RangeError', message: 'mine' }; } })", "thrown(() => encode(v)) + P.ObjectHasOwn(P.MapPrototype, 'toJSON')", "RangeError: minefalse", true},
		{"strings", "'\\ud800 \\u2028 \\0 é'", "encode(v)", "\"\\ud800 \u2028 \\u0000 é\"", true},

		{"no cycle", "({ a: [{}, {}], b: new Map([[1, new Set([{}])]]) })", "findCycle(v)", "undefined", true},
		{"not an object", "5", "findCycle(v)", "undefined", true},
		{"shared is no cycle", "(() => { const s = { t: {} }; return { a: s, b: [s, s] }; })()", "findCycle(v)", "undefined", true},
		{"itself", "(() => { const a = {}; a.self = a; return a; })()", "findCycle(v)", ".self", true},
		{"deep", "(() => { const a = { b: [0, 0, 0, { c: {} }] }; a.b[3].c.back = a.b; return { a }; })()", "findCycle(v)", ".a.b[3].c.back", true},
		{"odd keys", "(() => { const a = { 'x y': {} }; a['x y']['\"'] = a; return a; })()", "findCycle(v)", `["x y"]["\""]`, true},
		{"map", "(() => { const m = new Map(); m.set('k', [m]); return { m }; })()", "findCycle(v)", ".m.k[0]", true},
		{"map with other keys", "(() => { const m = new Map(); m.set(1, m); return m; })()", "findCycle(v)", "[0][1]", true},
		{"set", "(() => { const s = new Set([1]); s.add(s); return [s]; })()", "findCycle(v)", "[0][1]", true},
		{"error", "(() => { const e = new Error('x'); e.cause = e; return { e }; })()", "findCycle(v)", ".e.cause", true},
		{"hidden cause", "(() => { const o = {}; o.e = new Error('x', { cause: o }); return o; })()", "findCycle(v)", ".e.cause", true},
		{"getters are not called", "({ get a() { throw 1; } })", "findCycle(v)", "undefined", true},
		{"deep without end", "(() => { let v = {}; const top = v; for (let i = 0; i < 10000; i++) v = v.n = {}; v.n = top; return top; })()", "findCycle(v).length", "1001", true},
	})
}

// TestInspectBounds: neither values nor traps of a program make formatting
// large, long or wrong.
func TestInspectBounds(t *testing.T) {
	runChecks(t, "inspect", "const { format } = L.inspect;", poison, []check{
		{"huge array", "new Array(2e5).fill(7)", "inspect(v).length < 1000", "true", true},
		{"huge string", "'x'.repeat(2e5)", "inspect(v).length + ' ' + inspect([v]).length", "10028 10034", true},
		{"many properties", "(() => { const o = {}; for (let i = 0; i < 20000; i++) o['key' + i] = i; return o; })()", "inspect(v, { budget: 500 }).length < 2000", "true", true},
		{"wide and deep", "(() => { const leaf = new Array(100).fill('abcdefgh'); const mid = new Array(100).fill(leaf); return new Array(100).fill(mid); })()", "format([v], 5000).length", "5001", true},
		{"format is cut", "['x'.repeat(1000), 'y'.repeat(1000)]", "format(v, 100).length + ' ' + format(v, 2001).length + ' ' + format(v, 2000).length", "101 2001 2001", true},
		{"format not cut", "['abc']", "format(v, 3) + format(v, 2).length", "abc3", true},
		{"nothing fits", "['abc', 1]", "format(v, 0).length", "1", true},
		{"format of many", "new Array(20000).fill({ a: 1 })", "format(v, 1000).length", "1001", true},
		{"huge BigInt", "1n << 1000000n", "inspect(v).length < 5000", "true", true},
		{"negative BigInt", "-(1n << 100000n)", "inspect(v).length < 5000", "true", true},
		{"sparse", "(() => { const a = []; a[4294967290] = 1; return a; })()", "inspect(v)", "[ <4294967290 empty items>, 1 ]", true},
		{"sparse pieces", "(() => { const a = []; for (let i = 0; i < 300; i++) a[i * 100000] = i; return a; })()", "inspect(v).length < 5000", "true", true},
		{"prototypes without end", "(() => { let o = { a: 1 }; for (let i = 0; i < 10000; i++) o = Object.create(o); return o; })()", "inspect(v)", "Object <Object <Object <Object <Complex prototype>>>> {}", true},
		{"getters", "({ get a() { throw 1; }, get [Symbol.toStringTag]() { throw 1; } })", "inspect(v)", "{ a: [Getter], [Symbol(Symbol.toStringTag)]: [Getter] }", true},
		{"name is a getter", "Object.defineProperty(() => {}, 'name', { get() { throw 1; } })", "inspect(v)", "[Function (anonymous)]", true},
		{"constructor is a getter", "Object.create({ get constructor() { throw 1; } })", "inspect(v)", "{}", true},
		{"constructor is a proxy", "Object.create({ constructor: new Proxy(class X {}, { get() { throw 1; }, getOwnPropertyDescriptor() { throw 1; } }) })", "inspect(v)", "[Object: inspection failed]", true},
		{"error of getters", "Object.defineProperties(new Error('x'), { message: { get() { throw 1; } }, stack: { get() { throw 1; } }, name: { get() { throw 1; } } })", "inspect(v)", "[Error]", true},
		{"error of objects", "Object.assign(new Error('x'), { message: {}, stack: [], name: 5 })", "inspect(v)", "[Error] { name: 5 }", true},
		{"proxy of proxies", "(() => { let p = { a: 1 }; for (let i = 0; i < 5000; i++) p = new Proxy(p, {}); return p; })()", "inspect(v)", "[Proxy]", true},
		{"proxy in a proxy", "new Proxy({ p: new Proxy([1], {}) }, { get() { throw 1; } })", "inspect(v)", "{ p: [ 1 ] }", true},
		{"proxy as prototype", "Object.create(new Proxy({}, { getPrototypeOf() { throw 1; }, getOwnPropertyDescriptor() { throw 1; }, get() { throw 1; } }))", "inspect(v)", "[Object: inspection failed]", true},
		{"prototype grows for ever", "(() => { const h = { getPrototypeOf: () => new Proxy({}, h) }; return Object.create(new Proxy({}, h)); })()", "inspect(v).length < 500", "true", true},
		{"detached", "(() => { const u = new Uint8Array(4); const b = u.buffer; b.transfer(); return [b, u, new DataView(new ArrayBuffer(1))]; })()", "inspect(v[0]) + inspect(v[1])", "ArrayBuffer { (detached), byteLength: 0 }Uint8Array(0) []", false},
		{"a key of a megabyte", "({ ['k'.repeat(2e5)]: 1 })", "inspect(v).length < 20000", "true", true},
		{"circular in format", "(() => { const a = []; a.push(a); return [a, '%s', a]; })()", "format(v)", "<ref *1> [ [Circular *1] ] %s <ref *1> [ [Circular *1] ]", true},
		{"toString is not called", "({ toString() { throw 1; }, valueOf() { throw 1; } })", "format(['%s %d %i', v, v, v])", "{ toString: [Function: toString], valueOf: [Function: valueOf] } NaN NaN", true},
		{"revoked", "(() => { const r = Proxy.revocable([], {}); r.revoke(); return r.proxy; })()", "inspect([v])", "[ <Revoked Proxy> ]", true},
	})
}

// TestInspectWithoutNatives: an engine that cannot look into proxies and
// promises still gets an answer.
func TestInspectWithoutNatives(t *testing.T) {
	v := newVM(t)
	v.pristine(t)
	v.must(t, "L.inspect = "+*sources["inspect"]+"(P, undefined); ''")
	for expr, want := range map[string]string{
		"Promise.resolve(1)":                          "Promise { <state unknown> }",
		"new Proxy({ a: 1 }, {})":                     "{ a: 1 }",
		"new Proxy({}, { ownKeys() { throw 1; } })":   "[Object: inspection failed]",
		"[new Proxy({}, { ownKeys() { throw 1; } })]": "[ [Object: inspection failed] ]",
	} {
		if got := v.must(t, "L.inspect.inspect("+expr+")"); got != want {
			t.Errorf("%s\n got: %s\nwant: %s", expr, got, want)
		}
	}
}

// TestInspectStacks: the engine's stacks hold frames alone; the error's name
// and message go in front, and prelude frames out.
func TestInspectStacks(t *testing.T) {
	v := newVM(t)
	v.pristine(t)
	v.load(t, "inspect")
	got := v.must(t, "function thrower() { return new TypeError('broken'); }\nL.inspect.inspect(thrower())")
	if want := "TypeError: broken\n    at thrower (program.js:1:"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to start with %q", got, want)
	}
	v.must(t, "N.cleanStack = (s) => '    at yours (program.js:7:1)\\n'; ''")
	v.load(t, "inspect")
	if got, want := v.must(t, "L.inspect.inspect(thrower())"), "TypeError: broken\n    at yours (program.js:7:1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNames: every name that a file takes from P is there.
func TestNames(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	v := newVM(t)
	v.pristine(t)
	direct := regexp.MustCompile(`\bP\.([A-Za-z][A-Za-z0-9]*)`)
	taken := regexp.MustCompile(`(?s)const \{([^}]*)\} = P;`)
	// P[name] is composed at run time; these are looked for before use.
	optional := []string{"SharedArrayBuffer", "ArrayBufferPrototypeGetResizable"}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".js") || f.Name() == "primordials.js" {
			continue
		}
		src, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		code := regexp.MustCompile(`(?m)^\s*//.*$`).ReplaceAll(src, nil)
		names := map[string]bool{}
		for _, m := range direct.FindAllSubmatch(code, -1) {
			names[string(m[1])] = true
		}
		for _, m := range taken.FindAllSubmatch(code, -1) {
			for name := range strings.SplitSeq(string(m[1]), ",") {
				if name, _, _ = strings.Cut(name, ":"); strings.TrimSpace(name) != "" {
					names[strings.TrimSpace(name)] = true
				}
			}
		}
		for name := range names {
			if v.must(t, "P."+name+" === undefined") == "true" && !slices.Contains(optional, name) {
				t.Errorf("%s uses P.%s, which is not there", f.Name(), name)
			}
		}
	}
}

// TestForm: a file is one expression, and uses none of the syntax that looks
// things up in what a program can replace.
func TestForm(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"a template literal":          regexp.MustCompile("`[^`\"']*\\$\\{"),
		"for-of":                      regexp.MustCompile(`for (?:await )?\((?:const|let|var) [^;)]* of `),
		"spread":                      regexp.MustCompile(`[\[(,] ?\.\.\.`),
		"array destructuring":         regexp.MustCompile(`(?:const|let|var) \[`),
		"instanceof":                  regexp.MustCompile(`\binstanceof\b`),
		"a method of a built-in type": regexp.MustCompile(`\)\.(?:map|filter|forEach|join|slice|split|replace|push|concat|toString)\(`),
	}
	for name, src := range sources {
		for what, re := range forbidden {
			for i, line := range strings.Split(*src, "\n") {
				if code, _, _ := strings.Cut(line, " // "); !strings.HasPrefix(strings.TrimSpace(code), "//") && re.MatchString(code) {
					t.Errorf("%s.js:%d has %s: %s", name, i+1, what, strings.TrimSpace(line))
				}
			}
		}
		body := regexp.MustCompile(`(?m)\A(?://.*\n)*`).ReplaceAllString(*src, "")
		if !strings.HasPrefix(body, "(function (P, N) {\n  \"use strict\";\n") || !strings.HasSuffix(strings.TrimSpace(body), "})") {
			t.Errorf("%s.js is not one function expression of P and N in strict mode", name)
		}
	}
}
