package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The SDK's HTTP handler makes sessions of its own: what Serve does for one
// connection must come about for them too.
func TestOverHTTP(t *testing.T) {
	for _, c := range []struct {
		name, protocol string
		stateless      bool
	}{{"with sessions", legacy, false}, {"without", "", true}} {
		t.Run(c.name, func(t *testing.T) {
			var w *world
			tools := someTools()
			tools["s.elicit"] = askTool(&w, "elicitation/create", `{"message":"?"}`)
			w = newWorld(t, setup{tools: tools})
			server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return w.gateway.Server() },
				&mcp.StreamableHTTPOptions{Stateless: c.stateless}))
			t.Cleanup(server.Close)
			client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
				ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: "decline"}, nil
				},
				ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
					w.mu.Lock()
					w.progress = append(w.progress, r.Params)
					w.mu.Unlock()
					w.changed <- struct{}{}
				},
			})
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			cs, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: server.URL, HTTPClient: &http.Client{Transport: transport}},
				&mcp.ClientSessionOptions{ProtocolVersion: c.protocol})
			if err != nil {
				t.Fatal(err)
			}
			run := func(code string) string {
				t.Helper()
				res, err := cs.CallTool(context.Background(), withProgress(code, "t"))
				if err != nil {
					t.Fatal(err)
				}
				return text(res)
			}
			if got := run(`await stash.put("k", 5); return 1`); got != "1" {
				t.Errorf("put: %s", got)
			}
			if got := run(`progress(1, 2); return [await stash.get("k"), (await tools.s.elicit()).action]`); got != `[5,"decline"]` {
				t.Errorf("get and ask: %s", got)
			}
			w.until("progress", func() bool { return len(w.progress) > 0 })
			w.mu.Lock()
			store, session := w.callers[len(w.callers)-1].Stash, w.callers[len(w.callers)-1].Session
			w.mu.Unlock()
			if (session == "") != c.stateless {
				t.Errorf("the session is %q", session)
			}
			if err := cs.Close(); err != nil {
				t.Error(err)
			}
			if c.stateless {
				if n := store.Len(); n != 1 {
					t.Errorf("%d entries: the principal's stash goes with no session", n)
				}
				return
			}
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
				if _, _, err := store.Keys(); err != nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the stash of a session that has ended is still open")
				}
			}
		})
	}
}
