package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// user answers what upstreams ask, and hears of their progress.
type user struct {
	mu       sync.Mutex
	asked    []string
	progress int
}

func (u *user) Can(method string) bool { return method == "elicitation/create" }

func (u *user) Ask(_ context.Context, method string, _ json.RawMessage) (json.RawMessage, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, method)
	return json.RawMessage(`{"action":"accept"}`), nil
}

func (u *user) Progress(string, string, upstream.Progress) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.progress++
}

func (u *user) Log(string, upstream.LogMessage) {}

func tool(server, name string) autoclave.ToolCall {
	return autoclave.ToolCall{Server: server, Tool: name, Arguments: json.RawMessage(`{}`)}
}

func TestFor(t *testing.T) {
	d := openReady(t, "lively")
	alice := &user{}
	v, err := d.For(dispatch.Caller{Client: alice}).CallTool(t.Context(), tool("lively", "ask"))
	if err != nil || !bytes.Contains(v.JSON, []byte(`"structuredContent":{"action":"accept"}`)) {
		t.Errorf("got %s, %v", v.JSON, err)
	}
	if len(alice.asked) != 1 || alice.progress != 1 {
		t.Errorf("asked %q, progress %d", alice.asked, alice.progress)
	}
	v, err = nobody(d).CallTool(t.Context(), tool("lively", "ask"))
	if err != nil || !bytes.Contains(v.JSON, []byte("cannot be asked")) || len(alice.asked) != 1 {
		t.Errorf("nobody: got %s, %v", v.JSON, err)
	}
}

// TestGrown calls a tool that was announced a moment ago.
func TestGrown(t *testing.T) {
	d := openReady(t, "lively")
	host := d.For(dispatch.Caller{})
	_, err := host.CallTool(t.Context(), tool("lively", "grown"))
	wantCode(t, err, autoclave.ToolNotFound)
	version, names := d.Index().Version(), host.Catalog()
	changed := d.Changed()
	if _, err := host.CallTool(t.Context(), tool("lively", "grow")); err != nil {
		t.Fatal(err)
	}
	if _, err := host.CallTool(t.Context(), tool("lively", "grown")); err != nil {
		t.Error(err)
	}
	<-changed
	if d.Index().Version() == version || host.Catalog() == names {
		t.Error("the catalog is the old one")
	}
}

func TestListsFromCatalog(t *testing.T) {
	d := openReady(t, "lively", "codemode", "absent")
	if raw, err := nobody(d).ListResources(t.Context(), "lively"); err != nil || string(raw) != `[{"server":"lively","uri":"x://1","name":"one"}]` {
		t.Errorf("got %s, %v", raw, err)
	}
	if raw, err := nobody(d).ListResourceTemplates(t.Context(), ""); err != nil || strings.Count(string(raw), `"uriTemplate":"x://{n}"`) != 2 {
		t.Errorf("got %s, %v", raw, err)
	}
	_, err := nobody(d).ListResources(t.Context(), "absent")
	wantCode(t, err, autoclave.UpstreamError)
	_, err = nobody(d).ReadResource(t.Context(), "lively", "x://1")
	wantCode(t, err, autoclave.ResourceNotFound)
	infos := d.Index().Servers() // by name
	if !infos[1].CodeMode || infos[2].CodeMode || strings.Contains(infos[2].Description, "<system>") {
		t.Errorf("got %+v", infos)
	}
	_, err = nobody(d).CatalogTypes(t.Context(), "absent", "x")
	if e := wantCode(t, err, autoclave.UpstreamError); !strings.Contains(e.Message, "not connected") {
		t.Errorf("got %v", e)
	}
}

// TestDiesAndComesBack is what a program and a searcher see of it.
func TestDiesAndComesBack(t *testing.T) {
	cfg := server(t, "lively")
	cfg.BackoffMin, cfg.BackoffMax = 100*time.Millisecond, time.Second
	d := open(t, cfg)
	if _, err := nobody(d).CallTool(t.Context(), tool("lively", "grow")); err != nil {
		t.Fatal(err)
	}
	_, err := nobody(d).CallTool(t.Context(), tool("lively", "die"))
	if e := wantCode(t, err, autoclave.UpstreamError); e.Retryable {
		t.Errorf("a call that may have been carried out is retryable: %+v", e)
	}
	_, err = nobody(d).CallTool(t.Context(), tool("lively", "grow"))
	if e := wantCode(t, err, autoclave.UpstreamError); !e.Retryable || e.RetryAfter <= 0 || !strings.Contains(e.Suggestion, "Try again in") {
		t.Errorf("got %+v", e)
	}
	missing, back := false, false
	for deadline := time.After(patience); !back; {
		changed := d.Changed()
		hits := d.Index().Search(catalog.Query{Text: "grow"})
		missing = missing || len(hits.Missing) == 1 && strings.Contains(hits.Missing[0].Problem, "exited with status 4")
		if back = missing && len(hits.Missing) == 0; back {
			break
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("missing was seen: %t; and it did not come back", missing)
		}
	}
	if _, err := nobody(d).CallTool(t.Context(), tool("lively", "grow")); err != nil {
		t.Error(err)
	}
}

func TestCircuit(t *testing.T) {
	srv := mcp.NewServer(&mcp.Implementation{Name: "web", Version: "1"}, nil)
	type none struct{}
	mcp.AddTool(srv, &mcp.Tool{Name: "work"}, func(context.Context, *mcp.CallToolRequest, none) (*mcp.CallToolResult, none, error) {
		return nil, none{}, nil
	})
	inner := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return srv }, nil)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"tools/call"`)) {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	d := open(t, upstream.Config{Name: "web", URL: web.URL, ConnectTimeout: patience, BreakerFailures: 1, BreakerCooldown: time.Hour})
	_, err := nobody(d).CallTool(t.Context(), tool("web", "work"))
	if e := wantCode(t, err, autoclave.UpstreamError); e.Retryable {
		t.Errorf("got %+v", e)
	}
	_, err = nobody(d).CallTool(t.Context(), tool("web", "work"))
	if e := wantCode(t, err, autoclave.CircuitOpen); !e.Retryable || e.RetryAfter < time.Minute || e.Suggestion == "" || e.Server != "web" || e.Tool != "work" {
		t.Errorf("got %+v", e)
	}
}
