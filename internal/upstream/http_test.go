//go:build unix

package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

func TestHTTP(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %t", stream), func(t *testing.T) {
			f := newWebFake(t, func(f *webFake) { f.stream = stream })
			cfg := f.config()
			cfg.MaxFrame = 1 << 20
			u := connect(t, cfg)
			if got := u.Info(); got.Protocol != "2025-11-25" || got.Name != "web" {
				t.Errorf("got %+v", got)
			}
			if tools, err := u.Tools(t.Context()); err != nil || len(tools) != 2 {
				t.Errorf("got %v, %v", tools, err)
			}
			if got, err := u.Call(t.Context(), "raw", nil); err != nil || string(got) != rawResult {
				t.Errorf("got  %s, %v\nwant %s", got, err, rawResult)
			}
			for _, c := range []struct {
				tool, args string
				kind       upstream.Kind
				says       string
				unsent     bool
			}{
				{tool: "page", kind: upstream.Protocol, says: `200 OK and the type "text/html`},
				{tool: "nothing", kind: upstream.Protocol, says: "202 Accepted"},
				{tool: "not JSON", kind: upstream.Protocol, says: "no message"},
				{tool: "other's", kind: upstream.Protocol, says: "another request"},
				{tool: "cut", kind: upstream.Unavailable, says: "broke off"},
				{tool: "stream ends", kind: upstream.Unavailable, says: "broke off"},
				{tool: "big", args: `{"n":2000000}`, kind: upstream.TooLarge, says: "over the limit of 1048576"},
				{tool: "chunked big", args: `{"n":2000000}`, kind: upstream.TooLarge, says: "over the limit of 1048576"},
				{tool: "refuse", kind: upstream.Refused, says: "n must be positive"},
				{tool: "refuse by status", kind: upstream.Refused, says: "n must be positive"},
			} {
				args := json.RawMessage(c.args)
				if c.args == "" {
					args = nil
				}
				_, err := u.Call(t.Context(), c.tool, args)
				e := wantKind(t, err, c.kind)
				if !strings.Contains(e.Message, c.says) || !e.Sent {
					t.Errorf("%s: got %q, sent %t", c.tool, e.Message, e.Sent)
				}
				if strings.Contains(e.Error(), "hush") {
					t.Errorf("%s: the error shows the URL: %v", c.tool, e)
				}
			}
			// None of that was the session's end.
			for _, tool := range []string{"batch", "chunked big"} {
				if got, err := u.Call(t.Context(), tool, json.RawMessage(`{"n":5000}`)); err != nil || string(got) != `{"content":[]}` {
					t.Errorf("%s: got %s, %v", tool, got, err)
				}
			}
			if n := f.count("initialize"); n != 1 || u.Err() != nil {
				t.Errorf("%d sessions, %v", n, u.Err())
			}
			closeNow(t, u)
			if f.count("DELETE") != 1 {
				t.Errorf("the server was not told of the end: %v", f.methods())
			}
		})
	}
	t.Run("sixteen megabytes", func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			f := newWebFake(t, func(f *webFake) { f.stream = stream })
			got, err := connect(t, f.config()).Call(t.Context(), "big", json.RawMessage(`{"n":16777216}`))
			if err != nil || len(got) < 16<<20 {
				t.Errorf("stream %t: got %d bytes, %v", stream, len(got), err)
			}
		}
	})
	t.Run("no server/discover", func(t *testing.T) {
		f := newWebFake(t, func(f *webFake) { f.mute = true; f.quiet = true })
		cfg := f.config()
		cfg.DiscoverTimeout = 50 * time.Millisecond
		if got := connect(t, cfg).Info().Protocol; got != "2025-11-25" {
			t.Errorf("got %s", got)
		}
	})
}

func TestHTTPStatus(t *testing.T) {
	f := newWebFake(t, nil)
	u := connect(t, f.config())
	for _, c := range []struct {
		status int
		kind   upstream.Kind
		sent   bool
		says   string
	}{
		{401, upstream.Denied, false, "other credentials (401 Unauthorized)"},
		{403, upstream.Denied, false, "do not allow this"},
		{405, upstream.Denied, false, "no MCP endpoint"},
		{413, upstream.Denied, false, "refused the request: 413"},
		{429, upstream.Unavailable, false, "too many requests"},
		{500, upstream.Unavailable, true, "it failed: 500 Internal Server Error"},
		{503, upstream.Unavailable, true, "it failed: 503"},
	} {
		f.set(c.status)
		_, err := u.Call(t.Context(), "raw", nil)
		if e := wantKind(t, err, c.kind); e.Sent != c.sent || !strings.Contains(e.Message, c.says) || strings.Contains(e.Message, "secret page") {
			t.Errorf("%d: got sent %t, %q", c.status, e.Sent, e.Message)
		}
	}
	f.set(0)
	if _, err := u.Call(t.Context(), "raw", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestHTTPCredentials(t *testing.T) {
	f := newWebFake(t, func(f *webFake) { f.require = "Bearer t0k3n" })
	_, err := upstream.Connect(t.Context(), f.config())
	if e := wantKind(t, err, upstream.Denied); !strings.Contains(e.Message, "401") {
		t.Errorf("got %v", e)
	}
	cfg := f.config()
	cfg.Headers = map[string]string{"authorization": "Bearer t0k3n", "X-Team": "blue"}
	u := connect(t, cfg)
	if _, err := u.Call(t.Context(), "raw", nil); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	for i, h := range f.headers[len(f.headers)-3:] {
		if h.Get("X-Team") != "blue" {
			t.Errorf("request %d is without our header", i)
		}
	}
	f.mu.Unlock()

	// Nothing of it goes elsewhere: not by a redirect, not by an SSE endpoint.
	thief := newWebFake(t, nil)
	for _, c := range []struct {
		transport upstream.Transport
		lure      http.HandlerFunc
	}{
		{upstream.HTTP, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		}},
		{upstream.SSE, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		}},
		{upstream.SSE, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: endpoint\ndata: %s\n\n", thief.URL)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
	} {
		srv := httptest.NewServer(c.lure)
		_, err = upstream.Connect(t.Context(), upstream.Config{
			Name: "lure", URL: srv.URL, Transport: c.transport, Headers: map[string]string{"Authorization": "Bearer t0k3n"}, ConnectTimeout: patience,
		})
		if e := wantKind(t, err, upstream.Denied); !strings.Contains(e.Message, "another origin") {
			t.Errorf("%s: got %v", c.transport, e)
		}
		srv.Close()
	}
	if got := thief.methods(); len(got) != 0 {
		t.Errorf("the thief got %v", got)
	}
}

// TestUnreachable is about the words: which of the many things is wrong.
func TestUnreachable(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	for _, c := range []struct{ name, url, says string }{
		{"unknown authority", secure.URL, "authority that is not trusted here"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), "answers without TLS"},
		{"nobody", "http://" + free, "nothing listens at " + free},
		{"no endpoint", plain.URL, "no MCP endpoint (404 Not Found)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := upstream.Connect(t.Context(), upstream.Config{Name: "x", URL: c.url + "/?token=hush", ConnectTimeout: patience})
			e, ok := errors.AsType[*upstream.Error](err)
			if !ok || !strings.Contains(e.Message, c.says) || strings.Contains(e.Error(), "hush") || e.Sent {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
	t.Run("silent", func(t *testing.T) {
		hole := newWebFake(t, func(f *webFake) { f.mute = true })
		for _, transport := range []upstream.Transport{upstream.HTTP, upstream.SSE} {
			cfg := hole.config()
			cfg.ConnectTimeout, cfg.Transport = 100*time.Millisecond, transport
			cfg.URL = strings.Replace(cfg.URL, "/mcp", "/silent", 1)
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadAll(r.Body)
				<-r.Context().Done()
			}))
			cfg.URL = srv.URL
			_, err := upstream.Connect(t.Context(), cfg)
			wantKind(t, err, upstream.TimedOut)
			srv.Close()
		}
	})
}

func TestProxy(t *testing.T) {
	f := newWebFake(t, nil)
	var hosts []string
	var mu sync.Mutex
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hosts = append(hosts, r.URL.Host)
		mu.Unlock()
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	cfg := f.config()
	cfg.URL = "http://mcp.example.invalid/mcp"
	u := connect(t, cfg)
	if _, err := u.Call(t.Context(), "raw", nil); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(hosts) == 0 || hosts[0] != "mcp.example.invalid" {
		t.Errorf("got %v", hosts)
	}
}

func TestResumption(t *testing.T) {
	f := newWebFake(t, nil)
	u := connect(t, f.config())
	got, err := u.Call(t.Context(), "taken up", nil)
	if err != nil || string(got) != rawResult {
		t.Errorf("got %s, %v", got, err)
	}
	if f.mu.Lock(); !slices.Equal(f.resumed, []string{"e1"}) {
		t.Errorf("taken up after %q", f.resumed)
	}
	f.mu.Unlock()
}

func TestHTTPCancel(t *testing.T) {
	f := newWebFake(t, nil)
	u := connect(t, f.config())
	for _, tool := range []string{"hang", "hang in stream"} {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		before := f.count("tools/call")
		go func() {
			_, err := u.Call(ctx, tool, nil)
			result <- err
		}()
		poll(t, "the call to arrive", func() bool { return f.count("tools/call") > before })
		cancelled := f.count("notifications/cancelled")
		cancel()
		wantKind(t, <-result, upstream.Cancelled)
		poll(t, "notifications/cancelled", func() bool { return f.count("notifications/cancelled") == cancelled+1 })
	}
	cfg := f.config()
	cfg.CallTimeout = 50 * time.Millisecond
	_, err := connect(t, cfg).Call(t.Context(), "hang", nil)
	wantKind(t, err, upstream.TimedOut)

	hung := make(chan error, 1)
	before := f.count("tools/call")
	u2 := connect(t, f.config())
	go func() {
		_, err := u2.Call(t.Context(), "hang", nil)
		hung <- err
	}()
	poll(t, "the call to arrive", func() bool { return f.count("tools/call") > before })
	closeNow(t, u2)
	// The server may end the stream, at the end of the session, before the
	// connection is closed here.
	var typed *upstream.Error
	if err := <-hung; !errors.As(err, &typed) || typed.Kind != upstream.Closed && typed.Kind != upstream.Unavailable {
		t.Errorf("a call under way when the upstream was closed: %v", err)
	}
}

// TestHTTPApply removes a server while it is called: the call ends first, then
// the server is told that the session is over.
func TestHTTPApply(t *testing.T) {
	f := newWebFake(t, nil)
	s := openSet(t, f.config())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	v := s.View()
	if _, err := s.Apply(nil, 0); err != nil {
		t.Fatal(err)
	}
	if raw, err := v.Call(ctx, "web", "raw", nil); err != nil || string(raw) != rawResult {
		t.Errorf("got %s, %v", raw, err)
	}
	if n := f.count(http.MethodDelete); n != 0 {
		t.Errorf("%d sessions were ended under a view", n)
	}
	v.Release()
	poll(t, "the end of the session", func() bool { return f.count(http.MethodDelete) == 1 })
}

// TestHTTPComesBack is a server that is restarted and knows no session any
// more, and one that drops its stream for notifications at will.
func TestHTTPComesBack(t *testing.T) {
	f := newWebFake(t, nil)
	s := openSet(t, f.config())
	if _, err := s.Call(t.Context(), "web", "raw", nil); err != nil {
		t.Fatal(err)
	}
	before := s.Version()

	for range 3 {
		f.dropped <- struct{}{}
	}
	f.news <- `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	poll(t, "the list to be asked for", func() bool { return f.count("tools/list") == 2 })
	if n := f.count("initialize"); n != 1 {
		t.Errorf("%d sessions", n)
	}

	f.restart()
	_, err := s.Call(t.Context(), "web", "raw", nil)
	if e := wantKind(t, err, upstream.Unavailable); e.Sent || !strings.Contains(e.Message, "no longer knows our session") {
		t.Errorf("got sent %t, %v", e.Sent, e)
	}
	poll(t, "the server to be back with its new tools", func() bool {
		m := s.Members()[0]
		return m.Up && len(m.Tools) == 2 && m.Tools[1].Name == "of_session_2"
	})
	if s.Version() == before {
		t.Error("the version is the old one")
	}
	if _, err := s.Call(t.Context(), "web", "raw", nil); err != nil {
		t.Error(err)
	}
}

// sdkServer is the SDK's own server, with a tool that is slow, one that asks,
// and one that changes the list.
func sdkServer() *mcp.Server {
	srv := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
	type none struct{}
	mcp.AddTool(srv, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in map[string]any) (*mcp.CallToolResult, map[string]any, error) {
		return nil, in, nil
	})
	mcp.AddTool(srv, &mcp.Tool{Name: "grow"}, func(_ context.Context, _ *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, none, error) {
		mcp.AddTool(srv, &mcp.Tool{Name: "grown"}, func(context.Context, *mcp.CallToolRequest, none) (*mcp.CallToolResult, none, error) {
			return nil, none{}, nil
		})
		return nil, none{}, nil
	})
	return srv
}

func TestSDKServers(t *testing.T) {
	handlers := map[string]func(*mcp.Server) http.Handler{
		"streamable": func(s *mcp.Server) http.Handler {
			return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
		},
		"streamable, stateless": func(s *mcp.Server) http.Handler {
			return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true})
		},
		"streamable, JSON": func(s *mcp.Server) http.Handler {
			return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{JSONResponse: true})
		},
		"streamable, with a store": func(s *mcp.Server) http.Handler {
			return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
		},
		"sse": func(s *mcp.Server) http.Handler {
			return mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil)
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(handler(sdkServer()))
			t.Cleanup(srv.Close) // after the set
			s := openSet(t, upstream.Config{Name: "sdk", URL: srv.URL, ConnectTimeout: patience})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			u, err := s.Get(ctx, "sdk")
			if err != nil {
				t.Fatal(err)
			}
			t.Log(u.Info().Protocol)
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					got, err := s.Call(ctx, "sdk", "echo", json.RawMessage(fmt.Sprintf(`{"i":%d,"pad":%q}`, i, strings.Repeat("p", 10000))))
					if err != nil || !strings.Contains(string(got), fmt.Sprintf(`"i":%d,`, i)) {
						t.Errorf("call %d: got %.100s, %v", i, got, err)
					}
				})
			}
			all.Wait()
			if _, err := s.Call(ctx, "sdk", "grow", nil); err != nil {
				t.Fatal(err)
			}
			if name == "streamable, stateless" && u.Info().Protocol < "2026" {
				return // it cannot tell
			}
			poll(t, "the new tool", func() bool { return len(s.Members()[0].Tools) == 3 })
		})
	}
}

func TestSSEServer(t *testing.T) {
	// The server answers by its stream, also what the POST was refused for.
	inner := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return sdkServer() }, nil)
	var mu sync.Mutex
	broken := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		b := broken
		mu.Unlock()
		if b && r.Method == http.MethodPost {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s := openSet(t, upstream.Config{Name: "old", URL: srv.URL, Transport: upstream.SSE, ConnectTimeout: patience, BackoffMin: time.Millisecond, BreakerFailures: -1})
	if _, err := s.Call(t.Context(), "old", "echo", nil); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	broken = true
	mu.Unlock()
	_, err := s.Call(t.Context(), "old", "echo", nil)
	if e := wantKind(t, err, upstream.Unavailable); !strings.Contains(e.Message, "502") {
		t.Errorf("got %v", e)
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	if _, err := s.Call(t.Context(), "old", "echo", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	// Its stream ends: a new one is opened.
	srv.CloseClientConnections()
	poll(t, "the server to be back", func() bool {
		_, err := s.Call(t.Context(), "old", "echo", nil)
		return err == nil
	})
}

// TestBreaker needs a server that stands and does not work.
func TestBreaker(t *testing.T) {
	f := newWebFake(t, nil)
	cfg := f.config()
	cfg.BreakerFailures, cfg.BreakerCooldown = 3, 50*time.Millisecond
	s := openSet(t, cfg)
	f.set(503)
	for range 3 {
		_, err := s.Call(t.Context(), "web", "raw", nil)
		wantKind(t, err, upstream.Unavailable)
	}
	calls := f.count("tools/call")
	_, err := s.Call(t.Context(), "web", "raw", nil)
	if e := wantKind(t, err, upstream.CircuitOpen); e.Sent || e.RetryAfter <= 0 || e.RetryAfter > cfg.BreakerCooldown {
		t.Errorf("got %+v", e)
	}
	if f.count("tools/call") != calls {
		t.Error("the call was sent")
	}
	f.set(0)
	poll(t, "the circuit to close", func() bool {
		_, err := s.Call(t.Context(), "web", "raw", nil)
		return err == nil
	})
}

func TestHTTPConfig(t *testing.T) {
	for says, cfg := range map[string]upstream.Config{
		"Transport is \"ws\"":     {Transport: "ws", URL: "http://x"},
		"URL is set":              {Transport: upstream.Stdio, URL: "http://x", Command: []string{"x"}},
		"Command is set":          {URL: "http://x", Command: []string{"x"}},
		"URL must begin with":     {URL: "ftp://x/?token=hush"},
		"URL has no host":         {URL: "http:///hush"},
		"URL is empty":            {Transport: upstream.HTTP},
		"is no name of a header":  {URL: "http://x", Headers: map[string]string{"a b": "hush"}},
		"belongs to the":          {URL: "http://x", Headers: map[string]string{"mcp-session-id": "hush"}},
		"has a line break in":     {URL: "http://x", Headers: map[string]string{"X": "hush\n"}},
		"BackoffMin":              {URL: "http://x", BackoffMin: -1},
		"BackoffMax is 1ms":       {URL: "http://x", BackoffMax: time.Millisecond},
		"BreakerCooldown is -1ns": {URL: "http://x", BreakerCooldown: -1},
	} {
		cfg.Name = "x"
		_, err := upstream.Connect(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	if _, err := url.Parse("http://x"); err != nil {
		t.Fatal(err)
	}
}
