package prelude_test

import (
	"testing"

	"github.com/autoclave-run/autoclave/internal/quickjs/prelude"
)

// BenchmarkCompile is the first touch of a library: its text to bytecode.
func BenchmarkCompile(b *testing.B) {
	for _, name := range []string{"inspect", "url", "text", "clone", "intl", "values"} {
		b.Run(name, func(b *testing.B) {
			v := newVM(b)
			src := "(" + *sources[name] + "); ''"
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				v.must(b, src)
			}
		})
	}
}

// BenchmarkLoad is the first touch with what the library then does at once.
func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"inspect", "url", "text", "clone", "intl", "values"} {
		b.Run(name, func(b *testing.B) {
			v := newVM(b)
			v.pristine(b)
			src := *sources[name] + "(P, N); ''"
			for b.Loop() {
				v.must(b, src)
			}
		})
	}
}

// BenchmarkPrimordials is what every start of a worker pays, a new engine
// included.
func BenchmarkPrimordials(b *testing.B) {
	for _, with := range []bool{false, true} {
		name := "engine alone"
		if with {
			name = "with primordials"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				v := newVM(b)
				if with {
					v.must(b, "("+prelude.Primordials+")(globalThis); ''")
				}
				v.close()
			}
		})
	}
}

// BenchmarkUse is everyday work.
func BenchmarkUse(b *testing.B) {
	for name, src := range map[string]string{
		"inspect small object":    "L.inspect.format(rows, 65536); ''",
		"inspect 50 rows":         "L.inspect.format([many], 65536); ''",
		"new URL":                 "new L.url.URL('https://user@example.com:8443/a/b?c=d&e=f#g'); ''",
		"number toLocaleString":   "(1234567.891).toLocaleString(); ''",
		"currency toLocaleString": "(1234567.891).toLocaleString('en-US', { style: 'currency', currency: 'USD' }); ''",
		"date toLocaleString":     "new Date(0).toLocaleString(); ''",
		"localeCompare":           "'banana'.localeCompare('apple'); ''",
		"clone 50 rows":           "L.clone.structuredClone(many); ''",
		"encode 50 rows":          "L.values.encode(many); ''",
	} {
		b.Run(name, func(b *testing.B) {
			v := newVM(b)
			v.pristine(b)
			v.load(b, "inspect", "url", "clone", "intl", "values")
			v.must(b, `L.intl.install(globalThis); const row = (i) => ({ id: i, title: "An issue", labels: ["bug", "ui"], user: { login: "octocat" } });
				const rows = ["found", row(1)], many = []; for (let i = 0; i < 50; i++) many.push(row(i)); ''`)
			v.must(b, "const f = () => { "+src[:len(src)-4]+"; }; ''")
			for b.Loop() {
				v.must(b, "f(); ''")
			}
		})
	}
}
