package quickjs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// fakePort answers calls with what answer says, and remembers everything.
type fakePort struct {
	answer    func(c quickjs.Call) (quickjs.Event, bool) // false: never
	calls     []string
	logs      []string
	emits     []string
	progress  []string
	ready     []quickjs.Event
	inFlight  int
	maxAtOnce int
	idle      time.Duration // what Wait waited for nothing
}

func (p *fakePort) Call(c quickjs.Call) error {
	c.Body = append([]byte(nil), c.Body...)
	p.calls = append(p.calls, fmt.Sprintf("%d %s %s/%s %s", c.ID, c.Kind, c.Server, c.Name, c.Body))
	p.inFlight++
	p.maxAtOnce = max(p.maxAtOnce, p.inFlight)
	if p.answer == nil {
		p.ready = append(p.ready, quickjs.Event{Call: c.ID, Body: c.Body})
		return nil
	}
	ev, ok := p.answer(c)
	if ok {
		if !ev.Cancel {
			ev.Call = c.ID
		}
		p.ready = append(p.ready, ev)
	}
	return nil
}

func (p *fakePort) Log(level, text string, truncated bool) error {
	if truncated {
		text += " [cut]"
	}
	p.logs = append(p.logs, level+": "+text)
	return nil
}

func (p *fakePort) Emit(b []byte) error { p.emits = append(p.emits, string(b)); return nil }

func (p *fakePort) Progress(done float64, total *float64, message string) error {
	s := fmt.Sprint(done)
	if total != nil {
		s += fmt.Sprint("/", *total)
	}
	p.progress = append(p.progress, s+" "+message)
	return nil
}

func (p *fakePort) Wait(timeout time.Duration) (quickjs.Event, error) {
	if ev, ok, _ := p.Poll(); ok {
		return ev, nil
	}
	if timeout < 0 {
		return quickjs.Event{Cancel: true, Reason: "the test's port has no answer"}, nil
	}
	time.Sleep(timeout)
	p.idle += timeout
	return quickjs.Event{}, quickjs.ErrTimeout
}

func (p *fakePort) Poll() (quickjs.Event, bool, error) {
	if len(p.ready) == 0 {
		return quickjs.Event{}, false, nil
	}
	ev := p.ready[0]
	p.ready = p.ready[1:]
	p.inFlight--
	return ev, true, nil
}

func newEngine(t testing.TB) *quickjs.Engine {
	t.Helper()
	e, err := quickjs.New(quickjs.Config{HeapLimit: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// run executes src in a fresh isolate of e.
func run(t testing.TB, e *quickjs.Engine, src string, lim wire.Limits, port quickjs.Port) quickjs.Outcome {
	t.Helper()
	return runWith(t, e, quickjs.Program{Source: []byte(src), Limits: lim}, port)
}

func runWith(t testing.TB, e *quickjs.Engine, p quickjs.Program, port quickjs.Port) quickjs.Outcome {
	t.Helper()
	if err := e.Arm(32<<20, 0); err != nil {
		t.Fatal(err)
	}
	if p.Limits.CPU == 0 {
		p.Limits.CPU = 20000
	}
	out, err := e.Run(p, port)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	out.Value = append([]byte(nil), out.Value...)
	return out
}

// show is an outcome in one line: the value, or the error's code and message.
func show(out quickjs.Outcome) string {
	if out.Error == nil {
		return string(out.Value)
	}
	return fmt.Sprintf("%s %d:%d %s", out.Error.Code, out.Error.Line, out.Error.Column, out.Error.Message)
}

func TestForms(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ src, want string }{
		{"1+1", "2"},
		{"1+1;", "2"},
		{"async () => 1+1", "2"},
		{"async () => { return {a: [1, 'x', null]} }", `{"a":[1,"x",null]}`},
		{"() => 7", "7"},
		{"x => 7", "7"},
		{"async function () { return 3 }", "3"},
		{"function main() { return 3 }", "3"},
		{"async function main() { return 3 }\nmain()", "3"},
		{"async function main() { return 3 }\nawait main()", "3"},
		{"const main = async () => { return 5 }; main()", "5"},
		{"const main = async () => { return 5 }; main();\n// done\n", "5"},
		{"(async () => { return 4 })()", "4"},
		{"(async () => { return 4 })();", "4"},
		{"const a = await callTool('s', 't', {x: 1}); a.x", "1"},
		{"const a = await callTool('s', 't', {x: 1});\nreturn a.x + 1", "2"},
		{"return 9", "9"},
		{"if (true) return 9; else return 8", "9"},
		{"export default async () => 6", "6"},
		{"const h = (x) => x * 2;\nexport default async function main() { return h(4) }", "8"},
		{"export default 3", "3"},
		{"const y = await Promise.resolve(3); export default y", "3"},
		{"```js\nasync () => 8\n```", "8"},
		{"\n```javascript\nconst x = 2;\nx * 4\n```\n", "8"},
		{"{ a: 1 }", `{"a":1}`},
		{"({ a: 1 })", `{"a":1}`},
		{"// comment\nasync () => 1 // more", "1"},
		{"/* c */ 2 /* d */", "2"},
		{"", "null"},
		{"undefined", "null"},
		{"let x = 1", "null"},
		{"for (let i = 0; i < 3; i++) i", "2"},
		{"class A {}", "null"},
		{"const sleep = 3, tools = 4, console = 5; sleep + tools + console", "12"},
		{"var fs = 2; fs", "2"},
		{"new Promise(r => setTimeout(() => r(11), 1))", "11"},
		{"await sleep(1); 'slept'", `"slept"`},
		{"'\\ud83d\\ude00 é \\ud800'", `"😀 é \ud800"`},
		{"1 +", "SYNTAX_ERROR 1:4"},
		{"async () => {\n  const x = ;\n}", "SYNTAX_ERROR 2:13"},
		{"import fs from 'fs';\nfs.readFileSync('x')", "SYNTAX_ERROR 1:16 there are no modules here"},
		{"import { z } from 'zod';\nexport default async () => z", "SYNTAX_ERROR 1:19 there are no modules here"},
		{"const m = await import('fs'); m", "SCRIPT_ERROR"},
		{"throw new Error('boom')", "SCRIPT_ERROR 1:16 Error: boom"},
		{"async () => {\n  null.foo\n}", "SCRIPT_ERROR 2:7 TypeError: cannot read property 'foo' of null"},
		{"throw 'text'", "SCRIPT_ERROR 0:0 the program threw a value that is not an Error: text"},
		{"new Promise(() => {})", "NEVER_SETTLES"},
		{"eval('1')", "SCRIPT_ERROR 1:5 EvalError: eval is not available"},
		{"new Function('return 1')()", "SCRIPT_ERROR 1:13 EvalError: the Function constructor is not available"},
		{"(async()=>{}).constructor('return 1')", "SCRIPT_ERROR"},
		{"(function*(){}).constructor('yield 1')", "SCRIPT_ERROR"},
		{"(async function*(){}).constructor('yield 1')", "SCRIPT_ERROR"},
		{"Object.getPrototypeOf((async()=>{}).constructor)('return 1')", "SCRIPT_ERROR"},
		{"fetch('x')", "SCRIPT_ERROR 1:1 ReferenceError: 'fetch' is not defined"},
		{"[typeof fetch, typeof process, typeof require, typeof Buffer, typeof performance, typeof SharedArrayBuffer].join()", `"undefined,undefined,undefined,undefined,undefined,undefined"`},
	} {
		t.Run(strings.ReplaceAll(c.src, "\n", "␤"), func(t *testing.T) {
			out := run(t, e, c.src, wire.Limits{}, &fakePort{})
			if got := show(out); got != c.want && !(out.Error != nil && strings.HasPrefix(got, c.want)) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if out.Error == nil && !json.Valid(out.Value) {
				t.Errorf("not JSON: %s", out.Value)
			}
		})
	}
}
