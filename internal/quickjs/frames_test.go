package quickjs

import (
	"strings"
	"testing"
)

// What stackText says is what the engine's own stack says.
func TestPlacesAgreeWithTheEngine(t *testing.T) {
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, src := range []string{
		"HERE",
		"\n\n   HERE",
		"function a() {\n  return HERE + 1;\n}\nfunction b(x) { if (x)\n\n return a() }\n b(1); b(2)",
		"const f = () => { const g = function named() { HERE }; g() }; [1].forEach(f); f()",
		"class A { m() { HERE } static s() { return new A().m() } get x() { return this.m() } }\nA.s();\nnew A().x",
		"function* g() { yield HERE; yield 2 }\n[...g()]",
		"(async () => {\n  await 0; HERE;\n const f = async () => {\n\n HERE };  await f() })()",
		"const o = { valueOf() { HERE; return 1 } }; 'é😀' +\n o",
		strings.Repeat("1;\n", 300) + "(() => { HERE })()" + strings.Repeat("; 1", 300) + "; HERE",
		"function r(n) { return n ? r(n - 1) : HERE }\nr(3)",
	} {
		var wrong []string
		n := 0
		// The program calls the native uncaught; the test notes the places
		// there, and makes an Error, which has the engine's stack.
		for i := range natives {
			if natives[i].name == "uncaught\x00" {
				old := natives[i].call
				natives[i].call = func(e *Engine, args []value) value {
					n++
					got, want := e.stackText(e.places()), ""
					made := e.call(args[0])
					stack := e.property(made, stackName)
					for l := range strings.Lines(e.str(stack)) {
						if strings.Contains(l, programFile) {
							want += l
						}
					}
					e.free(stack)
					e.free(made)
					if got != want {
						wrong = append(wrong, "got\n"+got+"want\n"+want)
					}
					return undefined
				}
				defer func() { natives[i].call = old }()
			}
		}
		if err := e.Arm(0, 0); err != nil {
			t.Fatal(err)
		}
		// Only a test gives a program a way to a native.
		o := e.newNatives(natives)
		g := e.global()
		e.setProperty(g, cString("N\x00"), o)
		e.free(g)
		out, err := e.Run(Program{Source: []byte(strings.ReplaceAll(src, "HERE", "N.uncaught(Error)"))}, deafPort{})
		if err != nil || out.Error != nil {
			t.Fatal(err, out.Error)
		}
		if n == 0 || len(wrong) > 0 {
			t.Errorf("%.60q: %d times\n%s", src, n, strings.Join(wrong, "\n"))
		}
	}
}
