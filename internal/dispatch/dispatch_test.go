package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

func call(t *testing.T, d *dispatch.Dispatcher, server, tool, args string) (autoclave.Value, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return nobody(d).CallTool(ctx, autoclave.ToolCall{Server: server, Tool: tool, Arguments: json.RawMessage(args)})
}

func TestNew(t *testing.T) {
	if _, err := dispatch.New(dispatch.Config{}); err == nil || !strings.Contains(err.Error(), "Upstreams") {
		t.Errorf("got %v", err)
	}
}

// TestCallWaits calls servers that are still starting, and one that never
// comes up does not matter to the others.
func TestCallWaits(t *testing.T) {
	d := open(t, server(t, "tracker"), server(t, "absent"))
	v, err := call(t, d, "tracker", "get_issue", `{"number":1}`)
	if err != nil {
		t.Fatal(err)
	}
	var res struct {
		StructuredContent struct{ Number int }
		Content           []struct{ Type string }
	}
	if err := json.Unmarshal(v.JSON, &res); err != nil || !v.MCP || res.StructuredContent.Number != 1 || len(res.Content) != 1 {
		t.Errorf("got %+v, %s, %v", v.MCP, v.JSON, err)
	}
	_, err = call(t, d, "absent", "x", `{}`)
	e := wantCode(t, err, autoclave.UpstreamError)
	if e.Server != "absent" || e.Tool != "x" {
		t.Errorf("got %+v", e)
	}
}

func wantCode(t *testing.T, err error, code autoclave.Code) *autoclave.Error {
	t.Helper()
	e, ok := errors.AsType[*autoclave.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return e
}

func TestErrors(t *testing.T) {
	d := openReady(t, "tracker", "weather", "odd")
	for _, c := range []struct {
		server, tool, args string
		code               autoclave.Code
		says, suggests     string
		retryable          bool
	}{
		{server: "trakcer", tool: "get_issue", args: `{}`, code: autoclave.ServerNotFound, says: `no server "trakcer"`, suggests: `Did you mean "tracker"?`},
		{server: "Tracker", tool: "get_issue", args: `{}`, code: autoclave.ServerNotFound, suggests: `Did you mean "tracker"?`},
		{server: "github", tool: "get_issue", args: `{}`, code: autoclave.ServerNotFound, suggests: `Did you mean "tracker.get_issue"?`},
		{server: "github", tool: "fork", args: `{}`, code: autoclave.ServerNotFound, suggests: `The servers are tracker, weather, odd.`},
		{server: "tracker", tool: "listIssues", args: `{}`, code: autoclave.ToolNotFound, says: `"tracker" has no tool "listIssues"`, suggests: `Did you mean "list_issues"?`},
		{server: "tracker", tool: "get_forecast", args: `{}`, code: autoclave.ToolNotFound, suggests: `Did you mean "weather.get_forecast"?`},
		{server: "weather", tool: "xyzzy", args: `{}`, code: autoclave.ToolNotFound, suggests: `Its tools are `},
		{server: "tracker", tool: strings.Repeat("x", 100000), args: `{}`, code: autoclave.ToolNotFound, says: "xxx…"},
		{server: "tracker", tool: "get_issue", args: `[1]`, code: autoclave.InvalidArguments, says: "are an array: they must be an object", suggests: "Pass one object"},
		{server: "tracker", tool: "get_issue", args: ` "x"`, code: autoclave.InvalidArguments, says: "are a string"},
		{server: "tracker", tool: "get_issue", args: `null`, code: autoclave.InvalidArguments, says: "are null"},
		{server: "odd", tool: "bad-params", args: `{}`, code: autoclave.InvalidArguments, says: "so it is"},
		{server: "odd", tool: "broken", args: `{}`, code: autoclave.UpstreamError, says: "error -32603: so it is"},
		{server: "odd", tool: "invalid", args: `{}`, code: autoclave.UpstreamError, says: "cannot be read"},
		{server: "odd", tool: "deep", args: `{}`, code: autoclave.UpstreamError, says: "nested more than 512"},
		{server: "odd", tool: "big", args: `{}`, code: autoclave.CallResultLimit, says: "over the limit of 1048576", suggests: "Ask for less"},
		{server: "odd", tool: "read", args: `{"s":"` + strings.Repeat("x", 1<<20) + `"}`, code: autoclave.ArgumentLimit},
		{server: "odd", tool: "die", args: `{}`, code: autoclave.UpstreamError, says: "exited with status 4"},
		{server: "odd", tool: "read", args: `{}`, code: autoclave.UpstreamError, says: "exited with status 4", suggests: "Try again in", retryable: true},
	} {
		_, err := call(t, d, c.server, c.tool, c.args)
		e := wantCode(t, err, c.code)
		if !strings.Contains(e.Message, c.says) || !strings.Contains(e.Suggestion, c.suggests) {
			t.Errorf("%s.%.20s: got %q, suggestion %q; want %q, %q", c.server, c.tool, e.Message, e.Suggestion, c.says, c.suggests)
		}
		if e.Server != c.server || e.Tool != c.tool || e.Retryable != c.retryable {
			t.Errorf("%s.%.20s: got server %q, tool %q, retryable %t", c.server, c.tool, e.Server, e.Tool, e.Retryable)
		}
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("the program sees what the server wrote to its stderr: %v", e)
		}
	}
}

func TestToolErrorIsAResult(t *testing.T) {
	d := openReady(t, "lab")
	v, err := call(t, d, "lab", "fail", `{"message":"no"}`)
	if err != nil || !v.MCP || !bytes.Contains(v.JSON, []byte(`"isError":true`)) {
		t.Errorf("got %s, %v", v.JSON, err)
	}
	if v, err := call(t, d, "lab", "draw_chart", `{"values":[]}`); err != nil || !bytes.Contains(v.JSON, []byte(`"isError":true`)) {
		t.Errorf("no values: got %s, %v", v.JSON, err)
	}
}

func TestTimeout(t *testing.T) {
	d := openReady(t, "lab", "odd")
	for _, c := range []struct {
		server, tool, args string
		retryable          bool // it is read-only
	}{{"lab", "slow", `{"ms":60000}`, true}, {"odd", "hang", `{}`, false}, {"odd", "read", `{}`, true}} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		_, err := nobody(d).CallTool(ctx, autoclave.ToolCall{Server: c.server, Tool: c.tool, Arguments: json.RawMessage(c.args)})
		cancel()
		if e := wantCode(t, err, autoclave.UpstreamTimeout); e.Retryable != c.retryable {
			t.Errorf("%s.%s: retryable is %t", c.server, c.tool, e.Retryable)
		}
	}
	// As the runtime does it.
	expired, expire := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { expire(context.DeadlineExceeded) })
	_, err := nobody(d).CallTool(expired, autoclave.ToolCall{Server: "lab", Tool: "slow", Arguments: json.RawMessage(`{"ms":60000}`)})
	wantCode(t, err, autoclave.UpstreamTimeout)

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the execution ended")
	cancel(why)
	_, err = nobody(d).CallTool(ctx, autoclave.ToolCall{Server: "lab", Tool: "slow", Arguments: json.RawMessage(`{"ms":60000}`)})
	wantCode(t, err, autoclave.Cancelled)
	if !errors.Is(err, why) {
		t.Errorf("%v does not wrap the cause", err)
	}
}

func TestResources(t *testing.T) {
	d := openReady(t, "tracker", "sales", "odd")
	raw, err := nobody(d).ReadResource(t.Context(), "tracker", "tracker://labels")
	if err != nil || !bytes.Contains(raw, []byte(`"contents"`)) || !bytes.Contains(raw, []byte(`performance`)) {
		t.Errorf("got %s, %v", raw, err)
	}
	_, err = nobody(d).ReadResource(t.Context(), "tracker", "tracker://nothing")
	if e := wantCode(t, err, autoclave.ResourceNotFound); !strings.Contains(e.Suggestion, `resources.list("tracker")`) || e.Tool != "" || e.Server != "tracker" {
		t.Errorf("got %+v", e)
	}
	_, err = nobody(d).ReadResource(t.Context(), "odd", "x://y")
	wantCode(t, err, autoclave.ResourceNotFound)
	_, err = nobody(d).ReadResource(t.Context(), "trackr", "x://y")
	wantCode(t, err, autoclave.ServerNotFound)

	type entry struct{ Server, URI, Name, MimeType string }
	list := func(server string) []entry {
		t.Helper()
		raw, err := nobody(d).ListResources(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		var out []entry
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := list("sales"); len(got) != 1 || got[0] != (entry{"sales", "sales://notes", "notes", "text/plain"}) {
		t.Errorf("got %+v", got)
	}
	if got := list(""); len(got) != 3 { // the odd one answers with an error
		t.Errorf("got %+v", got)
	}
	_, err = nobody(d).ListResources(t.Context(), "odd")
	wantCode(t, err, autoclave.UpstreamError)
}

func TestCatalog(t *testing.T) {
	d := openReady(t, "tracker", "weather", "odd", "absent")
	if first, second := nobody(d).Catalog(), nobody(d).Catalog(); first == nil || first != second {
		t.Error("the catalog is made anew each time")
	}
	raw, err := nobody(d).CatalogServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var servers []struct {
		Name, Description, Problem string
		Tools                      int
	}
	if err := json.Unmarshal(raw, &servers); err != nil {
		t.Fatal(err)
	}
	if len(servers) != 4 || servers[2].Name != "tracker" || servers[2].Tools != 6 || servers[2].Description == "" || servers[0].Problem == "" {
		t.Errorf("got %s", raw)
	}
	if infos := d.Index().Servers(); len(infos) != 4 || infos[0].Name != "absent" || !strings.Contains(infos[0].Problem, "exited with status 1") {
		t.Errorf("got %+v", infos)
	}

	type hit struct{ Server, Tool, Description, Types string }
	search := func(query, server string, limit int) []hit {
		t.Helper()
		raw, err := nobody(d).CatalogSearch(t.Context(), query, server, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []hit
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for query, want := range map[string]string{
		"create an issue": "tracker.create_issue", "forecast": "weather.get_forecast", "comments": "tracker.add_comment",
		"list cities": "weather.list_cities", "CLOSE": "tracker.close_issue",
	} {
		if got := search(query, "", 0); len(got) == 0 || got[0].Server+"."+got[0].Tool != want {
			t.Errorf("%q: got %+v, want %s first", query, got, want)
		}
	}
	if got := search("", "weather", 2); len(got) != 2 || got[0].Server != "weather" || !strings.Contains(got[0].Types, "Promise<") {
		t.Errorf("got %+v", got)
	}
	if got := search("", "", 9); len(got) != 9 || got[0].Server != "odd" || got[8].Server != "tracker" {
		t.Errorf("got %+v", got)
	}
	if got := search("xylophone", "", 0); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	_, err = nobody(d).CatalogSearch(t.Context(), "x", "wether", 0)
	if e := wantCode(t, err, autoclave.ServerNotFound); e.Suggestion != `Did you mean "weather"?` {
		t.Errorf("got %+v", e)
	}

	types, err := nobody(d).CatalogTypes(t.Context(), "weather", "get_forecast")
	if err != nil || !strings.Contains(types, "get_forecast(") || !strings.Contains(types, "high_c: number") || strings.Contains(types, "list_cities(") {
		t.Errorf("got %v\n%s", err, types)
	}
	types, err = nobody(d).CatalogTypes(t.Context(), "odd", "")
	if err != nil || !strings.Contains(types, "bad-params") || strings.Contains(types, "*/ two") {
		t.Errorf("got %v\n%s", err, types)
	}
	_, err = nobody(d).CatalogTypes(t.Context(), "weather", "get_forcast")
	if e := wantCode(t, err, autoclave.ToolNotFound); e.Suggestion != `Did you mean "get_forecast"?` {
		t.Errorf("got %+v", e)
	}
}

func TestEmpty(t *testing.T) {
	d := open(t)
	_, err := call(t, d, "x", "y", "{}")
	if e := wantCode(t, err, autoclave.ServerNotFound); e.Suggestion != "No server is connected." {
		t.Errorf("got %+v", e)
	}
	if raw, err := nobody(d).ListResources(t.Context(), ""); err != nil || string(raw) != "[]" {
		t.Errorf("got %s, %v", raw, err)
	}
	if raw, err := nobody(d).CatalogServers(t.Context()); err != nil || string(raw) != "[]" {
		t.Errorf("got %s, %v", raw, err)
	}
}

func TestParallel(t *testing.T) {
	d := openReady(t, "tracker", "weather", "lab")
	var all sync.WaitGroup
	for i := range 90 {
		all.Go(func() {
			c := [][3]string{{"tracker", "list_issues", `{}`}, {"weather", "list_cities", `{}`}, {"lab", "echo", `{"value":1}`}}[i%3]
			if v, err := nobody(d).CallTool(t.Context(), autoclave.ToolCall{Server: c[0], Tool: c[1], Arguments: json.RawMessage(c[2])}); err != nil || len(v.JSON) == 0 {
				t.Errorf("%v: %s, %v", c, v.JSON, err)
			}
		})
	}
	all.Wait()
}

// TestRows is the two-megabyte result, raw.
func TestRows(t *testing.T) {
	d := openReady(t, "sales")
	v, err := call(t, d, "sales", "rows", `{}`)
	if err != nil || len(v.JSON) < 2_000_000 {
		t.Fatalf("got %d bytes, %v", len(v.JSON), err)
	}
	t.Logf("%d bytes", len(v.JSON))
}

func TestRecord(t *testing.T) {
	var log bytes.Buffer
	set, err := upstream.OpenSet(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close(context.Background())
	d, err := dispatch.New(dispatch.Config{Upstreams: set, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	call(t, d, "x", "y", `{"secret":1}`)
	if s := log.String(); !strings.Contains(s, "server=x name=y") || !strings.Contains(s, "SERVER_NOT_FOUND") || strings.Contains(s, "secret") {
		t.Errorf("got %s", s)
	}
}
