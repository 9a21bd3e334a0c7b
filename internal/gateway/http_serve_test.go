package gateway_test

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// TestHTTPVersions has clients of all versions at one endpoint.
func TestHTTPVersions(t *testing.T) {
	w := newWeb(t, webSetup{})
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", ""} {
		cs := w.connect("", version, nil)
		got := cs.InitializeResult().ProtocolVersion
		if want := version; got != want && version != "" || version == "" && got != "2026-07-28" {
			t.Errorf("the version is %q, want %q", got, want)
		}
		if id := cs.ID(); (id == "") != (version == "") {
			t.Errorf("%q: the session is %q", version, id)
		}
		if got := w.run(cs, `await stash.put("k", 7); return await stash.get("k")`); got != "7" {
			t.Errorf("%q: %s", version, got)
		}
		res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "search", Arguments: map[string]any{"query": "say back"}})
		if err != nil || !strings.Contains(text(res), "tools.s.echo") {
			t.Errorf("%q: search: %v %v", version, err, res)
		}
		if err := cs.Close(); err != nil {
			t.Errorf("%q: closing: %v", version, err)
		}
	}
	// Of the sessions nothing is left; the principal's stash of the last stays.
	eventually(t, "the sessions to be gone", func() bool {
		h := w.handler.Held()
		return h.Sessions == 0 && h.EventSessions == 0 && h.EventBytes == 0 && h.Stashes == 1 && h.Gateway == 0
	})
}

// tenants records who ran where.
type tenants struct {
	gateway.Runtime
	mu  sync.Mutex
	pid map[string]map[int]bool
}

func (r *tenants) Execute(ctx context.Context, p autoclave.Program, h autoclave.Host) (*autoclave.Result, error) {
	res, err := r.Runtime.Execute(ctx, p, h)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pid[p.Tenant] == nil {
		r.pid[p.Tenant] = map[int]bool{}
	}
	r.pid[p.Tenant][res.Worker.PID] = true
	return res, err
}

func TestHTTPPrincipals(t *testing.T) {
	for _, version := range []string{legacy, ""} {
		t.Run("version "+version, func(t *testing.T) {
			rt := &tenants{Runtime: testRuntime(t), pid: map[string]map[int]bool{}}
			w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens}, gateway: func(c *gateway.Config) { c.Runtime = rt }})
			var mu sync.Mutex
			heard := map[string][]string{}
			client := func(name, token string) *mcp.ClientSession {
				hear := func(what string) {
					mu.Lock()
					defer mu.Unlock()
					heard[name] = append(heard[name], what)
				}
				cs := w.connect(token, version, &mcp.ClientOptions{
					ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { hear(r.Params.Message) },
					LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
						var s string
						raw, _ := json.Marshal(r.Params.Data)
						_ = json.Unmarshal(raw, &s)
						hear(s)
					},
				})
				if version != "" {
					if err := cs.SetLoggingLevel(context.Background(), &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
						t.Fatal(err)
					}
				}
				return cs
			}
			alice, bob := client("alice", aliceToken), client("bob", bobToken)
			var both sync.WaitGroup
			for name, cs := range map[string]*mcp.ClientSession{"alice": alice, "bob": bob} {
				both.Go(func() {
					for range 20 {
						res, err := cs.CallTool(context.Background(), withProgress(`console.log("`+name+` logs"); progress(1, 2, "`+name+` is half done");
							const seen = [await stash.get("secret"), await stash.get("of `+name+`".replaceAll(" ", "-"))];
							await stash.put("secret", "`+name+`"); return seen[0] ?? "`+name+`"`, "t"))
						if err != nil || text(res) != name {
							t.Errorf("%s: %v %s", name, err, text(res))
						}
					}
				})
			}
			both.Wait()
			for name, pids := range rt.pid {
				if len(pids) == 0 || name != "alice" && name != "bob" {
					t.Errorf("%q ran on %v", name, pids)
				}
			}
			for pid := range rt.pid["alice"] {
				if rt.pid["bob"][pid] {
					t.Errorf("both ran in worker %d", pid)
				}
			}
			eventually(t, "progress of both", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return slices.Contains(heard["alice"], "alice is half done") && slices.Contains(heard["bob"], "bob is half done")
			})
			mu.Lock()
			defer mu.Unlock()
			for name, other := range map[string]string{"alice": "bob", "bob": "alice"} {
				for _, what := range heard[name] {
					if strings.Contains(what, other) {
						t.Errorf("%s heard %q", name, what)
					}
				}
				if version != "" && !slices.Contains(heard[name], name+" logs") {
					t.Errorf("%s did not hear of its own log: %q", name, heard[name])
				}
			}
		})
	}
}

// A session belongs to whoever opened it, and to everybody else it is not
// there: neither its name nor its requests, streams and end.
func TestHTTPForeignSession(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens}})
	id := w.open(aliceToken)
	for _, q := range []raw{
		{token: bobToken, session: id, body: execution(`return 1`)},
		{token: bobToken, session: id, method: http.MethodGet},
		{token: bobToken, session: id, method: http.MethodGet, header: map[string]string{"Last-Event-ID": "A_0"}},
		{token: bobToken, session: id, method: http.MethodDelete},
		{token: aliceToken, session: id + "x", body: execution(`return 1`)},
		{token: aliceToken, session: strings.ToLower(id), body: execution(`return 1`)},
		{token: aliceToken, session: "", version: legacy, method: http.MethodDelete},
	} {
		q.version = legacy
		res, body := w.do(q)
		want := http.StatusNotFound
		if q.session == "" {
			want = http.StatusBadRequest
		}
		if res.StatusCode != want {
			t.Errorf("%+v: %s %s", q, res.Status, body)
		}
	}
	if res, body := w.do(raw{token: aliceToken, session: id, version: legacy, body: execution(`return 1`)}); !strings.Contains(body, `"value":1`) {
		t.Errorf("its owner: %s %s", res.Status, body)
	}
	if res, body := w.do(raw{token: aliceToken, session: id, version: legacy, method: http.MethodDelete}); res.StatusCode != http.StatusNoContent {
		t.Errorf("its end: %s %s", res.Status, body)
	}
	if res, body := w.do(raw{token: aliceToken, session: id, version: legacy, body: execution(`return 1`)}); res.StatusCode != http.StatusNotFound {
		t.Errorf("after its end: %s %s", res.Status, body)
	}
}

// Where there is no session, the stash is the principal's, or that of a name
// which the client gives and gets back.
func TestNamedStash(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens}})
	alice, again, bob := w.connect(aliceToken, "", nil), w.connect(aliceToken, legacy, nil), w.connect(bobToken, "", nil)
	w.run(alice, `await stash.put("k", "principal")`)
	w.run(alice, `await stash.put("k", "named")`, "session", "job-1")
	for _, c := range []struct {
		name string
		cs   *mcp.ClientSession
		args []any
		want string
	}{
		{"the principal's", alice, nil, "principal"},
		{"the named one", alice, []any{"session", "job-1"}, "named"},
		{"another name", alice, []any{"session", "job-2"}, "null"},
		{"the name from a session of the same principal", again, []any{"session", "job-1"}, "named"},
		{"that session's own", again, nil, "null"},
		{"the other principal's", bob, nil, "null"},
		{"the other principal's of that name", bob, []any{"session", "job-1"}, "null"},
	} {
		if got := w.run(c.cs, `return (await stash.get("k")) ?? null`, c.args...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	res, err := alice.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": "return 1", "session": "job-1"}})
	if err != nil || structured(t, res)["session"] != "job-1" {
		t.Errorf("the name does not come back: %v %v", err, res.StructuredContent)
	}
	for _, bad := range []string{"a b", "é", "a/b", strings.Repeat("x", 129)} {
		res, err := alice.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": "return 1", "session": bad}})
		if err != nil || !res.IsError || !strings.Contains(text(res), `"session" must be`) {
			t.Errorf("%q: %v %s", bad, err, text(res))
		}
	}
	// A name can not reach into a session, however it is called.
	if got := w.run(again, `await stash.put("k", "session"); return 1`); got != "1" {
		t.Error(got)
	}
	if got := w.run(alice, `return (await stash.get("k")) ?? null`, "session", again.ID()); got != "null" {
		t.Errorf("a name reached the stash of a session: %s", got)
	}
}

// A client loses its connection in the middle of an execution, and comes back
// for the rest.
func TestResume(t *testing.T) {
	tool, entered, open := gateTool()
	tools := someTools()
	tools["s.gate"] = tool
	w := newWeb(t, webSetup{tools: tools})
	id := w.open("")
	s := w.stream(raw{session: id, version: legacy, body: execution(`return [await tools.s.gate(), "end"]`)})
	first, _, ok := s.next()
	if !ok || first == "" {
		t.Fatalf("the stream does not begin with an event that has an id: %q", first)
	}
	<-entered
	s.cut()
	// The stream is free for another request when the server has noticed.
	var again *stream
	eventually(t, "the stream to be taken up", func() bool {
		again = w.stream(raw{method: http.MethodGet, session: id, version: legacy, header: map[string]string{"Last-Event-ID": first}})
		return again.res.StatusCode == http.StatusOK
	})
	close(open)
	last, data, ok := again.next()
	if !ok || !strings.Contains(data, `"value":["through","end"]`) {
		t.Fatalf("the answer is %q %v", data, ok)
	}
	if _, _, more := again.next(); more {
		t.Error("the stream goes on after the answer")
	}
	// What was sent can be had once more; what comes after the last is nothing.
	replay := w.stream(raw{method: http.MethodGet, session: id, version: legacy, header: map[string]string{"Last-Event-ID": first}})
	if got, again, _ := replay.next(); got != last || again != data {
		t.Errorf("replayed %q %q", got, again)
	}
	if _, _, more := w.stream(raw{method: http.MethodGet, session: id, version: legacy, header: map[string]string{"Last-Event-ID": last}}).next(); more {
		t.Error("something comes after the last event")
	}
	for _, bad := range []string{"x", "_", "A_-1", "A_0", first + "9", strings.Repeat("A", 1000) + "_1"} {
		res, body := w.do(raw{method: http.MethodGet, session: id, version: legacy, header: map[string]string{"Last-Event-ID": bad}})
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q: %s %s", bad, res.Status, body)
		}
	}
}

// Without a session the request is all there is: with it goes the execution.
func TestDisconnectCancels(t *testing.T) {
	ended := make(chan struct{})
	entered := make(chan struct{})
	tools := someTools()
	tools["s.wait"] = func(ctx context.Context, _ json.RawMessage) (string, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return "", ctx.Err()
	}
	w := newWeb(t, webSetup{tools: tools})
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{DisableKeepAlives: true}
	failed := make(chan error, 1)
	go func() {
		res, err := transport.RoundTrip(w.request(ctx, statelessExecution("", `return await tools.s.wait()`)))
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	<-entered
	cancel()
	<-failed
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Fatal("the program goes on after its client has gone")
	}
	eventually(t, "nothing to be left", func() bool { h := w.handler.Held(); return h.Gateway == 0 && h.Requests == 0 })
}

// The end of a session ends what runs in it, and the answer to that does not
// wait.
func TestDelete(t *testing.T) {
	tool, entered, _ := gateTool()
	w := newWeb(t, webSetup{tools: map[string]func(context.Context, json.RawMessage) (string, error){"s.gate": tool}})
	id := w.open("")
	s := w.stream(raw{session: id, version: legacy, body: execution(`return await tools.s.gate()`)})
	<-entered
	if res, body := w.do(raw{session: id, version: legacy, method: http.MethodDelete}); res.StatusCode != http.StatusNoContent {
		t.Errorf("%s %s", res.Status, body)
	}
	for {
		if _, _, ok := s.next(); !ok {
			break
		}
	}
	eventually(t, "nothing to be left", func() bool {
		h := w.handler.Held()
		return h.Sessions == 0 && h.Gateway == 0 && h.EventSessions == 0 && h.EventBytes == 0 && h.Stashes == 0 && h.BodyBytes == 0
	})
}

func TestSessionTimeout(t *testing.T) {
	tool, entered, open := gateTool()
	w := newWeb(t, webSetup{
		http:  gateway.HTTPConfig{SessionTimeout: 50 * time.Millisecond},
		tools: map[string]func(context.Context, json.RawMessage) (string, error){"s.gate": tool},
	})
	id := w.open("")
	s := w.stream(raw{session: id, version: legacy, body: execution(`await stash.put("k", 1); return await tools.s.gate()`)})
	<-entered
	s.cut() // but its program runs
	time.Sleep(200 * time.Millisecond)
	if h := w.handler.Held(); h.Sessions != 1 || h.Stashes != 1 {
		t.Fatalf("a session whose program runs has ended: %+v", h)
	}
	close(open)
	eventually(t, "the session to end", func() bool {
		h := w.handler.Held()
		return h.Sessions == 0 && h.Gateway == 0 && h.EventSessions == 0 && h.EventBytes == 0 && h.Stashes == 0
	})
	if res, body := w.do(raw{session: id, version: legacy, body: execution(`return 1`)}); res.StatusCode != http.StatusNotFound {
		t.Errorf("%s %s", res.Status, body)
	}
}
