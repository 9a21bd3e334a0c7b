//go:build unix

package upstream_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

// webFake is a Streamable HTTP server that is written by hand, so that it can
// say what no library would.
type webFake struct {
	*httptest.Server
	stream  bool // answers calls with streams of events
	mute    bool // does not answer server/discover
	quiet   bool // opens the stream for notifications and sends no header
	require string

	mu       sync.Mutex
	session  string
	sessions int
	status   int // of every call of a tool
	seen     []string
	headers  []http.Header
	news     chan string   // for the stream for notifications
	dropped  chan struct{} // ends such a stream
	rest     []string      // what a resumed stream has
	resumed  []string
	answers  chan json.RawMessage
	release  chan struct{}
}

func newWebFake(t *testing.T, change func(*webFake)) *webFake {
	t.Helper()
	f := &webFake{news: make(chan string), dropped: make(chan struct{}), answers: make(chan json.RawMessage, 10), release: make(chan struct{})}
	if change != nil {
		change(f)
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		close(f.release)
		f.Server.Close()
	})
	return f
}

func (f *webFake) config() upstream.Config {
	return upstream.Config{Name: "web", URL: f.URL + "/mcp?key=hush", ConnectTimeout: patience, Grace: time.Second, BackoffMin: time.Millisecond}
}

func (f *webFake) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = ""
}

func (f *webFake) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.seen {
		if m == method {
			n++
		}
	}
	return n
}

func (f *webFake) set(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

func (f *webFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var m struct {
		fakeRequest
		Result json.RawMessage
	}
	_ = json.Unmarshal(body, &m)
	f.mu.Lock()
	f.seen = append(f.seen, cmpOr(m.Method, r.Method))
	f.headers = append(f.headers, r.Header.Clone())
	known := r.Header.Get("Mcp-Session-Id") == f.session && f.session != ""
	f.mu.Unlock()
	switch {
	case f.require != "" && r.Header.Get("Authorization") != f.require:
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	case r.Method == http.MethodDelete:
		f.restart()
		return
	case m.Method == "server/discover":
		if f.mute {
			<-r.Context().Done()
			return
		}
		f.fail(w, 400, m.ID, -32601, "no such method")
		return
	case m.Method == "initialize":
		f.mu.Lock()
		f.sessions++
		f.session = fmt.Sprintf("s%d", f.sessions)
		w.Header().Set("Mcp-Session-Id", f.session)
		f.mu.Unlock()
		f.result(w, m.fakeRequest, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"resources":{}},"serverInfo":{"name":"web","version":"1"}}`)
		return
	case !known:
		f.fail(w, 404, m.ID, -32001, "Session not found")
		return
	case r.Method == http.MethodGet && r.Header.Get("Last-Event-ID") != "":
		f.mu.Lock()
		f.resumed = append(f.resumed, r.Header.Get("Last-Event-ID"))
		rest := f.rest
		f.mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range rest {
			fmt.Fprint(w, e)
		}
		return
	case r.Method == http.MethodGet:
		f.listen(w, r)
		return
	case m.Method == "":
		f.answers <- body
		w.WriteHeader(http.StatusAccepted)
		return
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	}
	switch m.Method {
	case "tools/list":
		f.mu.Lock()
		names := []string{"raw", fmt.Sprintf("of_session_%d", f.sessions)}
		f.mu.Unlock()
		f.result(w, m.fakeRequest, fmt.Sprintf(`{"tools":[{"name":%q,"inputSchema":{"type":"object"}},{"name":%q,"inputSchema":{"type":"object"}}]}`, names[0], names[1]))
	case "resources/list":
		f.result(w, m.fakeRequest, `{"resources":[]}`)
	case "tools/call":
		f.tool(w, r, m.fakeRequest)
	default:
		f.fail(w, 200, m.ID, -32601, "no such method")
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (f *webFake) listen(w http.ResponseWriter, r *http.Request) {
	if f.quiet {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": hello\nretry: 1\n\n")
	w.(http.Flusher).Flush()
	for {
		select {
		case n := <-f.news:
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", n)
			w.(http.Flusher).Flush()
		case <-f.dropped:
			return
		case <-r.Context().Done():
			return
		case <-f.release:
			return
		}
	}
}

func (f *webFake) fail(w http.ResponseWriter, status int, id json.RawMessage, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if id == nil || status >= 400 && status != 400 {
		id = json.RawMessage("null")
	}
	fmt.Fprintf(w, "{\n\"jsonrpc\":\"2.0\",\"id\":%s,\n\"error\":{\"code\":%d,\"message\":%q}}", id, code, message)
}

func (f *webFake) result(w http.ResponseWriter, r fakeRequest, result string) {
	text := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, r.ID, result)
	if f.stream {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data:%s\r\n\r\n", text)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprint(w, text)
}

func (f *webFake) tool(w http.ResponseWriter, h *http.Request, r fakeRequest) {
	var p struct {
		Name      string
		Arguments struct{ N int }
	}
	_ = json.Unmarshal(r.Params, &p)
	f.mu.Lock()
	status := f.status
	f.mu.Unlock()
	if status != 0 {
		http.Error(w, "<html>secret page</html>", status)
		return
	}
	event := func(format string, args ...any) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, format+"\n\n", args...)
		w.(http.Flusher).Flush()
	}
	switch p.Name {
	case "raw":
		f.result(w, r, rawResult)
	case "big":
		f.result(w, r, `{"content":[{"type":"text","text":"`+strings.Repeat("x", p.Arguments.N)+`"}]}`)
	case "chunked big":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\n", r.ID)
		for range p.Arguments.N / 1000 {
			fmt.Fprintf(w, "data: %s\n", strings.Repeat(" ", 1000))
		}
		fmt.Fprint(w, "data: \"result\":{\"content\":[]}}\n\n")
	case "batch":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `[{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}]`, r.ID)
	case "hang":
		<-h.Context().Done()
	case "hang in stream":
		event(": nothing yet")
		<-h.Context().Done()
	case "page":
		fmt.Fprint(w, "<html>login</html>")
	case "nothing":
		w.WriteHeader(http.StatusAccepted)
	case "not JSON":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{")
	case "other's":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":999,"result":{}}`)
	case "cut":
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc"`)
	case "stream ends":
		event("data: not a message")
	case "taken up":
		// The stream breaks off in the middle; the answer comes by another.
		f.mu.Lock()
		f.rest = []string{": taken up\n\n", fmt.Sprintf("id: e2\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", r.ID, rawResult)}
		f.mu.Unlock()
		event("id: e1\nretry: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}")
	case "ask":
		event(`data: {"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"sure?","requestedSchema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}}}}}`)
		select {
		case a := <-f.answers:
			event(`data: {"jsonrpc":"2.0","id":%s,"result":{"content":[],"structuredContent":%s}}`, r.ID, a)
		case <-h.Context().Done():
		}
	case "refuse":
		f.fail(w, 200, r.ID, -32602, "n must be positive")
	case "refuse by status":
		f.fail(w, 400, r.ID, -32602, "n must be positive")
	}
}

func (f *webFake) methods() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}
