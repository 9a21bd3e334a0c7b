package quickjs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

func catalog(t testing.TB, body string) *quickjs.Catalog {
	t.Helper()
	c, err := quickjs.ParseCatalog([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const demoCatalog = `[{"name":"github","tools":["create_issue","list-issues","get.file"]},{"name":"my-server","tools":["do-it","do_it"]},{"name":"weather","tools":["forecast","then"]}]`

func TestCalls(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct {
		name, src, want string
		calls           []string
	}{
		{"tool", "await tools.github.create_issue({ title: 'x' })", `{"title":"x"}`, []string{`1 tool github/create_issue {"title":"x"}`}},
		{"no arguments", "await tools.github.create_issue()", `{}`, []string{`1 tool github/create_issue {}`}},
		{"callTool", "await callTool('github', 'list-issues', { n: 1 })", `{"n":1}`, []string{`1 tool github/list-issues {"n":1}`}},
		{"exact name", "await tools['my-server']['do-it']({})", `{}`, []string{`1 tool my-server/do-it {}`}},
		{"alias of a server", "await tools.my_server['do-it']({})", `{}`, []string{`1 tool my-server/do-it {}`}},
		{"alias of a tool", "await tools.github.list_issues({})", `{}`, []string{`1 tool github/list-issues {}`}},
		{"exact name beats alias", "await tools.my_server.do_it({})", `{}`, []string{`1 tool my-server/do_it {}`}},
		{"aliases in callTool", "await callTool('my_server', 'do-it')", `{}`, []string{`1 tool my-server/do-it {}`}},
		{"unknown names pass", "await tools.gitbub.creat({})", `{}`, []string{`1 tool gitbub/creat {}`}},
		{"keys", "Object.keys(tools)", `["github","my-server","weather"]`, nil},
		{"keys of a server", "Object.keys(tools.github)", `["create_issue","list-issues","get.file"]`, nil},
		{"in", "['github' in tools, 'my_server' in tools, 'nope' in tools, 'create_issue' in tools.github, 'x' in tools.github]", `[true,true,false,true,false]`, nil},
		{"no thenable", "const g = await tools.github; typeof g.create_issue", `"function"`, nil},
		{"no thenable at the top", "const t = await tools; typeof t.github", `"object"`, nil},
		{"a tool named then", "typeof tools.weather.then", `"undefined"`, nil},
		{"stringify", "[JSON.stringify(tools), String(tools)]", `["{\"github\":{},\"my-server\":{},\"weather\":{}}","[object Object]"]`, nil},
		{"cannot be changed", "tools.github = 1; delete tools.weather; tools.github.x = 2; Object.keys(tools).length", `3`, nil},
		{"cannot be frozen", "try { Object.freeze(tools); 'frozen' } catch (e) { e.constructor.name }", `"TypeError"`, nil},
		{"bad arguments", "await tools.github.create_issue('x').catch(e => [e.code, e.server, e.tool, e.retryable, e instanceof HostError, e instanceof Error])", `["INVALID_ARGUMENTS","github","create_issue",false,true,true]`, nil},
		{"an array is no arguments", "await tools.github.create_issue([]).catch(e => e.code)", `"INVALID_ARGUMENTS"`, nil},
		{"cyclic arguments", "const a = {}; a.b = [a]; await tools.github.create_issue(a).catch(e => e.message)", `"the arguments of github.create_issue cannot be sent: it contains itself at .b[0]"`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fakePort{}
			out := runWith(t, e, quickjs.Program{Source: []byte(c.src), Catalog: catalog(t, demoCatalog)}, p)
			if got := show(out); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if !slices.Equal(p.calls, c.calls) {
				t.Errorf("calls %q, want %q", p.calls, c.calls)
			}
		})
	}
}

func TestMCPResults(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ name, body, src, want string }{
		{"structured", `{"content":[{"type":"text","text":"{}"}],"structuredContent":{"b":1,"a":2}}`, "await tools.s.t()", `{"b":1,"a":2}`},
		{"text", `{"content":[{"type":"text","text":"hello"}]}`, "await tools.s.t()", `"hello"`},
		{"JSON text", `{"content":[{"type":"text","text":" {\"a\":[1]}"}]}`, "await tools.s.t()", `{"a":[1]}`},
		{"JSON array", `{"content":[{"type":"text","text":"[1,2]"}]}`, "await tools.s.t()", `[1,2]`},
		{"a number stays text", `{"content":[{"type":"text","text":"12"}]}`, "await tools.s.t()", `"12"`},
		{"broken JSON stays text", `{"content":[{"type":"text","text":"{oops"}]}`, "await tools.s.t()", `"{oops"`},
		{"blocks", `{"content":[{"type":"text","text":"a"},{"type":"image","data":"AA==","mimeType":"image/png"}]}`, "(await tools.s.t()).map(b => b.type)", `["text","image"]`},
		{"nothing", `{"content":[]}`, "await tools.s.t()", `[]`},
		{"error", `{"isError":true,"content":[{"type":"text","text":"no such row"}]}`, "await tools.s.t().catch(e => [e.code, e.message, e.result, e.server, e.tool])", `["TOOL_ERROR","no such row","no such row","s","t"]`},
		{"uncaught error", `{"isError":true,"content":[{"type":"text","text":"no such row"}]}`, "1;\n  await tools.s.t()", `TOOL_ERROR 2:18 no such row`},
		{"raw", `{"isError":true,"content":[{"type":"text","text":"x"}]}`, "await tools.s.t({}, { raw: true })", `{"isError":true,"content":[{"type":"text","text":"x"}]}`},
		{"numbers survive", `{"content":[],"structuredContent":{"n":12345678901234567,"x":1e400}}`, "await tools.s.t()", `{"n":12345678901234568,"x":null}`},
		{"not JSON", `{"content":`, "await tools.s.t().catch(e => e.code)", `"UPSTREAM_ERROR"`},
		{"polluted prototype", `{"content":[{"type":"text","text":"x"}]}`, "Object.prototype.structuredContent = 'forged'; Object.prototype.isError = true; await tools.s.t()", `"x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fakePort{answer: func(quickjs.Call) (quickjs.Event, bool) {
				return quickjs.Event{Form: wire.FormMCP, Body: []byte(c.body)}, true
			}}
			out := run(t, e, c.src, wire.Limits{}, p)
			if got := show(out); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHostErrorsCarryTheLineOfTheCall(t *testing.T) {
	e := newEngine(t)
	p := &fakePort{answer: func(quickjs.Call) (quickjs.Event, bool) {
		return quickjs.Event{Error: &wire.Error{Code: wire.CodeToolNotFound, Message: "no tool x", Suggestion: "did you mean y?", Server: "s", Tool: "x", Retryable: false}}, true
	}}
	out := run(t, e, "async () => {\n  const helper = async () =>\n    await tools.s.x({});\n  await helper();\n}", wire.Limits{}, p)
	if out.Error == nil || out.Error.Code != wire.CodeToolNotFound || out.Error.Line != 3 || out.Error.Suggestion != "did you mean y?" || out.Error.Tool != "x" {
		t.Fatalf("got %+v", out.Error)
	}
	if !strings.Contains(out.Error.Frame, "await tools.s.x({});") || !strings.Contains(out.Error.Stack, "program.js:4:") {
		t.Errorf("frame:\n%s\nstack:\n%s", out.Error.Frame, out.Error.Stack)
	}
}

func TestParallelAndConcurrency(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct {
		name, src, want string
		most            int
	}{
		{"in order", "await parallel([3,1,2].map(n => () => tools.s.t({ n })))", `[{"n":3},{"n":1},{"n":2}]`, 3},
		{"concurrency", "(await parallel(Array.from({ length: 20 }, (_, n) => () => tools.s.t({ n })), { concurrency: 2 })).length", `20`, 2},
		{"the limit holds", "(await parallel(Array.from({ length: 20 }, (_, n) => () => tools.s.t({ n })), { concurrency: 50 })).length", `20`, 4},
		{"Promise.all is held to the limit too", "(await Promise.all(Array.from({ length: 20 }, (_, n) => tools.s.t({ n })))).map(x => x.n).join()", `"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19"`, 4},
		{"first failure", "await parallel([() => 1, () => { throw new Error('two') }, async () => { throw new Error('three') }]).catch(e => e.message)", `"two"`, 0},
		{"settle", "await parallel([() => 1, () => { throw 'two' }], { settle: true })", `[{"status":"fulfilled","value":1},{"status":"rejected","reason":"two"}]`, 0},
		{"none", "await parallel([])", `[]`, 0},
		{"values and promises", "await parallel([1, Promise.resolve(2), { fn: async () => 3 }])", `[1,2,3]`, 0},
		{"no array", "parallel(3)", `SCRIPT_ERROR`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fakePort{}
			out := run(t, e, c.src, wire.Limits{Concurrency: 4}, p)
			if got := show(out); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if p.maxAtOnce != c.most {
				t.Errorf("%d calls at once, want %d", p.maxAtOnce, c.most)
			}
		})
	}
}

func TestTimers(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ name, src, want string }{
		{"order", "const o = []; setTimeout((a, b) => o.push(a + b), 3, 'x', 'y'); setTimeout(() => o.push(1), 1); setTimeout(() => o.push(0)); queueMicrotask(() => o.push('m')); await sleep(6); o", `["m",0,1,"xy"]`},
		{"clear", "const o = []; const t = setTimeout(() => o.push(1), 1); clearTimeout(t); clearTimeout(t); clearTimeout('x'); clearTimeout(); await sleep(2); o", `[]`},
		{"numbers", "[typeof setTimeout(() => {}, 0), await sleep('1'), await sleep(-1), await sleep(NaN)]", `["number",null,null,null]`},
		{"no function", "setTimeout('code', 1)", "SCRIPT_ERROR"},
		{"a zero timer lets answers through", "let n = 0, on = true; (function f() { n++; if (on) setTimeout(f, 0) })(); await tools.s.t(); on = false; n > 0", `true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := run(t, e, c.src, wire.Limits{}, &fakePort{})
			if got := show(out); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestConsole(t *testing.T) {
	e := newEngine(t)
	p := &fakePort{}
	out := run(t, e, "console.log('a'); console.info(1); console.warn(true); console.error('é', 2); console.debug(); await tools.s.t(); console.log('after')", wire.Limits{Logs: 1000}, p)
	if out.Error != nil {
		t.Fatal(out.Error)
	}
	want := []string{"log: a", "info: 1", "warn: true", "error: é 2", "debug: ", "log: after"}
	if !slices.Equal(p.logs, want) {
		t.Errorf("got %q", p.logs)
	}
	p = &fakePort{}
	run(t, e, "for (let i = 0; i < 1000; i++) console.log('éééé')", wire.Limits{Logs: 2*(8+wire.LogOverhead) + 3}, p)
	if len(p.logs) != 3 || p.logs[2] != "log: é [cut]" {
		t.Errorf("over the limit: %q", p.logs)
	}
}
