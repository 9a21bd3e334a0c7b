package quickjs

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// TestShape brings programs into shape, and runs what comes of it as a script:
// it has the value that the program has.
func TestShape(t *testing.T) {
	s, err := NewShaper(Config{HeapLimit: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.e.Close()
	run, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	for _, c := range []struct{ name, source, want string }{
		{"arrow", "async () => 1 + 1", "2"},
		{"expression", "({ a: 1 })", `{"a":1}`},
		{"script", "const a = 2;\na * 3", "6"},
		{"body", "if (0) return 1;\nreturn 2", "2"},
		{"await in an expression", "(await Promise.resolve(4)) + 1", "5"},
		{"await and a last expression", "const a = await Promise.resolve(4);\na + 1", "5"},
		{"await and a last object", "const a = await 1;\n({ a, b: `x${`y${a}`}\nz` })", `{"a":1,"b":"xy1\nz"}`},
		{"await and a last arrow", "const a = await 2;\nasync () => a", "2"},
		{"await and a last call over lines", "const f = (x) => x;\nawait 0\nf(\n  3,\n)", "3"},
		{"await and no value", "const b = await 2;", "null"},
		{"await and a declaration behind", "await 1; const b = 2;", "1"},
		{"await and a last if", "if (await 1) 'a';\nelse 'b'", `"a"`},
		{"await and a last else", "if (await 0) 'a';\nelse { if (0) 1; else `${'b'}` }", `"b"`},
		{"await and a finally", "try { await 1 } catch { 2 } finally { 3 }", "1"},
		{"await and a last switch", "switch (await 2) { case 1 ? 2 : 3: { 'x' } break; default: 'y' }", `"x"`},
		{"await and a name like ours", "const $value = await 1;\n{ $value + 1 }", "2"},
		{"await and a last while", "let n = await 0;\nwhile (n < 3) n++;", "2"},
		{"await and classes", "await 0;\n{ class A extends class {} { f() { 1 } }\n3; class B {} }", "3"},
		{"await and a loop", "let n = 0;\nfor await (const x of [1, 2]) n += x;\nn", "3"},
		{"await and a pattern", "const s = await 'a/b}';\ns.replace(/[/}]/g, `}`).split('}').length / 1", "3"},
		{"await and a label", "let n = await 0;\nouter: for (;;) { n++; break outer }\nn", "1"},
		{"await in a template", "const t = await 1;\n`${t}`", `"1"`},
		{"default arrow", "export default async () => 6", "6"},
		{"default function", "const h = (x) => x * 2;\nexport default async function main() { return h(4) }", "8"},
		{"default function without a name", "export default async function () { return 8 }", "8"},
		{"default function that is used", "export default function main() { return n }\nvar n = main ? 5 : 0;", "5"},
		{"default value", "const y = await Promise.resolve(3);\nexport default { y };", `{"y":3}`},
		{"default list", "const main = () => 7;\nexport const other = 1;\nexport { main as default, other as b };", "7"},
		{"no default", "export const a = 1;", "null"},
		{"default twice as a name", "const $default = 1;\nexport default $default + 1", "2"},
		{"types", "const a: number = 2;\nreturn a as number", "2"},
		{"types and await", "const a: number = await Promise.resolve(2);\na satisfies number", "2"},
		{"types and export", "type N = number;\nexport default async (): Promise<N> => 4", "4"},
		{"enum", "enum E { A = 2 }\nE.A", "2"},
		{"fence", "```ts\nconst a: number = await 2;\na\n```", "2"},
		{"empty", "", "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sh := s.Shape([]byte(c.source))
			if err := s.Rearm(); err != nil {
				t.Fatal(err)
			}
			if sh.Error != nil {
				t.Fatalf("%+v", sh.Error)
			}
			if got := runShape(t, run, sh); got != c.want {
				t.Errorf("%s%s%s\nis %s, want %s", sh.Before, sh.Text, sh.After, got, c.want)
			}
		})
	}
}

// runShape runs a shape as another engine would: as one script, without await
// at its top.
func runShape(t *testing.T, e *Engine, sh Shape) string {
	t.Helper()
	if err := e.Arm(0, 0); err != nil {
		t.Fatal(err)
	}
	e.run = execution{port: deafPort{}, inFlight: map[uint64]*hostCall{}, main: undefined}
	e.allowCompile(true)
	v := e.compile(sh.Before, sh.Text, sh.After, programName, 0)
	e.allowCompile(false)
	if isException(v) {
		t.Fatalf("%s%s%s: %s", sh.Before, sh.Text, sh.After, e.exceptionText())
	}
	main, thrown := e.begin(code{bytecode: v, form: formScript, wrapped: sh.Wrapped})
	if thrown {
		t.Fatalf("%s%s%s: %s", sh.Before, sh.Text, sh.After, e.exceptionText())
	}
	e.run.main = main
	if werr := e.loop(); werr != nil {
		t.Fatalf("%+v", werr)
	}
	return e.str(e.call(e.core.encode, e.promiseResult(main)))
}

// TestShapePositions: what an engine says of the script is told of the
// author's text.
func TestShapePositions(t *testing.T) {
	s, err := NewShaper(Config{HeapLimit: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.e.Close()
	for _, c := range []struct {
		name, source, at string // the text in the script that throws
		line             int
	}{
		{"arrow", "async () => {\n  null.foo\n}", "null.foo", 2},
		{"await", "const a = await 1;\nnull.foo", "null.foo", 2},
		{"await, the last of many", "const a = await 1;\n\n\nconst b = 2;\nb.c.d", "b.c.d", 5},
		{"types", "interface A {\n  x: number\n}\nconst a: any = null;\nconst b: number = a.x;", "a.x", 5},
		{"types in a fence", "\n```ts\nconst a: any = null;\n\na.x\n```", "a.x", 5},
		{"export", "const a = null;\nexport default () =>\n  a.x", "a.x", 3},
		{"export, named", "export const a = null;\nexport default function main() {\n  return a.x;\n}", "a.x", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			sh := s.Shape([]byte(c.source))
			if err := s.Rearm(); err != nil || sh.Error != nil {
				t.Fatal(err, sh.Error)
			}
			script := sh.Before + string(sh.Text) + sh.After
			at := strings.Index(script, c.at)
			if at < 0 {
				t.Fatalf("%s has no %s", script, c.at)
			}
			line, column := 1+strings.Count(script[:at], "\n"), at-strings.LastIndex(script[:at], "\n")
			description, err := json.Marshal(map[string]any{"message": "TypeError: no", "error": true, "stack": "    at f (program.js:" + strconv.Itoa(line) + ":" + strconv.Itoa(column) + ")\n"})
			if err != nil {
				t.Fatal(err)
			}
			got := s.Explain(description)
			if got.Line != c.line || !strings.Contains(got.Frame, strings.TrimSpace(c.at)) {
				t.Errorf("line %d, want %d:\n%s\nof %s", got.Line, c.line, got.Frame, script)
			}
		})
	}
}

// TestShapeErrors: what cannot be brought into shape, and V8's words.
func TestShapeErrors(t *testing.T) {
	s, err := NewShaper(Config{HeapLimit: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.e.Close()
	sh := s.Shape([]byte("const a = 1;\nconst b = ;"))
	if sh.Error == nil || sh.Error.Code != wire.CodeSyntax || sh.Error.Line != 2 {
		t.Errorf("got %+v", sh.Error)
	}
	if err := s.Rearm(); err != nil {
		t.Fatal(err)
	}
	if sh = s.Shape([]byte("import fs from 'fs';\n1")); sh.Error == nil || !sh.Imports {
		t.Errorf("got %+v", sh.Error)
	}
	if err := s.Rearm(); err != nil {
		t.Fatal(err)
	}
	if sh = s.Shape([]byte("await fetch('x')\nimport('fs')")); sh.Error != nil {
		t.Fatal(sh.Error)
	}
	missing := s.Explain([]byte(`{"message":"ReferenceError: fetch is not defined","error":true,"reference":true,"stack":"    at program.js:1:28\n"}`))
	if missing.Line != 1 || !strings.Contains(missing.Suggestion, "tool") {
		t.Errorf("got %+v", missing)
	}
	module := s.Explain([]byte(`{"message":"ReferenceError: there are no modules here, so \"fs\" cannot be imported","error":true,"reference":true,"stack":""}`))
	if module.Line != 2 || !strings.Contains(module.Suggestion, "import") {
		t.Errorf("got %+v", module)
	}
	deep := s.Explain([]byte(`{"message":"RangeError: Maximum call stack size exceeded","error":true,"stack":""}`))
	if deep.Suggestion == "" {
		t.Error("no word on recursion")
	}
	if odd := s.Explain([]byte("no JSON")); odd.Code != wire.CodeScript {
		t.Errorf("got %+v", odd)
	}
	if e := s.ExplainSyntax("SyntaxError: no", 1, 3); e.Code != wire.CodeSyntax || e.Line != 1 {
		t.Errorf("got %+v", e)
	}
}

// FuzzStatements: whatever the code, the statements that are found begin lines
// of it.
func FuzzStatements(f *testing.F) {
	f.Add("const a = `${`x`}`;\na / 2;\n")
	f.Add("}\n/x/\n`${")
	f.Fuzz(func(t *testing.T, code string) {
		last := -1
		for _, at := range statements([]byte(code)) {
			if at <= last || at >= len(code) || at > 0 && code[at-1] != '\n' {
				t.Fatalf("a statement at %d of %q", at, code)
			}
			last = at
		}
	})
}
