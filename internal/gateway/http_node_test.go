package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// peers returns the directory with the packages of real clients.
func peers(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "test", "npm", "node_modules"))
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "@modelcontextprotocol", "sdk"))
	}
	if err == nil {
		_, err = exec.LookPath("node")
	}
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("Node.js and the packages of test/npm are needed: %v", err)
	case err != nil:
		t.Skipf("Node.js, or the packages of test/npm (npm ci --ignore-scripts), are not here: %v", err)
	}
	return dir
}

// cutter passes connections on, and can break all of them off.
type cutter struct {
	l  net.Listener
	to string

	mu     sync.Mutex
	conns  []net.Conn
	passed bytes.Buffer // to clients
	wg     sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{l: l, to: to}
	c.wg.Go(c.accept)
	t.Cleanup(func() { l.Close(); c.cut(); c.wg.Wait() })
	return c
}

func (c *cutter) accept() {
	for {
		in, err := c.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		if err != nil {
			in.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, in, out)
		c.mu.Unlock()
		pass := func(to io.Writer, from io.Reader) {
			_, _ = io.Copy(to, from)
			out.Close()
			in.Close()
		}
		c.wg.Go(func() { pass(out, in) })
		c.wg.Go(func() { pass(watched{c, in}, out) })
	}
}

// watched is the connection to a client.
type watched struct {
	c  *cutter
	to io.Writer
}

func (w watched) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.passed.Write(p[:n])
	return n, err
}

// hasPassed reports whether a text was passed on to a client.
func (c *cutter) hasPassed(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.passed.Bytes(), []byte(text))
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestTypeScriptClients has the official SDK's clients, the one with sessions
// and the one without, run a program; and the first lose all its connections in
// the middle of one.
func TestTypeScriptClients(t *testing.T) {
	modules := peers(t)
	gate, entered, open := gateTool()
	w := newWeb(t, webSetup{
		http: gateway.HTTPConfig{Tokens: twoTokens},
		gateway: func(c *gateway.Config) {
			c.NewHost = func(caller gateway.Caller) (autoclave.Host, error) {
				return &fakeHost{tools: map[string]func(context.Context, json.RawMessage) (string, error){
					"s.gate": gate, "s.echo": echo,
					"s.elicit": func(ctx context.Context, _ json.RawMessage) (string, error) {
						answer, err := caller.Client.Ask(ctx, "elicitation/create", json.RawMessage(`{"message":"?","requestedSchema":{"type":"object","properties":{}}}`))
						return string(answer), err
					},
				}}, nil
			}
		},
	})
	type outcome struct {
		Session, Text                 string
		Tools, Progress, Logs, Errors []string
		Value                         json.RawMessage
	}
	run := func(url, sdk, code string) (got outcome) {
		t.Helper()
		options, err := json.Marshal(map[string]string{"modules": modules, "sdk": sdk, "url": url, "token": aliceToken, "code": code})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "http", "client.mjs"), string(options))
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v: %s", sdk, err, errs.String())
			return got
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Errorf("%s: %v: %s", sdk, err, out)
		}
		return got
	}
	for _, sdk := range []string{"v1", "v2"} {
		got := run(w.url, sdk, `console.log("hello"); progress(1, 2, "half"); await sleep(50); progress(2, 2, "all");
			await stash.put("k", 7); return [await stash.get("k"), (await tools.s.elicit()).action]`)
		if got.Text != `[7,"decline"]` || string(got.Value) != `[7,"decline"]` || !slices.Equal(got.Tools, []string{"execute", "search"}) {
			t.Errorf("%s: %+v", sdk, got)
		}
		if !slices.Contains(got.Progress, "half") || sdk == "v1" && !slices.Contains(got.Logs, "hello") {
			t.Errorf("%s did not hear of progress and logs: %+v", sdk, got)
		}
		if (got.Session == "") != (sdk == "v2") {
			t.Errorf("%s has the session %q", sdk, got.Session)
		}
	}
	// Progress that we report for it does not come in one piece with the answer,
	// which the first SDK would take for an error.
	if got := run(w.url, "v1", `await tools.s.echo({}); return 1`); got.Text != "1" || len(got.Errors) > 0 {
		t.Errorf("a call right before the end: %+v", got)
	}
	eventually(t, "the sessions to be gone", func() bool { h := w.handler.Held(); return h.Sessions == 0 && h.Gateway == 0 })

	between := newCutter(t, w.address)
	done := make(chan outcome, 1)
	go func() {
		done <- run("http://"+between.l.Addr().String()+"/mcp", "v1", `console.log("it has begun"); return await tools.s.gate()`)
	}()
	<-entered
	// A client whose request is not answered at all yet cannot come back for it.
	eventually(t, "the client to have heard of it", func() bool { return between.hasPassed("it has begun") })
	between.cut()
	eventually(t, "the server to notice", func() bool { return w.handler.Held().Requests == 0 })
	close(open)
	if got := <-done; got.Text != "through" {
		t.Errorf("after the connection was cut: %+v", got)
	}
}
