package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// TestHTTPRefuses is what a client gets that does not keep to the rules. After
// each of them the next client is served.
func TestHTTPRefuses(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{
		MaxBody: 64 << 10, MaxHeader: 16 << 10, Origins: []string{"https://app.example.org"}, Hosts: []string{"mcp.example.org"},
	}})
	id := w.open("")
	deep := strings.Repeat(`[`, 30000)
	for _, c := range []struct {
		name string
		q    raw
		want int
	}{
		{"a foreign host", raw{body: initialize, host: "evil.example"}, 403},
		{"a host that is ours", raw{body: initialize, host: "mcp.example.org"}, 200},
		{"a foreign origin", raw{body: initialize, header: map[string]string{"Origin": "https://evil.example"}}, 403},
		{"no origin at all, of a page", raw{body: initialize, header: map[string]string{"Origin": "null"}}, 403},
		{"an origin that is let in", raw{body: initialize, header: map[string]string{"Origin": "https://app.example.org"}}, 200},
		{"a foreign origin, with a session", raw{session: id, version: legacy, body: execution("return 1"), header: map[string]string{"Origin": "https://evil.example"}}, 403},
		{"a foreign origin, without sessions", raw{version: "2026-07-28", body: execution("return 1"), header: map[string]string{"Origin": "https://evil.example"}}, 403},
		{"a body that is too large", raw{session: id, version: legacy, body: execution(strings.Repeat("x", 64<<10))}, 413},
		{"the same without a session", raw{version: "2026-07-28", body: execution(strings.Repeat("x", 64<<10))}, 413},
		{"no body", raw{session: id, version: legacy}, 400},
		{"no JSON", raw{session: id, version: legacy, body: `{"jsonrpc":`}, 400},
		{"JSON, but no message", raw{session: id, version: legacy, body: `[1,2,3]`}, 400},
		{"an empty batch", raw{session: id, version: legacy, body: `[]`}, 400},
		{"depth", raw{session: id, version: legacy, body: deep}, 400},
		{"depth, without sessions", raw{version: "2026-07-28", body: deep}, 400},
		{"bytes", raw{session: id, version: legacy, body: "\x00\xff\xfe"}, 400},
		{"a method that is none", raw{session: id, version: legacy, body: `{"jsonrpc":"2.0","id":3,"method":"no/such"}`}, 400},
		{"no session for a call", raw{version: legacy, body: execution("return 1")}, 400},
		{"no session for a notification", raw{version: legacy, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`}, 400},
		{"no session for a batch", raw{body: "[" + initialize + "]"}, 200}, // whose answers are errors
		{"no session for a ping", raw{body: `{"jsonrpc":"2.0","id":1,"method":"ping"}`}, 200},
		{"a version without sessions that is not in the header", raw{body: statelessExecution("", "return 1").body}, 400},
		{"a stream with a body", raw{method: http.MethodGet, session: id, version: legacy, body: strings.Repeat("x", 70<<10)}, 413},
		{"a forged session", raw{session: "AAAAAAAAAAAAAAAAAAAAAAAAAA", version: legacy, body: execution("return 1")}, 404},
		{"a session with a path in it", raw{session: "../../etc/passwd", version: legacy, body: execution("return 1")}, 404},
		{"a very long session", raw{session: strings.Repeat("A", 10000), version: legacy, body: execution("return 1")}, 404},
		{"a version that never was", raw{session: id, version: "2025-01-01", body: execution("return 1")}, 400},
		{"a version that is to come", raw{version: "2099-01-01", body: execution("return 1")}, 400},
		{"a version that is no date", raw{version: "zzz", body: execution("return 1")}, 400},
		{"another type", raw{session: id, version: legacy, body: execution("return 1"), header: map[string]string{"Content-Type": "text/plain"}}, 415},
		{"a form, as pages can send without asking", raw{body: initialize, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415},
		{"no stream is taken", raw{session: id, version: legacy, body: execution("return 1"), header: map[string]string{"Accept": "application/json"}}, 400},
		{"another method", raw{method: http.MethodPut, body: initialize}, 405},
		{"a stream without a session", raw{method: http.MethodGet}, 400},
		{"a stream where there are no sessions", raw{method: http.MethodGet, version: "2026-07-28"}, 405},
		{"the end of what is no session", raw{method: http.MethodDelete}, 400},
		{"a header that is too large", raw{body: initialize, header: map[string]string{"X-Large": strings.Repeat("x", 40<<10)}}, 431},
		{"two requests with one id, as a batch", raw{session: id, version: legacy, body: "[" + execution("return 1") + "," + execution("return 1") + "]"}, 400},
	} {
		res, body := w.do(c.q)
		if res.StatusCode != c.want {
			t.Errorf("%s: %s, want %d: %.300s", c.name, res.Status, c.want, body)
		}
		if shared := res.Header.Get("Access-Control-Allow-Origin"); shared != "" && shared != "https://app.example.org" {
			t.Errorf("%s: it is shared with %q", c.name, shared)
		}
		if id := res.Header.Get("Mcp-Session-Id"); id != "" {
			w.do(raw{method: http.MethodDelete, session: id})
		}
	}
	if res, body := w.do(raw{session: id, version: legacy, body: execution("return 41 + 1")}); !strings.Contains(body, `"value":42`) {
		t.Errorf("after all of that: %s %s", res.Status, body)
	}
	eventually(t, "nothing but one session to be left", func() bool {
		h := w.handler.Held()
		return h.Sessions == 1 && h.EventSessions == 1 && h.BodyBytes == 0 && h.Requests == 0
	})
}

// A browser asks before it sends what a page wants to send.
func TestPreflight(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, Origins: []string{"https://app.example.org"}}})
	for origin, want := range map[string]int{"https://app.example.org": http.StatusNoContent, "https://evil.example": http.StatusForbidden} {
		res, _ := w.do(raw{method: http.MethodOptions, header: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST"}})
		if res.StatusCode != want || (res.Header.Get("Access-Control-Allow-Origin") == origin) != (want == http.StatusNoContent) {
			t.Errorf("%s: %s %v", origin, res.Status, res.Header)
		}
	}
}

// Clients that send slowly, or nothing, are cut; the others do not notice.
func TestSlowloris(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{HeaderTimeout: 300 * time.Millisecond, BodyTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond}})
	var wg sync.WaitGroup
	cut := func(name, send string, drip bool) {
		c := w.dial()
		wg.Go(func() {
			if _, err := io.WriteString(c, send); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
			if drip {
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(20 * time.Millisecond):
							_, _ = io.WriteString(c, "a")
						}
					}
				}()
			}
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("%s: it is not cut", name)
			}
		})
	}
	for range 20 {
		cut("nothing", "", false)
		cut("half a line", "POST /mcp HT", true)
		cut("half a header", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A: ", true)
		cut("half a body", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{", true)
		cut("half a chunk", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{", true)
		cut("half of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false)
	}
	cs := w.connect("", legacy, nil)
	for range 20 {
		w.run(cs, `return 1`)
	}
	wg.Wait()
	eventually(t, "what they held to be free", func() bool { h := w.handler.Held(); return h.BodyBytes == 0 && h.Requests <= 1 })
}

// A client that does not read what it asked for holds nothing for longer than
// it may, and nobody else.
func TestSlowReader(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{WriteTimeout: 300 * time.Millisecond}})
	id := w.open("")
	for _, q := range []raw{
		{session: id, version: legacy, body: execution(`for (let i = 0; i < 6; i++) emit({ type: "image", mimeType: "image/png", data: "A".repeat(1 << 20) }); return 1`)},
		statelessExecution("", `for (let i = 0; i < 6; i++) emit({ type: "image", mimeType: "image/png", data: "A".repeat(1 << 20) }); return 1`),
	} {
		r := w.request(context.Background(), q)
		c := w.dial()
		if err := r.Write(c); err != nil {
			t.Fatal(err)
		}
		// The answer begins, and is not read any further.
		if _, err := bufio.NewReaderSize(c, 16).ReadByte(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the request to end", func() bool { return w.handler.Held().Requests == 0 })
		if res, body := w.do(raw{session: id, version: legacy, body: execution("return 41 + 1")}); !strings.Contains(body, `"value":42`) {
			t.Errorf("%s %s", res.Status, body)
		}
	}
}

// A client that has closed the half of its connection on which it sends has
// gone, as far as HTTP says. What it started in a session goes on, and the
// answer waits for it.
func TestHalfClosed(t *testing.T) {
	tool, entered, open := gateTool()
	w := newWeb(t, webSetup{tools: map[string]func(context.Context, json.RawMessage) (string, error){"s.gate": tool}})
	id := w.open("")
	c := w.dial()
	if err := w.request(context.Background(), raw{session: id, version: legacy, body: execution(`return await tools.s.gate()`)}).Write(c); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := (&stream{scan: bufio.NewScanner(res.Body)}).next()
	<-entered
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request to end", func() bool { return w.handler.Held().Requests == 0 })
	close(open)
	again := w.stream(raw{method: http.MethodGet, session: id, version: legacy, header: map[string]string{"Last-Event-ID": first}})
	if _, data, ok := again.next(); !ok || !strings.Contains(data, `"value":"through"`) {
		t.Errorf("the answer is %q %v", data, ok)
	}
}

// A stream that is silent is kept alive.
func TestKeepAlive(t *testing.T) {
	tool, entered, open := gateTool()
	tools := someTools()
	tools["s.gate"] = tool
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{KeepAlive: 20 * time.Millisecond}, tools: tools})
	id := w.open("")
	old, _ := w.do(raw{body: strings.Replace(initialize, legacy, "2025-06-18", 1)})
	for name, q := range map[string]raw{
		legacy:       {session: id, version: legacy, body: execution("return await tools.s.gate()")},
		"2025-06-18": {session: old.Header.Get("Mcp-Session-Id"), version: "2025-06-18", body: execution("return await tools.s.gate()")},
		"2026-07-28": statelessExecution("", "return await tools.s.gate()"),
		"GET":        {method: http.MethodGet, session: id, version: legacy},
	} {
		if name == "2025-06-18" {
			w.do(raw{session: q.session, version: q.version, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`})
		}
		s := w.stream(q)
		if name != "GET" {
			<-entered
		}
		for silent := 0; silent < 3; {
			gotID, data, ok := s.next()
			if !ok {
				t.Fatalf("%s: the stream has ended", name)
			}
			if gotID == "" && data == "" {
				silent++
			}
		}
		if name == "GET" {
			continue
		}
		open <- struct{}{}
		for {
			_, data, ok := s.next()
			if !ok {
				t.Errorf("%s: the stream ended without the answer", name)
				break
			}
			if strings.Contains(data, `"value":"through"`) {
				break
			}
		}
	}
}

// Thousands of sessions that are opened and left: those of one principal are
// bounded, and so are all; nobody else notices; when their time is over,
// nothing of them is left.
func TestAbandonedSessions(t *testing.T) {
	n := 5000
	if testing.Short() || raceEnabled {
		n = 1000
	}
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, MaxSessions: 300, MaxPerPrincipal: 200, SessionTimeout: 2 * time.Second}})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	t.Cleanup(client.CloseIdleConnections)
	var opened, refused atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				res, err := client.Do(w.request(context.Background(), raw{token: aliceToken, body: initialize}))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				switch {
				case res.StatusCode == http.StatusOK:
					opened.Add(1)
				case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "5" && strings.Contains(string(body), `"OVERLOADED"`) && strings.Contains(string(body), `"retry_after_ms":5000`):
					refused.Add(1)
				default:
					t.Errorf("%s %s", res.Status, body)
				}
				if h := w.handler.Held(); h.Sessions > 208 {
					t.Errorf("%d sessions", h.Sessions)
				}
			}
		})
	}
	bob := w.connect(bobToken, legacy, nil)
	for range 20 {
		w.run(bob, `return 1`)
		w.do(raw{token: bobToken, method: http.MethodDelete, session: w.open(bobToken)})
	}
	if err := bob.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	t.Logf("%d were opened, %d refused", opened.Load(), refused.Load())
	if refused.Load() == 0 || opened.Load() < 200 {
		t.Error("there is no bound, or it is too low")
	}
	eventually(t, "all to be gone", func() bool {
		h := w.handler.Held()
		return h.Sessions == 0 && h.Gateway == 0 && h.EventSessions == 0 && h.EventBytes == 0
	})
	eventually(t, "their goroutines to end", func() bool { return runtime.NumGoroutine() < 100 })
}

// A session that was idle for long makes room for a new one; one that is used
// does not.
func TestCrowdedOut(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, MaxSessions: 3, MaxPerPrincipal: 2, SessionTimeout: time.Hour}})
	w.handler.SetSpare(0)
	first, second := w.open(aliceToken), w.open(aliceToken)
	bobs := w.open(bobToken)
	there := func(token, id string) bool {
		res, _ := w.do(raw{token: token, session: id, version: legacy, body: execution("return 1")})
		return res.StatusCode == http.StatusOK
	}
	there(aliceToken, first) // so the second is the one that has been idle longest
	third := w.open(aliceToken)
	if there(aliceToken, second) || !there(aliceToken, first) || !there(aliceToken, third) || !there(bobToken, bobs) {
		t.Error("not the one that had been idle longest has gone")
	}
	// All are taken, and alice has most.
	if w.open(bobToken); there(aliceToken, first) || !there(bobToken, bobs) {
		t.Error("not whoever has most had to make room")
	}
	// What is under way stays.
	s := w.stream(raw{token: aliceToken, session: third, version: legacy, method: http.MethodGet})
	s.next()
	w.handler.SetSpare(time.Hour)
	if res, body := w.do(raw{token: aliceToken, body: initialize}); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s %s", res.Status, body)
	}
	if !there(aliceToken, third) {
		t.Error("a session with a stream had to make room")
	}
}

// More requests than there may be, and larger ones together.
func TestHTTPOverload(t *testing.T) {
	tool, entered, open := gateTool()
	tools := someTools()
	tools["s.gate"] = tool
	w := newWeb(t, webSetup{tools: tools, http: gateway.HTTPConfig{
		Tokens: twoTokens, MaxRequests: 3, MaxRequestsPerPrincipal: 2, MaxBody: 1 << 20, MaxBodies: 1<<20 + 1<<19,
	}})
	var wg sync.WaitGroup
	held := 0
	hold := func(token string) {
		t.Helper()
		eventually(t, "answered requests to be gone", func() bool { return w.handler.Held().Requests == held })
		held++
		wg.Go(func() {
			w.do(statelessExecution(token, `return await tools.s.gate() // `+strings.Repeat("x", 200<<10)))
		})
		<-entered
	}
	refused := func(name, token, what string, want int) {
		t.Helper()
		eventually(t, "answered requests to be gone", func() bool { return w.handler.Held().Requests == held })
		res, body := w.do(statelessExecution(token, "return 1 // "+what))
		if res.StatusCode != want || want == 503 && (res.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"OVERLOADED"`)) {
			t.Errorf("%s: %s %.300s", name, res.Status, body)
		}
	}
	hold(aliceToken)
	hold(aliceToken)
	refused("a third of alice", aliceToken, "", 503)
	refused("one of bob", bobToken, "", 200)
	hold(bobToken)
	refused("a fourth of all", bobToken, "", 503)
	close(open)
	wg.Wait()
	held = 0
	eventually(t, "all to be answered", func() bool { return w.handler.Held().Requests == 0 })

	// Bodies: two that fit alone, and not together.
	half := make(chan struct{})
	for _, token := range []string{aliceToken, bobToken} {
		pr, pw := io.Pipe()
		go func() {
			_, _ = pw.Write(make([]byte, 600<<10))
			<-half
			pw.CloseWithError(io.ErrUnexpectedEOF)
		}()
		r := w.request(context.Background(), raw{token: token, version: "2026-07-28"})
		r.Body = pr
		wg.Go(func() {
			res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
			if err == nil {
				res.Body.Close()
			}
		})
	}
	held = 2
	eventually(t, "the bodies to be there", func() bool { return w.handler.Held().BodyBytes >= 2*600<<10 })
	refused("a large one", bobToken, strings.Repeat("x", 400<<10), 503)
	refused("a small one", bobToken, "", 200)
	close(half)
	wg.Wait()
	eventually(t, "the bodies to be gone", func() bool { return w.handler.Held().BodyBytes == 0 })
}

// Where the pool is full, the answer says so, and when to come back.
func TestPoolOverload(t *testing.T) {
	rt, err := autoclave.Open(context.Background(), autoclave.Config{
		Limits: testLimits,
		Pool:   autoclave.PoolConfig{MinWorkers: 1, MaxWorkers: 1, MaxQueue: 1, HealthCheckTimeout: 3 * time.Second, SpawnTimeout: 60 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close(context.Background()) })
	tool, entered, open := gateTool()
	tools := someTools()
	tools["s.gate"] = tool
	w := newWeb(t, webSetup{tools: tools, gateway: func(c *gateway.Config) { c.Runtime = rt }})
	var wg sync.WaitGroup
	wg.Go(func() { w.do(statelessExecution("", `return await tools.s.gate()`)) })
	<-entered
	wg.Go(func() { w.do(statelessExecution("", `return 1`)) })
	eventually(t, "one to wait in line", func() bool { return rt.Stats().Waiting == 1 })
	res, body := w.do(statelessExecution("", `return 1`))
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"code":"OVERLOADED"`) || !strings.Contains(body, `"retry_after_ms":`) || !strings.Contains(body, `"retryable":true`) {
		t.Errorf("%s %s", res.Status, body)
	}
	close(open)
	wg.Wait()
}
