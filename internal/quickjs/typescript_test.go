package quickjs_test

import (
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/wire"
)

func TestTypeScript(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ name, src, want string }{
		{"arrow", "async (): Promise<number> => { const a: number = 3; return a }", "3"},
		{"arrow with semicolon", "async (): Promise<number> => { const a: number = 3; return a };", "3"},
		{"function expression", "async function (): Promise<number> { return 3 as number }", "3"},
		{"interface", "interface Row { id: number; name?: string }\nconst rows: Row[] = await tools.s.t({ id: 1 }) as any;\nrows", `{"id":1}`},
		{"return and await", "interface A { x: number }\nconst a: A = await tools.s.t({ x: 1 });\nreturn a.x satisfies number", "1"},
		{"export default", "type N = number;\nexport default async function main(): Promise<N> { return 4 }", "4"},
		{"export default arrow", "type N = number;\nexport default async (): Promise<N> => 4", "4"},
		{"generics", "function id<T>(x: T): T { return x }\nid<string>('x')", `"x"`},
		{"enum", "enum Color { Red, Green = 'g' }\n[Color.Red, Color.Green]", `[0,"g"]`},
		{"as const", "const x = { a: 1 } as const; x", `{"a":1}`},
		{"non-null", "const m = { a: 1 } as { a?: number }; m.a!.toFixed(1)", `"1.0"`},
		{"class", "class P { constructor(private readonly x: number) {} get y(): number { return this.x } }\nnew P(3).y", "3"},
		{"optional call", "const f = (a?: number): number => a ?? 5; f()", "5"},
		{"type import", "import type { X } from 'y';\nconst a: number = 1; a", "1"},
		{"fence", "```ts\nconst a: number = 2;\na\n```", "2"},
		{"import", "import { z } from 'zod';\nconst a: number = 1; z.x(a)", "SYNTAX_ERROR 1:19 there are no modules here"},
		{"syntax error", "const a: number = 1;\nconst b: = 2;", "SYNTAX_ERROR 2:10"},
		{"position", "interface A {\n  x: number\n}\nconst a: A | null = null as any;\nconst b: number = a.x;", "SCRIPT_ERROR 5:2"},
		{"position with return", "interface A { x: number }\nconst a: any = null;\n\nreturn a.x as number", "SCRIPT_ERROR 4:9"},
		{"position in a fence", "\n```ts\nconst a: any = null;\n\na.x\n```", "SCRIPT_ERROR 5:"},
		{"nesting", "const a: number = " + strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000), "SYNTAX_ERROR 1:"},
		{"nested types", "type A = " + strings.Repeat("Array<", 100000) + "1" + strings.Repeat(">", 100000), "SYNTAX_ERROR 1:"},
		{"nested operators", "const a: number = " + strings.Repeat("!", 100000) + "1", "SYNTAX_ERROR 1:"},
		{"decorator", "function d(...a: any[]): any {}\nclass A { @d m(): number { return 1 } }\nnew A().m()", "SYNTAX_ERROR 2:11 SyntaxError: decorators are not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := run(t, e, c.src, wire.Limits{}, &fakePort{})
			if got := show(out); got != c.want && !(out.Error != nil && strings.HasPrefix(got, c.want)) {
				t.Errorf("got %.300s\nwant %s", got, c.want)
			}
		})
	}
}
