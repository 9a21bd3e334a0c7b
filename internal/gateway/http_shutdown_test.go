package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave/internal/gateway"
)

// fetch gets a path of the server, over a connection of its own.
func (w *web) fetch(path string) (status int, body string, err error) {
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(w.t, "http://"+w.address+path))
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHealth(t *testing.T) {
	var mu sync.Mutex
	var missing []string
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, Hosts: []string{"health.example.org"}, Ready: func(names bool) []string {
		mu.Lock()
		defer mu.Unlock()
		if names && missing != nil {
			return append(missing, "by name")
		}
		return missing
	}}})
	for _, c := range []struct {
		missing []string
		path    string
		status  int
		want    string
	}{
		{nil, "/healthz", 200, "ok"},
		{nil, "/readyz", 200, "ready"},
		{[]string{"no worker is armed", "1 of 3 servers is starting"}, "/readyz", 503, "not ready: no worker is armed; 1 of 3 servers is starting"},
		{[]string{"no worker is armed"}, "/healthz", 200, "ok"},
		{nil, "/", 404, ""},
		{nil, "/mcp/", 404, ""},
		{nil, "/.well-known/oauth-protected-resource", 404, ""},
	} {
		mu.Lock()
		missing = c.missing
		mu.Unlock()
		status, body, err := w.fetch(c.path)
		if err != nil || status != c.status || !strings.HasPrefix(body, c.want) || strings.Contains(body, "by name") {
			t.Errorf("%s: %d %q %v", c.path, status, body, err)
		}
	}
	// Who may use the server is told more, and no page is that gives its name to
	// our address.
	mu.Lock()
	missing = []string{"1 of 3 servers is starting"}
	mu.Unlock()
	for _, c := range []struct {
		name string
		q    raw
		want bool
	}{
		{"a token", raw{token: aliceToken}, true},
		{"a token, by another name of ours", raw{token: aliceToken, host: "health.example.org"}, true},
		{"a wrong token", raw{token: aliceToken + "x"}, false},
		{"a foreign host", raw{token: aliceToken, host: "evil.example"}, false},
		{"a foreign page", raw{token: aliceToken, header: map[string]string{"Origin": "https://evil.example"}}, false},
	} {
		c.q.method = http.MethodGet
		r := w.request(context.Background(), c.q)
		r.URL.Path = "/readyz"
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 503 || strings.Contains(string(body), "by name") != c.want {
			t.Errorf("%s: %s %q %v", c.name, res.Status, body, err)
		}
	}
}

// A panic is a fault of ours, which an operator must see; what clients do wrong
// on the wire is none.
func TestPanicIsLogged(t *testing.T) {
	var mu sync.Mutex
	var logged strings.Builder
	w := newWeb(t, webSetup{
		http: gateway.HTTPConfig{Ready: func(bool) []string { panic("as the test wants it") }},
		gateway: func(c *gateway.Config) {
			c.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &logged}, &slog.HandlerOptions{Level: slog.LevelError}))
		},
	})
	if _, _, err := w.fetch("/readyz"); err == nil {
		t.Error("it did not panic")
	}
	c := w.dial()
	if _, err := io.WriteString(c, strings.Repeat("NONSENSE", 10)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c)
	mu.Lock()
	defer mu.Unlock()
	if got := logged.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "as the test wants it") {
		t.Errorf("the log says %s", got)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// What is under way may end, and is answered; nothing new begins.
func TestDrain(t *testing.T) {
	tool, entered, open := gateTool()
	tools := someTools()
	tools["s.gate"] = tool
	w := newWeb(t, webSetup{tools: tools, http: gateway.HTTPConfig{Drain: time.Minute}})
	w.silent = true
	old, newest := w.connect("", legacy, nil), w.connect("", "", nil)
	id := w.open("")
	idle := w.stream(raw{method: http.MethodGet, session: id, version: legacy})
	idle.next()
	kept := &http.Transport{} // one connection, which stays open
	t.Cleanup(kept.CloseIdleConnections)
	over := func(code string) string {
		t.Helper()
		res, err := kept.RoundTrip(w.request(context.Background(), raw{session: id, version: legacy, body: execution(code)}))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := over(`return 41 + 1`); !strings.Contains(got, `"value":42`) {
		t.Fatal(got)
	}
	results := make(chan *mcp.CallToolResult, 2)
	for _, cs := range []*mcp.ClientSession{old, newest} {
		go func() {
			res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return await tools.s.gate()`}})
			if err != nil {
				t.Error(err)
			}
			results <- res
		}()
		<-entered
	}
	w.stop()
	eventually(t, "no connection to be accepted", func() bool { _, _, err := w.fetch("/healthz"); return err != nil })
	// Over a connection that is there, a program is refused in the words of
	// the protocol.
	if got := over(`return 1`); !strings.Contains(got, `"code":"SHUTTING_DOWN"`) {
		t.Errorf("a new program: %s", got)
	}
	select {
	case err := <-w.served:
		t.Fatalf("Serve did not wait: %v", err)
	default:
	}
	close(open)
	for range 2 {
		if res := <-results; res == nil || text(res) != "through" {
			t.Errorf("what was under way: %v", res)
		}
	}
	w.end()
	if _, _, ok := idle.next(); ok {
		t.Error("a stream without an end goes on")
	}
	if h := w.handler.Held(); h != (gateway.HTTPHeld{}) {
		t.Errorf("it still holds %+v", h)
	}
}

// What does not end in time is ended, and its clients are told.
func TestDrainTimeout(t *testing.T) {
	for _, drain := range []time.Duration{-1, 100 * time.Millisecond} {
		tool, entered, _ := gateTool()
		tools := someTools()
		tools["s.gate"] = tool
		w := newWeb(t, webSetup{tools: tools, http: gateway.HTTPConfig{Drain: drain}})
		w.silent = true
		var wg sync.WaitGroup
		for range 10 {
			for _, cs := range []*mcp.ClientSession{w.connect("", legacy, nil), w.connect("", "", nil)} {
				wg.Go(func() {
					res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return await tools.s.gate()`}})
					if err != nil {
						t.Errorf("it was not told: %v", err)
					} else if !res.IsError || !strings.HasPrefix(text(res), "SHUTTING_DOWN: ") {
						t.Errorf("it was told %s", text(res))
					}
				})
			}
		}
		for range 4 { // as many as there are workers; the others wait in line
			<-entered
		}
		eventually(t, "all requests to be there, and their programs in line", func() bool {
			return w.handler.Held().Requests == 20 && testRuntime(t).Stats().Waiting == 16
		})
		w.end()
		wg.Wait()
	}
}

// A client that never reads does not keep the server from ending.
func TestDrainUnread(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Drain: -1}})
	c := w.dial()
	q := statelessExecution("", `for (let i = 0; i < 6; i++) emit({ type: "image", mimeType: "image/png", data: "A".repeat(1 << 20) }); return 1`)
	if err := w.request(context.Background(), q).Write(c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	w.end()
}

func TestListen(t *testing.T) {
	g := newWorld(t, setup{}).gateway
	for _, c := range []struct {
		name, address string
		cfg           gateway.HTTPConfig
		ok            bool
	}{
		{"loopback", "127.0.0.1:0", gateway.HTTPConfig{}, true},
		{"loopback by name", "localhost:0", gateway.HTTPConfig{}, true},
		{"all", ":0", gateway.HTTPConfig{}, false},
		{"all of IPv4", "0.0.0.0:0", gateway.HTTPConfig{}, false},
		{"all with tokens", "0.0.0.0:0", gateway.HTTPConfig{Tokens: twoTokens}, true},
		{"all, insisted on", "0.0.0.0:0", gateway.HTTPConfig{AllowUnauthenticated: true}, true},
		{"no port", "127.0.0.1", gateway.HTTPConfig{}, false},
	} {
		h, err := g.NewHTTP(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		l, err := h.Listen(context.Background(), c.address)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			l.Close()
		}
		h.Close()
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// HTTP/2 comes with TLS, and from proxies without.
func TestHTTP2(t *testing.T) {
	for name, c := range map[string]*tls.Config{"TLS": {Certificates: []tls.Certificate{selfSigned(t)}}, "clear": nil} {
		t.Run(name, func(t *testing.T) {
			tool, entered, open := gateTool()
			tools := someTools()
			tools["s.gate"] = tool
			w := newWeb(t, webSetup{tools: tools, http: gateway.HTTPConfig{
				TLS: c, WriteTimeout: 100 * time.Millisecond, BodyTimeout: 100 * time.Millisecond, KeepAlive: 50 * time.Millisecond,
			}})
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: &http.Protocols{}}
			t.Cleanup(transport.CloseIdleConnections)
			transport.Protocols.SetHTTP2(c != nil)
			transport.Protocols.SetUnencryptedHTTP2(c == nil)
			var seen sync.Map
			trip := tripper(func(r *http.Request) (*http.Response, error) {
				res, err := transport.RoundTrip(r)
				if err == nil {
					seen.Store(res.Proto, true)
				}
				return res, err
			})
			for _, version := range []string{legacy, ""} {
				client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
				cs, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: w.url, HTTPClient: &http.Client{Transport: trip}, MaxRetries: -1},
					&mcp.ClientSessionOptions{ProtocolVersion: version})
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan *mcp.CallToolResult, 1)
				go func() {
					res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return await tools.s.gate()`}})
					if err != nil {
						t.Error(err)
					}
					done <- res
				}()
				<-entered
				// Longer than a client may take to send or to read: neither is
				// what happens here.
				time.Sleep(300 * time.Millisecond)
				open <- struct{}{}
				if res := <-done; res == nil || text(res) != "through" {
					t.Errorf("%v", res)
				}
				if err := cs.Close(); err != nil {
					t.Error(err)
				}
			}
			seen.Range(func(proto, _ any) bool {
				if proto != "HTTP/2.0" {
					t.Errorf("%v was spoken", proto)
				}
				return true
			})
		})
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Connections above the bound wait for others to end.
func TestMaxConnections(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{MaxConnections: 2}})
	first, second := w.dial(), w.dial()
	for _, c := range []net.Conn{first, second} {
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	third := w.dial()
	if _, err := io.WriteString(third, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = third.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Fatal("a third connection is served")
	}
	first.Close()
	_ = third.SetReadDeadline(time.Now().Add(60 * time.Second))
	if _, err := third.Read(make([]byte, 1)); err != nil {
		t.Fatalf("it is not served when another has ended: %v", err)
	}
}
