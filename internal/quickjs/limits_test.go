package quickjs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// slow are cases of which the engine, 45 times slower with the race detector,
// makes minutes.
var slow = map[string]bool{
	"recursion": true, "recursion caught": true, "recursion caught for ever": true, "recursion through natives": true,
	"recursion through JSON": true, "nested result": true, "an ordinary depth": true, "nested source": true,
	"nested arrays in source": true, "nested regexp": true, "garbage is no memory": true, "array": true, "caught": true,
	"caught and returned": true, "async caught": true, "map": true, "closures": true, "promises": true, "timers": true,
	"parse": true, "bigint": true, "one bigint": true, "string": true, "rope": true,
}

func TestLimits(t *testing.T) {
	e := newEngine(t)
	cpu := wire.Limits{CPU: 30}
	heap := wire.Limits{Heap: 8 << 20, CPU: 10000}
	for _, c := range []struct {
		name, src string
		lim       wire.Limits
		want      string
	}{
		{"loop", "for (;;) ;", cpu, "CPU_LIMIT"},
		{"loop caught", "for (;;) { try { for (;;) ; } catch {} }", cpu, "CPU_LIMIT"},
		{"loop finally", "while (true) { try { while (true) ; } finally { continue } }", cpu, "CPU_LIMIT"},
		{"async loop", "for (;;) await 0", cpu, "CPU_LIMIT"},
		{"async caught", "async function f() { for (;;) ; }\nfor (;;) { try { await f() } catch {} }", cpu, "CPU_LIMIT"},
		{"async not awaited", "for (;;) { (async () => { for (;;) ; })().catch(() => {}) }", cpu, "CPU_LIMIT"},
		{"then chain", "function f() { return Promise.resolve().then(f, f) }\nawait f()", cpu, "CPU_LIMIT"},
		{"microtasks", "(function f() { queueMicrotask(f) })(); await sleep(1e6)", cpu, "CPU_LIMIT"},
		{"timers", "(function f() { setTimeout(f, 0) })(); await sleep(1e6)", cpu, "CPU_LIMIT"},
		{"getter", "const o = { get a() { return this.a2 }, get a2() { for (;;) ; } }; o.a", cpu, "CPU_LIMIT"},
		{"sort", "[3,2,1].sort(() => { for (;;) ; })", cpu, "CPU_LIMIT"},
		{"proxy", "const p = new Proxy({}, { get() { for (;;) ; } }); p.x", cpu, "CPU_LIMIT"},
		{"regexp", "/^(a+)+$/.test('a'.repeat(40) + 'b')", cpu, "CPU_LIMIT"},
		{"reviver", "JSON.parse('[1]', () => { for (;;) ; })", cpu, "CPU_LIMIT"},
		{"toJSON", "({ toJSON() { for (;;) ; } })", cpu, "CPU_LIMIT"},
		{"result getter", "({ get x() { for (;;) ; } })", cpu, "CPU_LIMIT"},
		{"toString", "throw { toString() { for (;;) ; } }", cpu, "SCRIPT_ERROR"},
		{"generator", "function* g() { for (;;) yield 1 }\nfor (const x of g()) ;", cpu, "CPU_LIMIT"},
		{"loop in a timer", "setTimeout(() => { for (;;) ; }, 0); await sleep(1e6)", cpu, "CPU_LIMIT"},
		{"class static", "class A { static x = (() => { for (;;) ; })() }", cpu, "CPU_LIMIT"},

		{"array", "const a = []; for (;;) a.push({ i: a.length })", heap, "HEAP_LIMIT"},
		{"caught", "const a = []; for (;;) { try { for (;;) a.push({ i: a.length }) } catch {} }", heap, "HEAP_LIMIT"},
		{"caught and returned", "const a = []; try { for (;;) a.push(new Array(1000).fill(7)) } catch {}\n'fine'", heap, "HEAP_LIMIT"},
		{"async caught", "const a = []; async function f() { for (;;) a.push({}) }\ntry { await f() } catch {}\n'fine'", heap, "HEAP_LIMIT"},
		{"string", "let s = 'x'; for (;;) { s += s + 'y'; s.charCodeAt(0) }", heap, "HEAP_LIMIT"},
		{"rope", "let s = 'x'; for (;;) s += s + 'y'", heap, "SCRIPT_ERROR 1:30 InternalError: string too long"},
		{"repeat", "'x'.repeat(100e6)", heap, "HEAP_LIMIT"},
		{"typed array", "new Uint8Array(100e6)", heap, "HEAP_LIMIT"},
		{"map", "const m = new Map(); for (let i = 0;; i++) m.set(i, i)", heap, "HEAP_LIMIT"},
		{"closures", "let f = () => 0; for (;;) { const g = f; f = () => g() }", heap, "HEAP_LIMIT"},
		{"bigint", "let n = 1n; const a = []; for (;;) { n = (n << 1000n) % (1n << 200000n) + 1n; a.push(n) }", heap, "HEAP_LIMIT"},
		{"one bigint", "let n = 1n; for (;;) n = n << 100000n", heap, "SCRIPT_ERROR 1:28 RangeError: BigInt is too large"},
		{"parse", "JSON.parse('[' + '{},'.repeat(200000) + '{}]')", heap, "HEAP_LIMIT"},
		{"promises", "const a = []; for (;;) a.push(new Promise(() => {}))", heap, "HEAP_LIMIT"},
		{"timers", "for (;;) setTimeout(() => {}, 1e6)", heap, "SCRIPT_ERROR|HEAP_LIMIT"},
		{"garbage is no memory", "for (let i = 0; i < 50000; i++) { const a = { x: new Array(10).fill(i) }; a.self = a }\n'fine'", heap, `"fine"`},
		{"a lower limit", "new Uint8Array(3e6)", wire.Limits{Heap: 2 << 20}, "HEAP_LIMIT"},

		{"recursion", "function f() { return f() + 1 }\nf()", wire.Limits{}, "SCRIPT_ERROR 1:24 InternalError: stack overflow"},
		{"recursion caught", "function f() { try { return f() + 1 } catch { return 1 } }\nf() > 10", wire.Limits{}, "true"},
		{"recursion caught for ever", "function f() { try { f() } finally { f() } }\nf()", cpu, "CPU_LIMIT"},
		{"recursion through natives", "function f() { [1].forEach(f) }\nf()", wire.Limits{}, "SCRIPT_ERROR"},
		{"recursion through toString", "const o = { toString() { return '' + o } }; '' + o", wire.Limits{}, "SCRIPT_ERROR"},
		{"recursion through JSON", "let a = []; for (let i = 0; i < 100000; i++) a = [a]\nJSON.stringify(a).length", wire.Limits{}, "SCRIPT_ERROR"},
		{"nested result", "let a = []; for (let i = 0; i < 100000; i++) a = [a]\na", wire.Limits{}, "INVALID_RESULT|HEAP_LIMIT"},
		{"nested source", strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000), wire.Limits{}, "SYNTAX_ERROR"},
		{"nested arrays in source", strings.Repeat("[", 50000) + strings.Repeat("]", 50000), wire.Limits{}, "SYNTAX_ERROR"},
		{"nested JSON", "JSON.parse('['.repeat(100000))", wire.Limits{}, "SCRIPT_ERROR"},
		{"nested regexp", "new RegExp('('.repeat(50000) + ')'.repeat(50000))", wire.Limits{}, "SCRIPT_ERROR"},
		{"a lower stack", "function f(n) { return n ? f(n - 1) : 0 }\nf(500)", wire.Limits{Stack: 200}, "SCRIPT_ERROR"},
		{"an ordinary depth", "function f(n) { return n ? f(n - 1) : 0 }\nf(3000)", wire.Limits{}, "0"},

		{"result", "'x'.repeat(2000)", wire.Limits{Result: 1000}, "OUTPUT_LIMIT 0:0 the result is 2002 bytes of JSON; the limit is 1000"},
		{"result that fits", "'x'.repeat(998).length", wire.Limits{Result: 1000}, "998"},
		{"program", "1" + strings.Repeat(" ", 2000), wire.Limits{Program: 1000}, "CODE_LIMIT"},
		{"arguments", "await tools.s.t({ x: 'x'.repeat(2000) })", wire.Limits{Arguments: 1000}, "ARGUMENT_LIMIT 1:16"},
		{"arguments caught", "await tools.s.t({ x: 'x'.repeat(2000) }).catch(e => e.code)", wire.Limits{Arguments: 1000}, `"ARGUMENT_LIMIT"`},
		{"calls", "const r = []; for (let i = 0; i < 5; i++) r.push(await tools.s.t().then(() => 1, e => e.code)); r", wire.Limits{Calls: 3}, `[1,1,1,"CALL_LIMIT","CALL_LIMIT"]`},
		{"calls at once", "(await Promise.allSettled(Array.from({ length: 50 }, () => tools.s.t()))).filter(x => x.status === 'rejected').length", wire.Limits{Calls: 30, Concurrency: 3}, `20`},
		{"call result", "await tools.s.t({ x: 'x'.repeat(2000) })", wire.Limits{CallResult: 1000}, "CALL_RESULT_LIMIT"},
		{"emits", "emit({ type: 'text', text: 'x'.repeat(90) }); emit({ type: 'text', text: 'x'.repeat(90) })", wire.Limits{Emits: 500}, "EMIT_LIMIT 1:51"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if raceEnabled && slow[c.name] {
				t.Skip("takes minutes under the race detector")
			}
			port := &fakePort{}
			out := run(t, e, c.src, c.lim, port)
			got := show(out)
			ok := false
			for _, w := range strings.Split(c.want, "|") {
				ok = ok || got == w || out.Error != nil && strings.HasPrefix(got, w)
			}
			if !ok {
				t.Errorf("got %.200s\nwant %s", got, c.want)
			}
			if next := run(t, e, "1+1", wire.Limits{}, port); show(next) != "2" {
				t.Errorf("the next execution: %s", show(next))
			}
		})
	}
}

func TestUsage(t *testing.T) {
	e := newEngine(t)
	out := run(t, e, "const a = new Uint8Array(5e6); await tools.s.t(); await tools.s.t(); a.length", wire.Limits{}, &fakePort{})
	if out.Error != nil || out.Usage.Calls != 2 || out.Usage.HeapPeak < 5e6 || out.Usage.HeapPeak > 8e6 {
		t.Errorf("%s, %+v", show(out), out.Usage)
	}
	if out = run(t, e, "for (let i = 0; i < 1e5; i++) ;", wire.Limits{}, &fakePort{}); out.Usage.CPU < 100 {
		t.Errorf("a hundred thousand rounds took %d µs", out.Usage.CPU)
	}
	p := &fakePort{}
	if out = run(t, e, "await sleep(60)", wire.Limits{CPU: 50}, p); out.Error != nil || p.idle < 50*time.Millisecond {
		t.Errorf("waiting was charged: %s", show(out))
	}
}

// brokenPort fails from its nth use on.
type brokenPort struct {
	fakePort
	left int
}

var errGone = errors.New("the pipe is gone")

func (p *brokenPort) use() error {
	if p.left--; p.left < 0 {
		return errGone
	}
	return nil
}

func (p *brokenPort) Call(c quickjs.Call) error {
	if err := p.use(); err != nil {
		return err
	}
	return p.fakePort.Call(c)
}

func (p *brokenPort) Log(level, text string, truncated bool) error {
	if err := p.use(); err != nil {
		return err
	}
	return p.fakePort.Log(level, text, truncated)
}

func (p *brokenPort) Wait(d time.Duration) (quickjs.Event, error) {
	if err := p.use(); err != nil {
		return quickjs.Event{}, err
	}
	return p.fakePort.Wait(d)
}

func (p *brokenPort) Poll() (quickjs.Event, bool, error) {
	if err := p.use(); err != nil {
		return quickjs.Event{}, false, err
	}
	return p.fakePort.Poll()
}

func TestPortFailureEndsTheRun(t *testing.T) {
	e := newEngine(t)
	for left := range 6 {
		for _, src := range []string{
			"for (;;) { try { await tools.s.t() } catch {} }",
			"for (;;) { console.log('x') }",
			"for (;;) ;",
			"for (;;) await sleep(1)",
		} {
			if err := e.Arm(0, 0); err != nil {
				t.Fatal(err)
			}
			_, err := e.Run(quickjs.Program{Source: []byte(src), Limits: wire.Limits{CPU: 5000}}, &brokenPort{left: left})
			if !errors.Is(err, errGone) {
				t.Errorf("%q with %d left: %v", src, left, err)
			}
		}
	}
	if out := run(t, e, "1+1", wire.Limits{}, &fakePort{}); show(out) != "2" {
		t.Error(show(out))
	}
}

// cancelPort has a cancel as soon as it is asked.
type cancelPort struct{ fakePort }

func (*cancelPort) Poll() (quickjs.Event, bool, error) {
	return quickjs.Event{Cancel: true, Reason: "no longer wanted"}, true, nil
}

func (p *cancelPort) Wait(time.Duration) (quickjs.Event, error) {
	return quickjs.Event{Cancel: true, Reason: wire.CodeTimeout}, nil
}

func TestCancel(t *testing.T) {
	e := newEngine(t)
	for src, want := range map[string]string{
		"for (;;) { try { for (;;) ; } catch {} }":                "CANCELLED 0:0 the execution was cancelled: no longer wanted",
		"await sleep(1e6)":                                        "TIMEOUT",
		"for (;;) { try { await tools.s.t() } catch {} }":         "TIMEOUT",
		"try { await sleep(1e6) } finally { await sleep(1e6) }":   "TIMEOUT",
		"(function f() { setTimeout(f) })(); await sleep(1e6)":    "CANCELLED",
		"export const x = await sleep(1e6); export default 3":     "TIMEOUT",
		"await new Promise(r => { tools.s.t(); r() }); for (;;);": "CANCELLED",
	} {
		if out := run(t, e, src, wire.Limits{}, &cancelPort{}); !strings.HasPrefix(show(out), want) {
			t.Errorf("%s: %s, want %s", src, show(out), want)
		}
	}
}

func TestAnswersToOtherCallsAreDropped(t *testing.T) {
	e := newEngine(t)
	p := &fakePort{}
	p.answer = func(c quickjs.Call) (quickjs.Event, bool) {
		p.ready = append(p.ready, quickjs.Event{Call: 77, Body: []byte(`"forged"`)}, quickjs.Event{Call: 0, Body: []byte(`"forged"`)})
		return quickjs.Event{Body: []byte(`"right"`)}, true
	}
	if out := run(t, e, "[await tools.s.t(), await tools.s.t()]", wire.Limits{}, p); show(out) != `["right","right"]` {
		t.Error(show(out))
	}
}

func TestWarnings(t *testing.T) {
	e := newEngine(t)
	never := &fakePort{answer: func(quickjs.Call) (quickjs.Event, bool) { return quickjs.Event{}, false }}
	for _, c := range []struct {
		src  string
		port *fakePort
		want []string
	}{
		{"1", &fakePort{}, nil},
		{"Promise.reject(new TypeError('lost')); 1", &fakePort{}, []string{"unhandled rejection: TypeError: lost"}},
		{"const p = Promise.reject(new Error('late')); await sleep(1); await p.catch(() => 1)", &fakePort{}, nil},
		{"setTimeout(() => { throw new Error('in a timer') }, 0); await sleep(2); 1", &fakePort{}, []string{"uncaught in a timer or microtask: Error: in a timer"}},
		{"queueMicrotask(() => { throw 'odd' }); await 0; 1", &fakePort{}, []string{"uncaught in a timer or microtask: the program threw a value that is not an Error: odd"}},
		{"tools.s.t(); tools.s.t(); 1", never, []string{"the program ended without awaiting 2 of its host calls; their answers are lost"}},
		{"throw new Error('x')", &fakePort{}, nil},
	} {
		out := run(t, e, c.src, wire.Limits{}, c.port)
		if !slices.Equal(out.Warnings, c.want) {
			t.Errorf("%s: %q, want %q", c.src, out.Warnings, c.want)
		}
	}
}

func TestArmGrowsTheHeap(t *testing.T) {
	e, err := quickjs.New(quickjs.Config{HeapLimit: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		heap int64
		want string
	}{{4 << 20, "HEAP_LIMIT"}, {64 << 20, "30000000"}, {4 << 20, "HEAP_LIMIT"}, {64 << 20, "30000000"}} {
		if err := e.Arm(c.heap, 0); err != nil {
			t.Fatal(err)
		}
		out, err := e.Run(quickjs.Program{Source: []byte("new Uint8Array(30e6).length")}, &fakePort{})
		if err != nil || !strings.HasPrefix(show(out), c.want) {
			t.Errorf("heap %d: %s %v", c.heap, show(out), err)
		}
	}
	if err := e.Arm(1000, 0); err == nil || !strings.Contains(err.Error(), "heap limit of 1000 bytes") {
		t.Errorf("a heap of 1000 bytes: %v", err)
	}
	if err := e.Arm(0, 1<<40); err == nil {
		t.Error("a huge stack is accepted")
	}
	if _, err := e.Run(quickjs.Program{Source: []byte("1")}, &fakePort{}); err == nil {
		// The failed Arm left nothing that may run... but the isolate of the
		// last one was used up.
		t.Error("ran without an isolate")
	}
}

func TestRunNeedsAnArmedIsolate(t *testing.T) {
	e := newEngine(t)
	for i := range 2 {
		_, err := e.Run(quickjs.Program{Source: []byte("1")}, &fakePort{})
		if want := i == 1; errors.Is(err, quickjs.ErrNotArmed) != want {
			t.Errorf("run %d: %v", i, err)
		}
	}
}

// TestUnsendable: what a host would kill a worker for is refused where the
// program made it.
func TestUnsendable(t *testing.T) {
	e := newEngine(t)
	const deep = "let a = 1; for (let i = 0; i < 600; i++) a = [a];\n"
	const half = "const a = JSON.rawJSON(String.fromCharCode(34, 0xd800, 34));\n"
	for _, c := range []struct{ name, src, want string }{
		{"nested value", deep + "a", "INVALID_RESULT 0:0 the program's result cannot be returned: it is nested more than 512 deep"},
		{"nested arguments", deep + "await tools.s.t({ a })", "INVALID_ARGUMENTS 2:16 what this call is given cannot be sent: it is nested"},
		{"nested block", deep + "emit({ type: 'text', a })", "INVALID_ARGUMENTS 2:5 the block cannot be sent: it is nested"},
		{"nested stash", deep + "await stash.put('k', a)", "INVALID_ARGUMENTS 2:"},
		{"no UTF-8 as value", half + "({ a })", "INVALID_RESULT"},
		{"no UTF-8 in arguments", half + "await tools.s.t({ a })", "INVALID_ARGUMENTS"},
		{"no UTF-8 in a block", half + "emit({ type: 'text', a })", "INVALID_ARGUMENTS"},
		{"as deep as it may be", "let a = 1; for (let i = 0; i < 511; i++) a = [a];\n(await tools.s.t({ a })).a.length", "1"},
		{"progress that is no number", "progress(NaN); progress(1, Infinity); 1", "1"},
		{"a relative import", "import x from './a.js';", "SYNTAX_ERROR 1:15 there are no modules here, so \"./a.js\" cannot be imported"},
		{"import()", "1;\nawait import(\"fs\")", "SCRIPT_ERROR 2:14 ReferenceError: there are no modules here, so \"fs\" cannot be imported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fakePort{}
			if got := show(run(t, e, c.src, wire.Limits{}, p)); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %.300s\nwant %s", got, c.want)
			}
			for _, s := range p.progress {
				if strings.Contains(s, "Inf") || strings.Contains(s, "NaN") {
					t.Errorf("progress %q", s)
				}
			}
		})
	}
}
