package quickjs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// leave tries everything to leave something behind; look reports what it
// finds of it.
var canaries = []struct{ leave, look string }{
	{"globalThis.left = 1; var left2 = 2; let left3 = 3; function left4() {}", "[typeof left, typeof left2, typeof left3, typeof left4].filter(x => x !== 'undefined')"},
	{"Object.prototype.left = 1; Array.prototype.left = 1; Function.prototype.left = 1; Promise.prototype.left = 1", "[({}).left, [].left, (() => 1).left, Promise.resolve().left].filter(x => x)"},
	{"Array.prototype.map = () => 'patched'; JSON.stringify = () => '\"patched\"'; JSON.parse = () => 'patched'; Promise.prototype.then = function () { return this }", "[[1].map(x => x)[0], JSON.stringify(2), JSON.parse('3')].filter(x => x != 1 && x != 2 && x != 3)"},
	{"Symbol.for('left').description; globalThis[Symbol.for('left')] = 1; Object.prototype[Symbol.for('left')] = 2", "[globalThis[Symbol.for('left')], ({})[Symbol.for('left')]].filter(x => x)"},
	{"setTimeout(() => { globalThis.left = 1 }, 0); setTimeout(() => console.log('late'), 1)", "await sleep(3); typeof left === 'undefined' ? [] : [left]"},
	{"tools.s.never(); tools.s.never().then(() => console.log('late')); new Promise(() => {}); (async () => { await new Promise(() => {}) })()", "[]"},
	{"queueMicrotask(function f() { globalThis.n = (globalThis.n || 0) + 1; if (globalThis.n < 100) queueMicrotask(f) })", "typeof n === 'undefined' ? [] : [n]"},
	{"console.log = () => {}; console.left = 1; delete globalThis.console; delete globalThis.tools; tools = 1", "[typeof console === 'undefined' ? 'no console' : console.left, typeof tools === 'object' ? undefined : 'no tools'].filter(x => x)"},
	{"HostError.prototype.left = 1; HostError.left = 1; Error.prototype.toString = () => 'patched'", "[HostError.left, new HostError('x').left, String(new Error('y')) === 'Error: y' ? undefined : 'patched'].filter(x => x)"},
	{"Math.random = () => 4; Date.now = () => 5; Math.left = 1", "[Math.left, Math.random() === 4 ? 4 : undefined, Date.now() === 5 ? 5 : undefined].filter(x => x)"},
	{"Object.freeze(Object.prototype); Object.freeze(globalThis); Object.preventExtensions(Array.prototype)", "globalThis.can = 1; [Object.isFrozen(Object.prototype), Object.isExtensible(Array.prototype) ? false : true].filter(x => x)"},
	{"RegExp.prototype.exec = () => ['patched']; String.prototype.replace = () => 'patched'; RegExp('left').test('left'); 'left'.match(/l(e)ft/)", "[/a/.exec('a')[0] === 'a' ? undefined : 1, 'a'.replace('a', 'b') === 'b' ? undefined : 2].filter(x => x)"},
	{"const r = new FinalizationRegistry(() => { globalThis.left = 1 }); (() => r.register({}, 1))(); globalThis.w = new WeakRef({})", "[typeof left === 'undefined' ? undefined : 1, typeof w === 'undefined' ? undefined : 2].filter(x => x)"},
	{"class URL2 extends URL {}; URL.prototype.left = 1; TextEncoder.prototype.left = 1; Intl.left = 1; crypto.left = 1; stash.left = 1", "[new URL('http://a/').left, new TextEncoder().left, Intl.left, crypto.left, stash.left].filter(x => x)"},
	{"const a = []; try { for (;;) a.push(new Array(1000).fill(a)) } catch {}", "[]"},
	{"function f() { f() } f()", "[]"},
	{"throw new Error('left')", "[new Error('x').stack.includes('left')].filter(x => x)"},
	{"Object.defineProperty(globalThis, 'undefinedd', { value: 1, configurable: false }); Object.defineProperty(Object.prototype, 'x', { set() { throw 1 }, get() { return 'left' } })", "[typeof undefinedd === 'undefined' ? undefined : 1, ({}).x].filter(x => x)"},
}

func TestNothingIsLeft(t *testing.T) {
	e := newEngine(t)
	never := func(quickjs.Call) (quickjs.Event, bool) { return quickjs.Event{}, false }
	rounds := 1000
	if testing.Short() || raceEnabled {
		rounds = 2 * len(canaries)
	}
	for i := range rounds {
		c := canaries[i%len(canaries)]
		run(t, e, c.leave, wire.Limits{CPU: 1000, Heap: 4 << 20}, &fakePort{answer: never})
		// What each looks for, the next three look for too.
		for back := range 3 {
			look := canaries[(i+len(canaries)-back)%len(canaries)].look
			p := &fakePort{answer: never}
			if out := run(t, e, look, wire.Limits{}, p); show(out) != "[]" {
				t.Fatalf("after %q: %s says %s", c.leave, look, show(out))
			}
			if len(p.calls)+len(p.logs) > 0 {
				t.Fatalf("after %q: calls %q, logs %q", c.leave, p.calls, p.logs)
			}
		}
	}
}

// The globals of the first isolate of a process, whose libraries are loaded as
// they are needed, and of later ones are the same.
func TestTheFirstIsolateLooksLikeTheNext(t *testing.T) {
	const look = `Object.getOwnPropertyNames(globalThis).map(k => { const d = Object.getOwnPropertyDescriptor(globalThis, k); return k + ":" + typeof d.value + d.writable + d.enumerable + d.configurable }).join()`
	var seen string
	e := newEngine(t)
	for i := range 4 {
		out, err := e.Run(quickjs.Program{Source: []byte(look)}, &fakePort{})
		if err != nil || out.Error != nil {
			t.Fatal(err, out.Error)
		}
		if s := string(out.Value); seen == "" {
			seen = s
		} else if s != seen {
			t.Fatalf("isolate %d has\n%s\nthe first had\n%s", i, s, seen)
		}
		if err := e.Arm(0, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tools:object", "URL:function", "crypto:object", "Intl:object", "structuredClone:function", "emit:function"} {
		if !strings.Contains(seen, name) {
			t.Errorf("%s is missing in %s", name, seen)
		}
	}
	for _, name := range []string{"performance", "SharedArrayBuffer", "Atomics", "print", "std", "os", "scriptArgs", "WebAssembly", "arrayFromAsync", "navigator"} {
		if strings.Contains(seen, `"`+name+":") || strings.Contains(seen, ","+name+":") {
			t.Errorf("%s is there", name)
		}
	}
	fmt.Fprintln(t.Output(), seen)
}

func TestSeed(t *testing.T) {
	e := newEngine(t)
	const src = "[Math.random(), Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(3)).join()]"
	one := func(seed byte) string {
		return show(runWith(t, e, quickjs.Program{Source: []byte(src), Seed: [32]byte{seed}}, &fakePort{}))
	}
	a, b, c := one(1), one(1), one(2)
	if a != b || a == c {
		t.Errorf("%s\n%s\n%s", a, b, c)
	}
}
