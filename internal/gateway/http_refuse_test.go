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

	"github.com/autoclave-run/autoclave/internal/gateway"
)

// post writes a request as clients do that read nothing before they have
// written all, and returns the answer.
func post(c net.Conn, header, body string) (*http.Response, string, error) {
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	head := fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"+
		"Content-Length: %d\r\n%s\r\n", len(body), header)
	if _, err := io.WriteString(c, head); err != nil {
		return nil, "", fmt.Errorf("writing the header: %w", err)
	}
	for len(body) > 0 {
		n := min(len(body), 64<<10)
		if _, err := io.WriteString(c, body[:n]); err != nil {
			return nil, "", fmt.Errorf("writing the body: %w", err)
		}
		body = body[n:]
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, "", fmt.Errorf("reading the answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

// Whoever is refused while he still sends gets to read why, whatever he sends.
func TestRefusedWhileSending(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, MaxBody: 8 << 20, MaxBodies: 16 << 20}})
	alice, bob := "Authorization: Bearer "+aliceToken+"\r\n", "Authorization: Bearer "+bobToken+"\r\n"
	large := strings.Repeat("x", 6<<20)
	half := large[:3<<20]
	pending := w.dial()
	if _, err := io.WriteString(pending, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n"+alice+"\r\n"+half); err != nil {
		t.Fatal(err)
	}
	eventually(t, "half a request to be there", func() bool { return w.handler.Held().BodyBytes == int64(len(half)) })
	for _, c := range []struct {
		name, header, body string
		want               int
	}{
		{"no token", "", large, 401},
		{"a wrong token", "Authorization: Bearer wrong\r\n", large, 401},
		{"a foreign origin", alice + "Origin: https://evil.example\r\n", large, 403},
		{"more than a request may be", bob, large + half[:2<<20+1], 413},
		{"more than a principal's may be together", alice, large, 503},
	} {
		for range 5 {
			conn := w.dial()
			res, text, err := post(conn, c.header, c.body)
			if err != nil || res.StatusCode != c.want || !strings.Contains(text, `"jsonrpc":"2.0"`) {
				t.Errorf("%s: %v %v %.200s", c.name, err, res, text)
				break
			}
			conn.Close()
		}
	}
	// What one principal has under way is not another's matter.
	if res, text, err := post(w.dial(), bob, large); err != nil || res.StatusCode != 415 && res.StatusCode != 400 {
		t.Errorf("another principal: %v %v %.200s", err, res, text)
	}
	pending.Close()
	eventually(t, "nothing to be held", func() bool {
		h := w.handler.Held()
		return h.BodyBytes == 0 && h.Requests == 0 && h.Discards == 0
	})
}

// HTTP/2 needs none of that: a stream ends without the others.
func TestRefusedOverHTTP2(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens}})
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	for range 5 {
		res, err := transport.RoundTrip(w.request(context.Background(), raw{body: strings.Repeat("x", 3<<20)}))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 401 || res.ProtoMajor != 2 || !strings.Contains(string(body), `"jsonrpc":"2.0"`) {
			t.Errorf("%s %s %s %v", res.Proto, res.Status, body, err)
		}
	}
	if h := w.handler.Held(); h.Discards != 0 {
		t.Errorf("%d are discarded", h.Discards)
	}
}

// The rest of what is refused is read for so many at once, and for so long.
func TestRefusedSlowly(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, MaxConnections: 31, BodyTimeout: time.Second, MaxRequests: 1}})
	begin := func(path, more string) (net.Conn, *bufio.Reader, *http.Response) {
		t.Helper()
		c := w.dial()
		_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
		if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"+more+"\r\n{"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Fatal(err)
		}
		return c, r, res
	}
	ends := func(name string, r *bufio.Reader) {
		t.Helper()
		if _, err := r.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection is not closed: %v", name, err)
		}
	}
	_, first, res := begin("/mcp", "")
	if res.StatusCode != 401 || res.Header.Get("Connection") != "close" && !res.Close {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	eventually(t, "the request to hold nothing but its connection", func() bool { h := w.handler.Held(); return h.Discards == 1 && h.Requests == 0 })
	// There is no room for another.
	_, second, res := begin("/mcp", "")
	if res.StatusCode != 401 {
		t.Errorf("%s", res.Status)
	}
	ends("one too many", second)
	if h := w.handler.Held(); h.Discards != 1 {
		t.Errorf("the first one has ended before the second: %+v", h)
	}
	// Others are served meanwhile.
	if res, body := w.do(raw{token: aliceToken, body: initialize}); res.StatusCode != 200 {
		t.Errorf("%s %s", res.Status, body)
	}
	ends("one that does not send", first)
	eventually(t, "the room to be free", func() bool { return w.handler.Held().Discards == 0 })
}

// What nobody reads is not waited for without end either, wherever it goes.
func TestUnreadBodies(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, BodyTimeout: 200 * time.Millisecond}})
	var wg sync.WaitGroup
	for _, line := range []string{"POST /none", "POST /healthz", "GET /healthz", "GET /readyz", "GET /mcp", "DELETE /mcp", "OPTIONS /mcp"} {
		for _, token := range []string{"", "Authorization: Bearer " + aliceToken + "\r\n"} {
			for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
				c := w.dial()
				_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
				if _, err := io.WriteString(c, line+" HTTP/1.1\r\nHost: localhost\r\n"+token+length+"\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
						t.Errorf("%s, %s: it is not cut", line, length)
					}
				})
			}
		}
	}
	wg.Wait()
	eventually(t, "nothing to be held", func() bool { h := w.handler.Held(); return h.Requests == 0 && h.BodyBytes == 0 && h.Discards == 0 })
}

// A client that asks before it sends a body is not sent for one that is
// refused.
func TestExpectContinue(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens}})
	c := w.dial()
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("%v %v", err, res)
	}
}

// A batch is bounded: its messages are worked on at the same time, and their
// answers wait for each other.
func TestBatches(t *testing.T) {
	w := newWeb(t, webSetup{})
	res, _ := w.do(raw{body: strings.Replace(initialize, legacy, "2025-03-26", 1)})
	id := res.Header.Get("Mcp-Session-Id")
	w.do(raw{session: id, version: "2025-03-26", body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`})
	batch := func(n int, id func(int) int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"search","arguments":{"query":"echo"}}}`, id(i)))
		}
		return " [" + strings.Join(all, ",") + "]"
	}
	own := func(i int) int { return 100 + i }
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"as many as there may be", batch(50, own), 200},
		{"one more", batch(51, own), 413},
		{"very many", batch(20000, own), 413},
	} {
		res, body := w.do(raw{session: id, version: "2025-03-26", body: c.body})
		if res.StatusCode != c.want || c.want == 200 && strings.Count(body, `tools.s.echo`) < 50 {
			t.Errorf("%s: %s %.300s", c.name, res.Status, body)
		}
	}
	// Twice the same id: whatever the answer is, the request ends, and so does
	// the next one.
	s := w.stream(raw{session: id, version: "2025-03-26", body: batch(2, func(int) int { return 7 })})
	for {
		if _, _, ok := s.next(); !ok {
			break
		}
	}
	if res, body := w.do(raw{session: id, version: "2025-03-26", body: execution("return 41 + 1")}); !strings.Contains(body, `"value":42`) {
		t.Errorf("%s %s", res.Status, body)
	}
	w.do(raw{method: http.MethodDelete, session: id})
	eventually(t, "nothing to be held", func() bool { return w.handler.Held() == gateway.HTTPHeld{Stashes: w.handler.Held().Stashes} })
}

// A client that goes does not take its request out of the count while its
// program runs.
func TestAbandonedBodies(t *testing.T) {
	tool, entered, open := gateTool()
	w := newWeb(t, webSetup{
		http:  gateway.HTTPConfig{MaxBodies: 300 << 10},
		tools: map[string]func(context.Context, json.RawMessage) (string, error){"s.gate": tool},
	})
	id := w.open("")
	padding := strings.Repeat("x", 200<<10)
	s := w.stream(raw{session: id, version: legacy, body: execution(`return await tools.s.gate() // ` + padding)})
	<-entered
	s.cut()
	eventually(t, "the request to end", func() bool { return w.handler.Held().Requests == 0 })
	if held := w.handler.Held().BodyBytes; held < 200<<10 {
		t.Errorf("%d bytes are held", held)
	}
	if res, body := w.do(raw{session: id, version: legacy, body: execution(`return 1 // ` + padding)}); res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("%s %.300s", res.Status, body)
	}
	close(open)
	eventually(t, "nothing to be held", func() bool { return w.handler.Held().BodyBytes == 0 })
	if res, body := w.do(raw{session: id, version: legacy, body: execution(`return 41 + 1 // ` + padding)}); !strings.Contains(body, `"value":42`) {
		t.Errorf("%s %.300s", res.Status, body)
	}
}

// Only so many connections of one address, where that is bounded.
func TestConnectionsOfOneAddress(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{MaxConnectionsPerAddress: 2}})
	served := func(c net.Conn) bool {
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return false
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil && res.StatusCode == 200
	}
	first, second, third := w.dial(), w.dial(), w.dial()
	if !served(first) || !served(second) {
		t.Error("one of the first two is not served")
	}
	if served(third) {
		t.Error("a third connection is served")
	}
	// Another address is another client.
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	other, err := from.Dial("tcp", w.address)
	if err != nil {
		t.Skipf("this machine has no second loopback address: %v", err)
	}
	defer other.Close()
	if !served(other) {
		t.Error("another address is not served")
	}
	first.Close()
	eventually(t, "another connection to be served", func() bool {
		c := w.dial()
		defer c.Close()
		return served(c)
	})
}
