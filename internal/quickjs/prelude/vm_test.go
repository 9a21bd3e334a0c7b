package prelude_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"modernc.org/libc"
	"modernc.org/libquickjs"

	"github.com/autoclave-run/autoclave/internal/quickjs/prelude"
)

// vm is the smallest engine that can evaluate the prelude: one context, strings
// in and out. It goes without pointers of its own, so that vet has nothing to
// say on any platform.
type vm struct {
	tls     *libc.TLS
	rt, ctx uintptr
	file    uintptr
}

func newVM(t testing.TB) *vm {
	t.Helper()
	v := &vm{tls: libc.NewTLS()}
	v.rt = libquickjs.XJS_NewRuntime(v.tls)
	v.ctx = libquickjs.XJS_NewContext(v.tls, v.rt)
	if v.ctx == 0 {
		t.Fatal("the engine gave no context")
	}
	file, err := libc.CString("program.js")
	if err != nil {
		t.Fatal(err)
	}
	v.file = file
	t.Cleanup(v.close)
	return v
}

// close may be called before the test's end.
func (v *vm) close() {
	if v.tls == nil {
		return
	}
	libc.Xfree(v.tls, v.file)
	libquickjs.XJS_FreeContext(v.tls, v.ctx)
	libquickjs.XJS_FreeRuntime(v.tls, v.rt)
	v.tls.Close()
	v.tls = nil
}

// eval runs a script and returns its completion value as a string; ok is false
// where it threw or did not compile.
func (v *vm) eval(t testing.TB, src string) (out string, ok bool) {
	t.Helper()
	p, err := libc.CString(src)
	if err != nil {
		t.Fatal(err)
	}
	defer libc.Xfree(v.tls, p)
	res := libquickjs.XJS_Eval(v.tls, v.ctx, p, libc.Tsize_t(len(src)), v.file, libquickjs.MJS_EVAL_TYPE_GLOBAL)
	defer libquickjs.XFreeValue(v.tls, v.ctx, res)
	if s, ok := v.text(res); ok {
		return s, true
	}
	exc := libquickjs.XJS_GetException(v.tls, v.ctx)
	defer libquickjs.XFreeValue(v.tls, v.ctx, exc)
	s, _ := v.text(exc)
	return s, false
}

func (v *vm) text(val libquickjs.TJSValue) (string, bool) {
	cs := libquickjs.XJS_ToCStringLen2(v.tls, v.ctx, 0, val, 0)
	if cs == 0 {
		return "", false
	}
	defer libquickjs.XJS_FreeCString(v.tls, v.ctx, cs)
	return libc.GoString(cs), true
}

// must runs a script that has to succeed.
func (v *vm) must(t testing.TB, src string) string {
	t.Helper()
	out, ok := v.eval(t, src)
	if !ok {
		if len(src) > 400 {
			src = src[:400] + "…"
		}
		t.Fatalf("script failed: %s\n%s", out, src)
	}
	return out
}

// jobs runs pending promise reactions to the end.
func (v *vm) jobs(t testing.TB) {
	t.Helper()
	for range 10_000 {
		switch n := libquickjs.XJS_ExecutePendingJob(v.tls, v.rt, 0); {
		case n == 0:
			return
		case n < 0:
			t.Fatal("a job threw")
		}
	}
	t.Fatal("jobs without end")
}

var sources = map[string]*string{
	"inspect": &prelude.Inspect, "url": &prelude.URL, "text": &prelude.Text,
	"clone": &prelude.Clone, "intl": &prelude.Intl, "values": &prelude.Values,
}

// pristine gives the context P, the natives N, and an empty L for libraries.
func (v *vm) pristine(t testing.TB) {
	t.Helper()
	v.must(t, "const P = "+prelude.Primordials+"(globalThis); const L = { __proto__: null }; const N = "+natives(t)+"; ''")
}

// load evaluates libraries, into L.
func (v *vm) load(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		v.must(t, "L."+name+" = "+*sources[name]+"(P, N); ''")
	}
}

// natives stands for the engine's, in JavaScript: time zones from Go's own
// tables, and what proxies and promises hold by replacing their constructors.
func natives(t testing.TB) string {
	t.Helper()
	type span struct {
		Until  int64 `json:"until"`
		Offset int   `json:"offset"`
	}
	zones := map[string][]span{}
	for _, name := range []string{"America/New_York", "America/Los_Angeles", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "Asia/Tokyo"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(1969, 6, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2040; {
			local := at.In(loc)
			_, offset := local.Zone()
			_, end := local.ZoneBounds()
			until := int64(1) << 52
			if !end.IsZero() {
				until = end.UnixMilli()
			}
			zones[name] = append(zones[name], span{until, offset / 60})
			if end.IsZero() {
				break
			}
			at = end
		}
	}
	table, err := json.Marshal(zones)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`(() => {
		const zones = { __proto__: null, ...%s };
		const RealProxy = Proxy, targets = new WeakMap(), states = new WeakMap();
		const get = P.uncurryThis(WeakMap.prototype.get), set = P.uncurryThis(WeakMap.prototype.set);
		const { construct } = Reflect, { revocable } = Proxy;
		globalThis.Proxy = new RealProxy(RealProxy, {
			construct(t, args) { const p = construct(t, args); set(targets, p, { target: args[0] }); return p; },
			get: (t, k) => k !== "revocable" ? t[k] : (target, handler) => {
				const r = revocable(target, handler);
				set(targets, r.proxy, { target });
				return { proxy: r.proxy, revoke() { set(targets, r.proxy, { target: null }); r.revoke(); } };
			},
		});
		const { resolve } = Promise;
		Promise.resolve = function (v) { const p = P.ReflectApply(resolve, Promise, [v]); set(states, p, { state: 1, result: v }); return p; };
		return {
			__proto__: null,
			tzOffset(zone, ms) {
				const spans = zones[zone];
				if (spans === undefined) return undefined;
				for (let i = 0; i < spans.length; i++) if (ms < spans[i].until) return spans[i].offset;
			},
			proxyTarget(v) { const r = get(targets, v); return r && r.target; },
			promiseState(p) { const r = get(states, p); return r ? r.state : 0; },
			promiseResult(p) { const r = get(states, p); return r && r.result; },
		};
	})()`, table)
}

// A separator that no result contains.
const separator = "\x01\x02"

// results evaluates a list of statements, each of which sets R[i], and gives
// the texts of R.
func (v *vm) results(t testing.TB, script string, n int) []string {
	t.Helper()
	out := v.must(t, "{ const R = P.list(); const threw = (e) => { try { return 'THROWS ' + P.peek(e, 'name'); } catch { return 'THROWS'; } };\n"+script+"\nP.ArrayPrototypeJoin(R, '\\x01\\x02'); }")
	all := strings.Split(out, separator)
	if len(all) != n {
		t.Fatalf("%d results, want %d", len(all), n)
	}
	return all
}
