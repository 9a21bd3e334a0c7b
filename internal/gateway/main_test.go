package gateway_test

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

func TestMain(m *testing.M) {
	autoclave.ServeIfWorker()
	code := m.Run()
	if shared.rt != nil {
		if err := shared.rt.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "closing the runtime:", err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared is the runtime of all tests: starting one costs more than a test.
var shared struct {
	once sync.Once
	rt   *autoclave.Runtime
	err  error
}

func testRuntime(t *testing.T) *autoclave.Runtime {
	t.Helper()
	shared.once.Do(func() {
		shared.rt, shared.err = autoclave.Open(context.Background(), autoclave.Config{
			Limits: testLimits,
			// The race detector slows a worker's start and its re-arming.
			Pool: autoclave.PoolConfig{HealthCheckTimeout: 3 * time.Second, SpawnTimeout: 60 * time.Second, MaxWorkers: 4},
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.rt
}

var testLimits = autoclave.Limits{CPU: 60 * time.Second, Wall: 120 * time.Second}

// fakeHost answers tool calls by name.
type fakeHost struct {
	mu    sync.Mutex
	tools map[string]func(context.Context, json.RawMessage) (string, error)
}

func (h *fakeHost) CallTool(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	h.mu.Lock()
	f := h.tools[c.Server+"."+c.Tool]
	h.mu.Unlock()
	if f == nil {
		e := autoclave.Errorf(autoclave.ToolNotFound, "the server %q has no tool %q", c.Server, c.Tool)
		e.Suggestion = `Did you mean "echo"?`
		return autoclave.Value{}, e
	}
	s, err := f(ctx, c.Arguments)
	return autoclave.Value{JSON: json.RawMessage(s)}, err
}

func (h *fakeHost) ReadResource(_ context.Context, server, uri string) (json.RawMessage, error) {
	return json.RawMessage(fmt.Sprintf(`{"contents":[{"uri":%q,"text":"the text of %s"}]}`, uri, server)), nil
}

func (h *fakeHost) ListResources(context.Context, string) (json.RawMessage, error) {
	return json.RawMessage(`[]`), nil
}

func echo(_ context.Context, args json.RawMessage) (string, error) { return string(args), nil }

func someTools() map[string]func(context.Context, json.RawMessage) (string, error) {
	return map[string]func(context.Context, json.RawMessage) (string, error){"s.echo": echo}
}

func someCatalog() *catalog.Catalog {
	return catalog.New([]catalog.Server{
		{Name: "s", Description: "Says things back.", Tools: []catalog.Tool{
			{Name: "echo", Description: "Says back what it is told.", InputSchema: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`)},
			{Name: "shout", Description: "Says it louder."},
		}},
		{Name: "broken", Problem: "it did not start: exit status 1"},
	})
}

// world is a gateway with one client.
type world struct {
	t       *testing.T
	gateway *gateway.Gateway
	host    *fakeHost
	client  *mcp.ClientSession
	served  chan error

	mu       sync.Mutex
	callers  []gateway.Caller
	progress []*mcp.ProgressNotificationParams
	logs     []string
	changed  chan struct{} // gets one for each notification, as far as it has room
}

type setup struct {
	config   func(*gateway.Config)
	options  func(*mcp.ClientOptions)
	protocol string // empty: the newest
	tools    map[string]func(context.Context, json.RawMessage) (string, error)
}

const legacy = "2025-11-25"

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{t: t, host: &fakeHost{tools: s.tools}, served: make(chan error, 1), changed: make(chan struct{}, 1000)}
	if w.host.tools == nil {
		w.host.tools = someTools()
	}
	cfg := gateway.Config{
		Runtime: testRuntime(t), Limits: testLimits, Catalog: someCatalog, Version: "1.2.3",
		NewHost: func(c gateway.Caller) (autoclave.Host, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.callers = append(w.callers, c)
			return w.host, nil
		},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if s.config != nil {
		s.config(&cfg)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.gateway = g
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Error("closing the gateway:", err)
		}
	})
	w.client, w.served = w.connect(s)
	return w
}

func (w *world) connect(s setup) (*mcp.ClientSession, chan error) {
	w.t.Helper()
	ours, theirs := mcp.NewInMemoryTransports()
	served := make(chan error, 1)
	go func() { served <- w.gateway.Serve(context.Background(), ours) }()
	opts := &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			w.mu.Lock()
			w.progress = append(w.progress, r.Params)
			w.mu.Unlock()
			w.changed <- struct{}{}
		},
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			w.mu.Lock()
			w.logs = append(w.logs, fmt.Sprintf("%s %v", r.Params.Level, r.Params.Data))
			w.mu.Unlock()
			w.changed <- struct{}{}
		},
	}
	if s.options != nil {
		s.options(opts)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, opts)
	cs, err := client.Connect(context.Background(), theirs, &mcp.ClientSessionOptions{ProtocolVersion: s.protocol})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cs.Close()
		select {
		case err := <-served:
			if err != nil {
				w.t.Error("Serve:", err)
			}
			served <- nil
		case <-time.After(30 * time.Second):
			w.t.Error("Serve did not return after the client had closed its end")
		}
	})
	return cs, served
}

func (w *world) execute(code string) *mcp.CallToolResult {
	w.t.Helper()
	return w.call("execute", map[string]any{"code": code})
}

func (w *world) call(tool string, args any) *mcp.CallToolResult {
	w.t.Helper()
	res, err := w.client.CallTool(context.Background(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// value runs a program that must have one.
func (w *world) value(code string) string {
	w.t.Helper()
	res := w.execute(code)
	if res.IsError {
		w.t.Fatalf("the program failed: %s", text(res))
	}
	return text(res)
}

// until waits until ok says so, looking again at each notification.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	limit := time.After(60 * time.Second)
	for {
		w.mu.Lock()
		done := ok()
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-w.changed:
		case <-limit:
			w.t.Fatalf("waited for %s in vain", what)
		}
	}
}

// text is the first block of a result.
func text(res *mcp.CallToolResult) string {
	if len(res.Content) == 0 {
		return ""
	}
	c, ok := res.Content[0].(*mcp.TextContent)
	if !ok {
		return fmt.Sprintf("(%T)", res.Content[0])
	}
	return c.Text
}

func structured(t *testing.T, res *mcp.CallToolResult) map[string]any {
	t.Helper()
	m, ok := res.StructuredContent.(map[string]any)
	if !ok {
		t.Fatalf("the structured content is a %T", res.StructuredContent)
	}
	return m
}

// both runs a test with a client of each kind: one that begins with
// initialize, and one that says with each request who it is.
func both(t *testing.T, f func(t *testing.T, protocol string)) {
	for _, p := range []string{legacy, ""} {
		name := p
		if p == "" {
			name = "newest"
		}
		t.Run(name, func(t *testing.T) { f(t, p) })
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

var errTest = errors.New("as the test wants it")
