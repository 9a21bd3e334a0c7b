package conformance

import "github.com/autoclave-run/autoclave/internal/wire"

// forms are the ways in which a model writes a program.
func forms() []Case {
	return []Case{
		{Name: "async arrow", Source: "async () => 1+1", Value: "2"},
		{Name: "async arrow with a block", Source: "async () => { return { a: [1, 'x', null] } }", Value: `{"a":[1,"x",null]}`},
		{Name: "async arrow and semicolon", Source: "async () => { return 1 };\n", Value: "1"},
		{Name: "arrow", Source: "() => 7", Value: "7"},
		{Name: "arrow with a parameter", Source: "(x) => x === undefined", Value: "true"},
		{Name: "arrow that returns an object", Source: "() => ({ ok: true })", Value: `{"ok":true}`},
		{Name: "async function expression", Source: "async function () { return 3 }", Value: "3"},
		{Name: "function expression", Source: "function () { return 3 }", Value: "3"},
		{Name: "named function", Source: "async function main() { return 3 }", Value: "3"},
		{Name: "function and call", Source: "async function main() { return 3 }\nmain()", Value: "3"},
		{Name: "function and awaited call", Source: "async function main() { return 3 }\nawait main();", Value: "3"},
		{Name: "function and returned call", Source: "async function main() { return 3 }\nreturn await main();", Value: "3"},
		{Name: "main constant and call", Source: "const main = async () => { return 5 };\nmain();", Value: "5"},
		{Name: "immediately called", Source: "(async () => { return 4 })();", Value: "4"},
		{Name: "immediately called function", Source: "(async function () { return 4 }())", Value: "4"},
		{Name: "in parentheses", Source: "(async () => 4)", Value: "4"},
		{Name: "helper before an arrow", Source: "const double = (x) => x * 2;\nasync () => double(4)", Value: "8"},
		{Name: "helper before a returned arrow", Source: "const f = () => 2;\nreturn f();", Value: "2"},
		{Name: "final expression", Source: "const a = 2;\na * 3", Value: "6"},
		{Name: "final expression after a comment", Source: "const a = 2;\na * 3; // the answer\n", Value: "6"},
		{Name: "final object", Source: "const a = 2;\n({ a })", Value: `{"a":2}`},
		{Name: "object as program", Source: "{ a: 1, b: [2] }", Value: `{"a":1,"b":[2]}`},
		{Name: "await at the top", Source: "const a = await callTool('s', 't', { x: 1 });\na.x", Value: "1"},
		{Name: "await and return at the top", Source: "const a = await callTool('s', 't', { x: 1 });\nreturn a.x + 1;", Value: "2"},
		{Name: "return in a branch", Source: "if (1 > 2) { return 'a' }\nreturn 'b'", Value: `"b"`},
		{Name: "for await at the top", Source: "let n = 0;\nfor await (const x of [Promise.resolve(1), 2]) n += x;\nn", Value: "3"},
		{Name: "return nothing", Source: "return", Value: "null"},
		{Name: "await and a last if", Source: "const a = await 3;\nif (a > 2) { a * 2 } else { 0 }", Value: "6"},
		{Name: "await and a last else", Source: "const a = await 1;\nif (a > 2) 'x';\nelse if (a > 1) 'y';\nelse [a, 'z']", Value: `[1,"z"]`},
		{Name: "await and a last if not taken", Source: "const a = await 3;\na;\nif (a > 4) a", Value: "null"},
		{Name: "await and a last try", Source: "const a = await 3;\ntry { null.x } catch (e) { `caught ${a}` } finally { 7 }", Value: `"caught 3"`},
		{Name: "await and a last loop", Source: "const xs = await [1, 2, 3];\nfor (const x of xs) { x * 10; if (x > 1) { x * 100; break } }", Value: "200"},
		{Name: "await and a last labelled loop", Source: "let n = await 0;\nouter: for (;;) { do { if (n > 2) { n; break outer } n++; continue outer } while (true) }", Value: "3"},
		{Name: "await and a last do", Source: "let n = await 0;\ndo n++; while (n < 3)", Value: "2"},
		{Name: "await and a last declaration", Source: "const a = await 5;\na;\nconst b = 2;", Value: "5"},
		{Name: "await and a last switch", Source: "switch (await 2) { case 1: 'one'; break; case 2: 'two'; break; default: 'more' }", Value: `"two"`},
		{Name: "await and a last block", Source: "const a = await 1;\n{ const b = () => { 9; return 4 }; b() + a }", Value: "5"},
		{Name: "await and a last function", Source: "const a = await 1;\nif (a) { f(a) }\nfunction f(x) { return `f${x}` }", Value: `"f1"`},
		{Name: "position in a last try", Source: "const a = await 1;\ntry {\n  a.b.c\n} finally {\n  a\n}", Code: wire.CodeScript, Line: 3},
		{Name: "export default arrow", Source: "export default async () => 6", Value: "6"},
		{Name: "export default function", Source: "const h = (x) => x * 2;\nexport default async function main() { return h(4) }", Value: "8"},
		{Name: "export default value", Source: "const y = await Promise.resolve(3);\nexport default { y };", Value: `{"y":3}`},
		{Name: "Markdown fence", Source: "```js\nasync () => 8\n```", Value: "8"},
		{Name: "Markdown fence of a script", Source: "\n```javascript\nconst x = 2;\nreturn x * 4;\n```\n", Value: "8"},
		{Name: "Markdown fence without a language", Source: "```\nx = 3, x\n```", Value: "3"},
		{Name: "comments around", Source: "// what it does\n/* more */\nasync () => 1 // done\n// end", Value: "1"},
		{Name: "use strict", Source: "'use strict';\nconst a = 1;\nreturn a", Value: "1"},
		{Name: "byte order mark", Source: "\ufeffasync () => 1", Value: "1"},
		{Name: "carriage returns", Source: "const a = 1;\r\nconst b = 2;\r\nreturn a + b;\r\n", Value: "3"},
		{Name: "empty", Source: "", Value: "null"},
		{Name: "only a comment", Source: "// nothing to do", Value: "null"},
		{Name: "declaration only", Source: "let x = 1;", Value: "null"},
		{Name: "class only", Source: "class A {}", Value: "null"},
		{Name: "a promise as value", Source: "new Promise((r) => setTimeout(() => r(11), 1))", Value: "11"},
		{Name: "own names over ours", Source: "const sleep = 3, tools = 4, console = 5, callTool = 6;\nsleep + tools + console + callTool", Value: "18"},
		{Name: "own names that others have", Source: "var fs = 2, process = 3;\nconst fetch = () => 4;\nfs + process + fetch()", Value: "9"},
		{Name: "words beyond ASCII", Source: "const größe = 'é 😀 日本';\nreturn { größe }", Value: `{"größe":"é 😀 日本"}`},
		{Name: "labels and template literals", Source: "let n = 0;\nouter: for (;;) { for (;;) { n++; break outer } }\n`n is ${n}`", Value: `"n is 1"`},
		{Name: "private fields", Source: "class A { #x = 1; get x() { return this.#x } static { this.y = 2 } }\nreturn [new A().x, A.y]", Value: "[1,2]"},
		{Name: "recent array methods", Source: "const a = [3, 1, 2];\nreturn [a.toSorted(), a.toReversed(), a.with(0, 9), a.at(-1), a.findLast((x) => x > 1), Object.groupBy(a, (x) => x > 1 ? 'big' : 'small')]", Value: `[[1,2,3],[2,1,3],[9,1,2],2,2,{"big":[3,2],"small":[1]}]`},
		{Name: "iterator helpers and set methods", Source: "return [[1, 2, 3].values().map((x) => x * 2).toArray(), [...new Set([1, 2]).union(new Set([3]))]]", Value: "[[2,4,6],[1,2,3]]"},
		{Name: "withResolvers", Source: "const { promise, resolve } = Promise.withResolvers();\nresolve(5);\nreturn await promise", Value: "5"},
		{Name: "regular expressions", Source: `return ["2025-01-31".match(/(?<y>\d+)-(?<m>\d+)/).groups.m, "aXbX".replaceAll("X", "-"), [..."a1b2".matchAll(/\d/g)].length, /(?<=\$)\d+/.exec("cost $42")[0], /\p{Lu}/u.test("É")]`, Value: `["01","a-b-",2,"42",true]`},
	}
}

// typeScript is stripped of its types, in all forms.
func typeScript() []Case {
	return []Case{
		{Name: "arrow", Source: "async (): Promise<number> => { const a: number = 3; return a }", Value: "3"},
		{Name: "arrow and semicolon", Source: "async (): Promise<number> => { const a: number = 3; return a };", Value: "3"},
		{Name: "function expression", Source: "async function (): Promise<number> { return 3 as number }", Value: "3"},
		{Name: "function and call", Source: "async function main(): Promise<number> { return 3 }\nmain();", Value: "3"},
		{Name: "main constant and call", Source: "const main = async (): Promise<number> => 3;\nmain();", Value: "3"},
		{Name: "interface", Source: "interface Row { id: number; name?: string }\nconst rows: Row[] = await tools.s.t({ id: 1 }) as any;\nrows", Value: `{"id":1}`},
		{Name: "return and await", Source: "interface A { x: number }\nconst a: A = await tools.s.t({ x: 1 });\nreturn a.x satisfies number;", Value: "1"},
		{Name: "export default", Source: "type N = number;\nexport default async function main(): Promise<N> { return 4 }", Value: "4"},
		{Name: "export default arrow", Source: "type N = number;\nexport default async (): Promise<N> => 4", Value: "4"},
		{Name: "generics", Source: "function id<T extends string | number>(x: T): T { return x }\nid<string>('x')", Value: `"x"`},
		{Name: "generic arrow", Source: "const id = <T,>(x: T): T => x;\nid(5)", Value: "5"},
		{Name: "enum", Source: "enum Color { Red, Green = 'g' }\n[Color.Red, Color.Green, Color[0]]", Value: `[0,"g","Red"]`},
		{Name: "const enum", Source: "const enum E { A = 2, B }\nreturn E.B", Value: "3"},
		{Name: "namespace", Source: "namespace N { export const x: number = 1 }\nreturn N.x", Value: "1"},
		{Name: "as const", Source: "const x = { a: 1 } as const;\nx", Value: `{"a":1}`},
		{Name: "non-null", Source: "const m = { a: 1 } as { a?: number };\nm.a!.toFixed(1)", Value: `"1.0"`},
		{Name: "class", Source: "class P { constructor(private readonly x: number) {} get y(): number { return this.x } }\nnew P(3).y", Value: "3"},
		{Name: "abstract class", Source: "abstract class A { abstract f(): number; g(): number { return this.f() } }\nclass B extends A { override f(): number { return 2 } }\nreturn new B().g()", Value: "2"},
		{Name: "optional parameter", Source: "const f = (a?: number): number => a ?? 5;\nf()", Value: "5"},
		{Name: "overloads", Source: "function f(a: string): string;\nfunction f(a: number): number;\nfunction f(a: any): any { return a }\nreturn f(3)", Value: "3"},
		{Name: "type guards", Source: "const isString = (x: unknown): x is string => typeof x === 'string';\nreturn [1, 'a'].filter(isString)", Value: `["a"]`},
		{Name: "type import", Source: "import type { X } from 'y';\nconst a: number = 1;\na", Value: "1"},
		{Name: "declare", Source: "declare const tools: any;\ndeclare function callTool(a: string, b: string): Promise<any>;\nreturn await tools.s.t({ a: 1 })", Value: `{"a":1}`},
		{Name: "tuples and mapped types", Source: "type M<T> = { readonly [K in keyof T]?: T[K] };\nconst t: [number, M<{ a: 1 }>] = [1, {}];\nreturn t", Value: "[1,{}]"},
		{Name: "Markdown fence", Source: "```typescript\nconst a: number = 2;\na\n```", Value: "2"},
		{Name: "position", Source: "interface A {\n  x: number\n}\nconst a: A | null = null as any;\nconst b: number = a.x;", Code: wire.CodeScript, Line: 5, Frame: "const b: number = a.x;"},
		{Name: "position with return", Source: "interface A { x: number }\nconst a: any = null;\n\nreturn a.x as number", Code: wire.CodeScript, Line: 4},
		{Name: "position in a fence", Source: "\n```ts\nconst a: any = null;\n\na.x\n```", Code: wire.CodeScript, Line: 5},
		{Name: "position of a call", Source: "interface A { x: number }\nasync (): Promise<void> => {\n  const a: A = { x: 1 };\n  await tools.s.t(a);\n}", Answer: always(Answer{Error: &wire.Error{Code: wire.CodeToolError, Message: "no"}}), Code: wire.CodeToolError, Line: 4, Frame: "await tools.s.t(a);"},
		{Name: "syntax error", Source: "const a: number = 1;\nconst b: = 2;", Code: wire.CodeSyntax, Line: 2, Frame: "const b: = 2;"},
		{Name: "decorator", Source: "function d(...a: any[]): any {}\nclass A { @d m(): number { return 1 } }\nnew A().m()", Code: wire.CodeSyntax, Line: 2, Says: "decorators"},
		{Name: "import", Source: "import { z } from 'zod';\nconst a: number = 1;\nz.x(a)", Code: wire.CodeSyntax, Line: 1, Says: "zod", Suggests: "tools"},
		{Name: "nesting", Source: "const a: number = " + repeated("(", 20000) + "1" + repeated(")", 20000), Code: wire.CodeSyntax},
	}
}

// syntax are texts that are no programs.
func syntax() []Case {
	return []Case{
		{Name: "unfinished", Source: "const a = 1;\nconst b = a +", Code: wire.CodeSyntax, Line: 2},
		{Name: "unclosed brace", Source: "async () => {\n  const x = 1;\n", Code: wire.CodeSyntax},
		{Name: "bad token", Source: "async () => {\n  const x = ;\n}", Code: wire.CodeSyntax, Line: 2, Frame: "  const x = ;"},
		{Name: "in a fence", Source: "```js\nconst x = ;\n```", Code: wire.CodeSyntax, Line: 2, Frame: "const x = ;"},
		{Name: "declared twice", Source: "const a = 1;\nconst a = 2;", Code: wire.CodeSyntax, Line: 2},
		{Name: "prose", Source: "Here is the program you asked for.", Code: wire.CodeSyntax},
		{Name: "import", Source: "import fs from 'fs';\nfs.readFileSync('x')", Code: wire.CodeSyntax, Line: 1, Says: "fs", Suggests: "tools"},
		{Name: "import in a module", Source: "import { z } from 'zod';\nexport default async () => z", Code: wire.CodeSyntax, Line: 1, Says: "zod"},
		{Name: "import of an effect", Source: "import 'x';\n1", Code: wire.CodeSyntax, Line: 1},
		{Name: "export from", Source: "export { a } from './a.js';", Code: wire.CodeSyntax, Line: 1, Says: "./a.js"},
		{Name: "nested source", Source: repeated("[", 50000) + repeated("]", 50000), Code: wire.CodeSyntax},
	}
}

// absent is what a program does not find, and what it is told instead.
func absent() []Case {
	missing := func(name, source, suggests string) Case {
		return Case{Name: name, Source: source, Code: wire.CodeScript, Line: 1, Says: name, Suggests: suggests}
	}
	return []Case{
		missing("fetch", "await fetch('https://example.com')", "tool"),
		missing("require", "const fs = require('fs')", "tools"),
		missing("process", "process.env.HOME", "process"),
		missing("Buffer", "Buffer.from('x')", "Uint8Array"),
		missing("fs", "fs.readFileSync('x')", "file"),
		missing("setInterval", "setInterval(() => {}, 1)", "setTimeout"),
		missing("window", "window.location", "globalThis"),
		missing("XMLHttpRequest", "new XMLHttpRequest()", "tool"),
		missing("localStorage", "localStorage.setItem('a', 1)", "stash"),
		{Name: "unknown name", Source: "notThere + 1", Code: wire.CodeScript, Line: 1, Says: "notThere"},
		{Name: "typeof", Source: "[typeof fetch, typeof process, typeof require, typeof Buffer, typeof fs, typeof window, typeof WebAssembly, typeof module, typeof std, typeof os, typeof Deno].join()", Value: `"undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined"`},
		{Name: "dynamic import", Source: "const m = await import('fs');", Code: wire.CodeScript + "|" + wire.CodeSyntax, Line: 1},
		{Name: "dynamic import caught", Source: "await import('fs').then(() => 'found', () => 'none')", Value: `"none"`},
	}
}
