package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// web is a gateway that is served over HTTP, at a port of its own.
type web struct {
	t       *testing.T
	gateway *gateway.Gateway
	handler *gateway.HTTP
	host    *fakeHost
	address string
	url     string
	stop    context.CancelFunc
	served  chan error
	// silent clients have no stream besides their requests: they give up all
	// that they wait for when that breaks off.
	silent bool

	mu      sync.Mutex
	callers []gateway.Caller
}

type webSetup struct {
	http    gateway.HTTPConfig
	gateway func(*gateway.Config)
	tools   map[string]func(context.Context, json.RawMessage) (string, error)
}

const aliceToken, bobToken = "alice-alice-alice-alice", "bob-bob-bob-bob-bob"

var twoTokens = []gateway.Token{{Principal: "alice", Token: aliceToken}, {Principal: "bob", Token: bobToken}}

func newWeb(t *testing.T, s webSetup) *web {
	t.Helper()
	w := &web{t: t, host: &fakeHost{tools: s.tools}, served: make(chan error, 1)}
	if w.host.tools == nil {
		w.host.tools = someTools()
	}
	cfg := gateway.Config{
		Limits: testLimits, Catalog: someCatalog, Version: "1.2.3",
		NewHost: func(c gateway.Caller) (autoclave.Host, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.callers = append(w.callers, c)
			return w.host, nil
		},
	}
	if s.gateway != nil {
		s.gateway(&cfg)
	}
	if cfg.Runtime == nil {
		cfg.Runtime = testRuntime(t)
	}
	var err error
	if w.gateway, err = gateway.New(cfg); err != nil {
		t.Fatal(err)
	}
	if w.handler, err = w.gateway.NewHTTP(s.http); err != nil {
		t.Fatal(err)
	}
	l, err := w.handler.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = l.Addr().String()
	w.url = "http://" + w.address + "/mcp"
	if s.http.TLS != nil {
		w.url = "https://" + w.address + "/mcp"
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() { w.served <- w.handler.Serve(ctx, l) }()
	t.Cleanup(w.end)
	return w
}

// end has Serve end, and waits for it. It may be called more than once.
func (w *web) end() {
	w.t.Helper()
	w.stop()
	select {
	case err := <-w.served:
		if err != nil {
			w.t.Error("Serve:", err)
		}
		w.served <- nil
	case <-time.After(60 * time.Second):
		w.t.Fatal("Serve did not end with its context")
	}
}

// asToken sends a token with each request.
type asToken struct {
	token string
	under http.RoundTripper
}

func (a asToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.token)
	return a.under.RoundTrip(r)
}

// connect makes a client of the SDK's. An empty protocol is the newest.
func (w *web) connect(token, protocol string, options *mcp.ClientOptions) *mcp.ClientSession {
	w.t.Helper()
	cs, err := w.tryConnect(token, protocol, options)
	if err != nil {
		w.t.Fatal(err)
	}
	return cs
}

func (w *web) tryConnect(token, protocol string, options *mcp.ClientOptions) (*mcp.ClientSession, error) {
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	var trip http.RoundTripper = transport
	if token != "" {
		trip = asToken{token, transport}
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options)
	cs, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{
		Endpoint: w.url, HTTPClient: &http.Client{Transport: trip}, MaxRetries: -1, DisableStandaloneSSE: w.silent,
	}, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
	if err == nil {
		w.t.Cleanup(func() { cs.Close() })
	}
	return cs, err
}

// run executes a program that must have a value, and returns it.
func (w *web) run(cs *mcp.ClientSession, code string, more ...any) string {
	w.t.Helper()
	args := map[string]any{"code": code}
	for i := 0; i < len(more); i += 2 {
		args[more[i].(string)] = more[i+1]
	}
	res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: args})
	if err != nil {
		w.t.Fatal(err)
	}
	if res.IsError {
		w.t.Fatalf("%s failed: %s", code, text(res))
	}
	return text(res)
}

// raw are requests as anybody can make them.
type raw struct {
	method, body, token, session, version string
	header                                map[string]string
	host                                  string
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`

func execution(code string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"execute","arguments":{"code":%q}}}`, code)
}

// statelessExecution is one of 2026-07-28, with the headers that it needs.
func statelessExecution(token, code string) raw {
	return raw{
		token: token, version: "2026-07-28", header: map[string]string{"Mcp-Method": "tools/call", "Mcp-Name": "execute"},
		body: fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"execute","arguments":{"code":%q},"_meta":{`+
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"},`+
			`"io.modelcontextprotocol/clientCapabilities":{}}}}`, code),
	}
}

func (w *web) request(ctx context.Context, q raw) *http.Request {
	w.t.Helper()
	if q.method == "" {
		q.method = http.MethodPost
	}
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, w.url, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Mcp-Session-Id": q.session, "Mcp-Protocol-Version": q.version} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	if q.host != "" {
		r.Host = q.host
	}
	return r
}

// do sends a request over a connection of its own and returns the whole answer.
func (w *web) do(q raw) (*http.Response, string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(w.request(ctx, q))
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(body)
}

// open initializes a session and returns its id.
func (w *web) open(token string) string {
	w.t.Helper()
	res, body := w.do(raw{token: token, body: initialize})
	id := res.Header.Get("Mcp-Session-Id")
	if res.StatusCode != http.StatusOK || id == "" {
		w.t.Fatalf("initialize: %s %s", res.Status, body)
	}
	w.do(raw{token: token, session: id, version: legacy, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`})
	return id
}

// stream is an answer that is being read, event by event.
type stream struct {
	t    *testing.T
	res  *http.Response
	scan *bufio.Scanner
	cut  context.CancelFunc
}

func (w *web) stream(q raw) *stream {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(w.request(ctx, q))
	if err != nil {
		w.t.Fatal(err)
	}
	s := &stream{t: w.t, res: res, scan: bufio.NewScanner(res.Body), cut: func() { cancel(); res.Body.Close() }}
	s.scan.Buffer(nil, 64<<20)
	w.t.Cleanup(s.cut)
	return s
}

// next returns the next event's id and data; comments are events without
// either. It is not ok at the end.
func (s *stream) next() (id, data string, ok bool) {
	for s.scan.Scan() {
		line := s.scan.Text()
		switch {
		case line == "":
			return id, data, true
		case strings.HasPrefix(line, "id: "):
			id = line[4:]
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		}
	}
	return "", "", false
}

// dial connects to the server as a client that keeps to nothing.
func (w *web) dial() net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// eventually waits until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// gateTool is a tool that waits until it is let through. It says on entered
// that it was called.
func gateTool() (tool func(context.Context, json.RawMessage) (string, error), entered chan string, open chan struct{}) {
	entered, open = make(chan string, 10000), make(chan struct{})
	return func(ctx context.Context, args json.RawMessage) (string, error) {
		entered <- string(args)
		select {
		case <-open:
			return `"through"`, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}, entered, open
}
