package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/gateway"
)

// pipe is a client that writes and reads lines itself.
type pipe struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *bufio.Reader
	close  func()
	served chan error
}

func newPipe(t *testing.T, w *world, transport gateway.StdioTransport) *pipe {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	transport.In, transport.Out = inR, outW
	p := &pipe{t: t, in: inW, out: bufio.NewReader(outR), close: func() { outR.Close() }, served: make(chan error, 1)}
	go func() { p.served <- w.gateway.Serve(context.Background(), &transport) }()
	t.Cleanup(func() {
		inW.Close()
		outR.Close()
		p.ended()
	})
	return p
}

func (p *pipe) send(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.in, l+"\n"); err != nil {
			p.t.Fatal(err)
		}
	}
}

// read returns the next message.
func (p *pipe) read() map[string]any {
	p.t.Helper()
	l, err := p.out.ReadBytes('\n')
	if err != nil {
		p.t.Fatalf("reading an answer: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(l, &m); err != nil {
		p.t.Fatalf("the line %q: %v", l, err)
	}
	return m
}

func (p *pipe) hello() {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if m := p.read(); m["id"] != "i" || m["error"] != nil {
		p.t.Fatalf("initialize: %v", m)
	}
	p.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func (p *pipe) ended() {
	p.t.Helper()
	select {
	case err := <-p.served:
		if err != nil {
			p.t.Error("Serve:", err)
		}
		p.served <- nil
	case <-time.After(60 * time.Second):
		p.t.Fatal("Serve did not return")
	}
}

func execute(id int, code string) string {
	text, err := json.Marshal(code)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"execute","arguments":{"code":%s}}}`, id, text)
}

func TestLines(t *testing.T) {
	w := newWorld(t, setup{})
	p := newPipe(t, w, gateway.StdioTransport{MaxFrame: 4096})
	p.hello()
	for _, c := range []struct {
		name, line string
		code       float64
	}{
		{"no JSON", `{"jsonrpc":`, -32700},
		{"no message", `{"foo":1}`, -32600},
		{"a number", `12`, -32600},
		{"too long", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 100000) + `"}}`, -32600},
		{"an empty batch", `[]`, -32600},
		{"a broken batch", `[1,`, -32700},
	} {
		p.send(c.line)
		m := p.read()
		e, ok := m["error"].(map[string]any)
		if !ok || e["code"] != c.code || m["id"] != nil {
			t.Errorf("%s: %v, want code %v", c.name, m, c.code)
		}
	}
	// The session lives on, and blank lines are nothing.
	p.send("", "\r", execute(5, `return 7`))
	if m := p.read(); m["id"] != 5.0 || !strings.Contains(fmt.Sprint(m["result"]), "text:7") {
		t.Errorf("afterwards: %v", m)
	}
	// A batch is answered message by message.
	p.send(`[{"jsonrpc":"2.0","id":10,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/none"},{"jsonrpc":"2.0","id":11,"method":"ping"}]`)
	if a, b := p.read()["id"].(float64), p.read()["id"].(float64); a+b != 21 {
		t.Errorf("the batch was answered with ids %v and %v", a, b)
	}
}

// What was asked for before the client closed its end is answered still: so a
// script can be piped in.
func TestEndOfInputDrains(t *testing.T) {
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.Drain = time.Minute }})
	p := newPipe(t, w, gateway.StdioTransport{})
	p.hello()
	p.send(execute(1, `await sleep(50); return "late"`))
	p.in.Close()
	if m := p.read(); !strings.Contains(fmt.Sprint(m["result"]), "late") {
		t.Errorf("the answer is %v", m)
	}
	p.ended()
}

func TestEndOfInputWithoutNewline(t *testing.T) {
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.Drain = time.Minute }})
	p := newPipe(t, w, gateway.StdioTransport{})
	p.hello()
	if _, err := io.WriteString(p.in, execute(1, `return "last"`)); err != nil {
		t.Fatal(err)
	}
	p.in.Close()
	if m := p.read(); !strings.Contains(fmt.Sprint(m["result"]), "last") {
		t.Errorf("the answer is %v", m)
	}
	p.ended()
}

// startWaiting has a program wait for a call that ends with its context.
func startWaiting(t *testing.T, drain time.Duration) (p *pipe, w *world, ended chan struct{}) {
	started, ended := make(chan struct{}), make(chan struct{})
	tools := someTools()
	tools["s.wait"] = func(ctx context.Context, _ json.RawMessage) (string, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return "", ctx.Err()
	}
	w = newWorld(t, setup{tools: tools, config: func(c *gateway.Config) { c.Drain = drain }})
	p = newPipe(t, w, gateway.StdioTransport{})
	p.hello()
	p.send(execute(1, `await tools.s.wait()`))
	<-started
	return p, w, ended
}

func TestClientGoes(t *testing.T) {
	p, w, ended := startWaiting(t, 10*time.Millisecond)
	w.mu.Lock()
	store := w.callers[0].Stash
	w.mu.Unlock()
	p.in.Close()
	// It reads to the end, and hears that its program was ended.
	if m := p.read(); !strings.Contains(fmt.Sprint(m["result"]), "CANCELLED: ") {
		t.Errorf("the answer is %v", m)
	}
	p.ended()
	<-ended
	if _, _, err := store.Keys(); err == nil {
		t.Error("the session's stash is still open")
	}
}

// A client that has gone altogether does not read what is written to it.
func TestClientGoesWithoutReading(t *testing.T) {
	p, _, ended := startWaiting(t, -1)
	p.in.Close()
	p.ended()
	<-ended
}

func TestClientClosesItsOutput(t *testing.T) {
	p, _, ended := startWaiting(t, -1)
	p.close()
	p.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`) // cannot be answered any more
	p.ended()
	<-ended
}
