package dispatch_test

import (
	"context"
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

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/stash"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// stub is an MCP server over HTTP that writes down all that arrives: what it
// has not seen has not left.
type stub struct {
	name  string
	tools []string // as JSON, see decl
	web   *httptest.Server

	mu        sync.Mutex
	resources []string
	arrived   []arrival
	// answer makes the result of a tool or a resource, or a JSON-RPC error
	// that begins with "error ". Nil: an empty result. It may block until the
	// context ends, which is that of the request.
	answer func(context.Context, arrival) string
}

// arrival is one message: a request, or a notification.
type arrival struct {
	Method string
	Name   string // of the tool, or the URI
	Args   string
}

func (a arrival) String() string { return strings.TrimSpace(a.Method + " " + a.Name + " " + a.Args) }

// decl is a tool as a stub lists it. rest goes in as further members.
func decl(name, schema, rest string) string {
	if schema == "" {
		schema = `{"type":"object"}`
	}
	if rest != "" {
		rest = "," + rest
	}
	return fmt.Sprintf(`{"name":%q,"description":"Does %s.","inputSchema":%s%s}`, name, name, schema, rest)
}

func hints(hints string) string { return `"annotations":{` + hints + `}` }

func newStub(t testing.TB, name string, tools ...string) *stub {
	t.Helper()
	s := &stub{name: name, tools: tools}
	s.web = httptest.NewServer(s)
	t.Cleanup(s.web.Close)
	return s
}

func (s *stub) config() upstream.Config {
	return upstream.Config{Name: s.name, URL: s.web.URL, DiscoverTimeout: -1, ConnectTimeout: patience, RefreshInterval: -1, BreakerFailures: -1}
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name      string          `json:"name"`
			URI       string          `json:"uri"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"params"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a := arrival{Method: m.Method, Name: m.Params.Name + m.Params.URI, Args: string(m.Params.Arguments)}
	s.mu.Lock()
	answer, resources := s.answer, strings.Join(s.resources, ",")
	tools := strings.Join(s.tools, ",")
	if a.Method == "tools/call" || a.Method == "resources/read" || a.Method == "notifications/cancelled" {
		s.arrived = append(s.arrived, a)
	}
	s.mu.Unlock()
	if len(m.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result := `{}`
	switch a.Method {
	case "initialize":
		result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{}},"serverInfo":{"name":"stub","version":"1"}}`
	case "tools/list":
		result = `{"tools":[` + tools + `]}`
	case "resources/list":
		result = `{"resources":[` + resources + `]}`
	case "resources/templates/list":
		result = `{"resourceTemplates":[]}`
	case "tools/call":
		result = `{"content":[]}`
		if answer != nil {
			result = answer(r.Context(), a)
		}
	case "resources/read":
		result = `{"contents":[]}`
		if answer != nil {
			result = answer(r.Context(), a)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	what := "result"
	if text, failed := strings.CutPrefix(result, "error "); failed {
		b, _ := json.Marshal(text)
		what, result = "error", `{"code":-32000,"message":`+string(b)+`}`
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%q:%s}`, m.ID, what, result)
}

// seen returns what has arrived, and forgets it.
func (s *stub) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, a := range s.arrived {
		all = append(all, a.String())
	}
	s.arrived = nil
	return all
}

func (s *stub) answers(f func(context.Context, arrival) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// connect opens a set with the stubs, and waits until they are all there.
func connect(t testing.TB, stubs ...*stub) *upstream.Set {
	t.Helper()
	var cfgs []upstream.Config
	for _, s := range stubs {
		cfgs = append(cfgs, s.config())
	}
	return connectWith(t, cfgs...)
}

func connectWith(t testing.TB, cfgs ...upstream.Config) *upstream.Set {
	t.Helper()
	set, err := upstream.OpenSet(context.Background(), cfgs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := set.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := set.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range set.Members() {
		if m.Err != nil {
			t.Fatalf("%s: %v", m.Name, m.Err)
		}
	}
	return set
}

// governed returns a dispatcher over the set.
func governed(t testing.TB, set *upstream.Set, r dispatch.Rules) *dispatch.Dispatcher {
	t.Helper()
	d, err := dispatch.New(dispatch.Config{Upstreams: set, Rules: r})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newStore(t testing.TB) *stash.Store {
	t.Helper()
	s, err := stash.New(stash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func with(server, name, args string) autoclave.ToolCall {
	return autoclave.ToolCall{Server: server, Tool: name, Arguments: json.RawMessage(args)}
}

// code is that of an error; empty: there is none.
func code(err error) autoclave.Code {
	if err == nil {
		return ""
	}
	if e, ok := err.(*autoclave.Error); ok {
		return e.Code
	}
	return autoclave.Code(fmt.Sprintf("%T", err))
}

// within returns a context that ends a test which hangs.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// approver is a person with a script: each question takes the next answer.
// Where the script is over he says no.
type approver struct {
	mute bool // has not declared elicitation

	mu     sync.Mutex
	script []func(ctx context.Context, params json.RawMessage) (json.RawMessage, error)
	asked  []string // the messages
	now    int      // questions that are put at this moment
	most   int      // and the most that ever were
}

func (a *approver) Can(method string) bool { return !a.mute && method == "elicitation/create" }

func (a *approver) Ask(ctx context.Context, _ string, params json.RawMessage) (json.RawMessage, error) {
	var p struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.asked = append(a.asked, p.Message)
	a.now++
	a.most = max(a.most, a.now)
	next := says("no")
	if len(a.script) > 0 {
		next, a.script = a.script[0], a.script[1:]
	}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.now--
	}()
	return next(ctx, params)
}

func (a *approver) questions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

type reply = func(context.Context, json.RawMessage) (json.RawMessage, error)

func raw(text string) reply {
	return func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(text), nil }
}

func says(answer string) reply {
	return raw(fmt.Sprintf(`{"action":"accept","content":{"answer":%q}}`, answer))
}

func fails(text string) reply {
	return func(context.Context, json.RawMessage) (json.RawMessage, error) { return nil, fmt.Errorf("%s", text) }
}

// never does not answer until nobody waits any more.
func never(ctx context.Context, _ json.RawMessage) (json.RawMessage, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func asked(script ...reply) *approver { return &approver{script: script} }

func rulesOf(rules ...policy.Rule) dispatch.Rules {
	return dispatch.Rules{Policy: policy.Config{Rules: rules}, MaxAsking: 4}
}
