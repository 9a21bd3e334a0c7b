package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// at1 answers every program at once: what is fuzzed is what comes before.
type at1 struct{}

func (at1) Execute(context.Context, autoclave.Program, autoclave.Host) (*autoclave.Result, error) {
	return &autoclave.Result{Value: []byte("1")}, nil
}

// FuzzHTTP sends whatever to the endpoint. It is answered, and holds nothing
// afterwards but the session that it was given.
func FuzzHTTP(f *testing.F) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"f","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`
	for _, seed := range [][5]string{
		{"POST", "", "", "", initialize},
		{"POST", "", "2026-07-28", "tools/call", `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"execute","arguments":{"code":"1"},` + meta + `}}`},
		{"POST", "", "2026-07-28", "server/discover", `{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{` + meta + `}}`},
		{"POST", "ours", legacy, "", execution("return 1")},
		{"POST", "ours", "2025-03-26", "", "[" + execution("return 1") + "," + execution("return 2") + "]"},
		{"POST", "ours", legacy, "", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`},
		{"POST", "", "", "", "[" + initialize + "," + initialize + "]"},
		{"GET", "ours", legacy, "A_0", ""},
		{"DELETE", "X", "2026-07-28", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	g, err := gateway.New(gateway.Config{
		Runtime: at1{}, Catalog: someCatalog,
		NewHost: func(gateway.Caller) (autoclave.Host, error) { return &fakeHost{}, nil },
	})
	if err != nil {
		f.Fatal(err)
	}
	h, err := g.NewHTTP(gateway.HTTPConfig{Hosts: []string{"example.com"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { h.Close(); g.Close(context.Background()) })
	send := func(method, session, version, more, body string, timeout time.Duration) *httptest.ResponseRecorder {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body)).WithContext(ctx)
		r.Method = method
		r.Header = http.Header{
			"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
			"Mcp-Session-Id": {session}, "Mcp-Protocol-Version": {version}, "Mcp-Method": {more}, "Mcp-Name": {"execute"},
		}
		if more != "" {
			r.Header.Set("Last-Event-ID", more)
		}
		if method == http.MethodPost {
			r.Header.Del("Last-Event-ID")
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	f.Fuzz(func(t *testing.T, method, session, version, more, body string) {
		ours := send(http.MethodPost, "", "", "", initialize, time.Minute).Header().Get("Mcp-Session-Id")
		if ours == "" {
			t.Fatal("no session is given any more")
		}
		send(http.MethodPost, ours, legacy, "", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, time.Minute)
		if session == "ours" {
			session = ours
		}
		rec := send(method, session, version, more, body, 200*time.Millisecond)
		if rec.Code < 200 || rec.Code > 599 {
			t.Errorf("the status is %d", rec.Code)
		}
		if _, err := io.ReadAll(rec.Body); err != nil {
			t.Error(err)
		}
		for _, id := range []string{ours, rec.Header().Get("Mcp-Session-Id")} {
			if id != "" {
				send(http.MethodDelete, id, legacy, "", "", time.Minute)
			}
		}
		eventually(t, "nothing to be left", func() bool {
			held := h.Held()
			return held.Sessions == 0 && held.Requests == 0 && held.BodyBytes == 0 && held.EventSessions == 0
		})
	})
}
