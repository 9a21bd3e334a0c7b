package quickjs_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		e, err := quickjs.New(quickjs.Config{})
		if err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}

// benchRun measures executions of src; arming is in it only if asked.
func benchRun(b *testing.B, src string, port quickjs.Port, arm bool) {
	b.ReportAllocs()
	e, err := quickjs.New(quickjs.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	p := quickjs.Program{Source: []byte(src), Limits: wire.Limits{CPU: 5000, Calls: 1 << 40, Concurrency: 8, Result: 32 << 20, Arguments: 32 << 20}}
	one := func() {
		out, err := e.Run(p, port)
		if err != nil || out.Error != nil {
			b.Fatal(err, out.Error)
		}
	}
	one()
	if err := e.Arm(0, 0); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		one()
		if !arm {
			b.StopTimer()
		}
		if err := e.Arm(0, 0); err != nil {
			b.Fatal(err)
		}
		if !arm {
			b.StartTimer()
		}
	}
}

func BenchmarkRunAndArm(b *testing.B) { benchRun(b, "async () => 1+1", &fakePort{}, true) }

// BenchmarkArm arms after an execution of 1+1; the execution is not counted.
func BenchmarkArm(b *testing.B) {
	e, err := quickjs.New(quickjs.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	p := quickjs.Program{Source: []byte("async () => 1+1")}
	for b.Loop() {
		b.StopTimer()
		if _, err := e.Run(p, &fakePort{}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := e.Arm(0, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkArmAllLibraries is the same with all of the prelude in the image.
func BenchmarkArmAllLibraries(b *testing.B) {
	benchRun(b, "globalThis; console.log({}); [new Map()]", &nullPort{}, true)
}

// BenchmarkFirstUse is an execution that needs every library in a new process.
func BenchmarkFirstUse(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e, err := quickjs.New(quickjs.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if out, err := e.Run(quickjs.Program{Source: []byte("globalThis; console.log({}); [new Map()]")}, &nullPort{}); err != nil || out.Error != nil {
			b.Fatal(err, out.Error)
		}
		b.StopTimer()
		e.Close()
		b.StartTimer()
	}
}

func BenchmarkTypeScript(b *testing.B) {
	benchRun(b, "async (): Promise<number> => { const a: number = 1; return a + 1 }", &fakePort{}, true)
}

// nullPort keeps nothing.
type nullPort struct{ fakePort }

func (*nullPort) Log(string, string, bool) error { return nil }

// echoPort answers every call at once with a fixed result and keeps nothing.
type echoPort struct {
	fakePort
	body []byte
	form wire.Form
}

func (p *echoPort) Call(c quickjs.Call) error {
	p.ready = append(p.ready[:0], quickjs.Event{Call: c.ID, Form: p.form, Body: p.body})
	return nil
}

func BenchmarkTenCalls(b *testing.B) {
	port := &echoPort{body: []byte(`{"content":[{"type":"text","text":"hello"}],"structuredContent":{"id":1,"name":"x"}}`), form: wire.FormMCP}
	benchRun(b, `async () => { let n = 0; for (let i = 0; i < 10; i++) n += (await tools.demo.get({ id: i })).id; return n }`, port, true)
}

func rows(n int) []byte {
	var buf bytes.Buffer
	buf.WriteByte('[')
	for i := 0; buf.Len() < n; i++ {
		if i > 0 {
			buf.WriteByte(',')
		}
		fmt.Fprintf(&buf, `{"id":%d,"name":"row number %d","score":%d.5,"tags":["a","b"],"active":true}`, i, i, i)
	}
	buf.WriteByte(']')
	return buf.Bytes()
}

func BenchmarkIn2MB(b *testing.B) {
	body := rows(2 << 20)
	b.SetBytes(int64(len(body)))
	benchRun(b, `async () => (await tools.demo.rows()).length`, &echoPort{body: body}, true)
}

func BenchmarkOut2MB(b *testing.B) {
	body := rows(2 << 20)
	b.SetBytes(int64(len(body)))
	benchRun(b, `async () => await tools.demo.rows()`, &echoPort{body: body}, true)
}

func BenchmarkOutString2MB(b *testing.B) {
	b.SetBytes(2 << 20)
	benchRun(b, `async () => "x".repeat(2 << 20)`, &fakePort{}, true)
}
