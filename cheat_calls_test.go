package autoclave_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/redact"
	"github.com/autoclave-run/autoclave/internal/stash"
	"github.com/autoclave-run/autoclave/internal/upstream"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// A worker that was taken over sends frames that no program could. What counts
// is what arrives at the server: the double is told in its program which frames
// to send, and the host is the real choke point.

// cheatFrame is a call as the double sends it: the header's members as they are,
// but for type, id and the number of the call, which are right.
type cheatFrame struct{ Header, Body []byte }

func init() {
	doubles["sends-frames"] = func(d *double) {
		d.hello()
		for generation := uint64(2); ; generation++ {
			d.await(wire.TypeExecute)
			d.send(wire.Header{Type: wire.TypeStarted, ID: d.id}, "")
			// The host may have sent the reset with the program.
			if early := d.frames(); !early {
				d.await(wire.TypeReset)
			}
			d.send(wire.Header{Type: wire.TypeArmed, Generation: generation}, "")
		}
	}
	// Calls where none may be.
	forbiddenCall := func(d *double, id uint64) {
		d.raw(frame(fmt.Sprintf(`{"type":"call","id":%d,"call":1,"kind":"tool","server":"s","name":"allowed"}`, id), `{"late":true}`))
	}
	doubles["calls-before-started"] = func(d *double) {
		d.hello()
		d.await(wire.TypeExecute)
		forbiddenCall(d, d.id)
		d.hang()
	}
	doubles["calls-for-another"] = func(d *double) { d.begin(); forbiddenCall(d, d.id+1); d.hang() }
	doubles["calls-after-done"] = func(d *double) {
		d.begin()
		d.done("42")
		forbiddenCall(d, d.id)
		d.hang()
	}
	doubles["calls-while-idle"] = func(d *double) {
		d.begin()
		d.done("42")
		d.await(wire.TypeReset)
		d.send(wire.Header{Type: wire.TypeArmed, Generation: 2}, "")
		forbiddenCall(d, d.id)
		d.hang()
	}
}

// frames sends what the program says, and returns the codes of the answers. It
// reports whether a reset has come meanwhile.
func (d *double) frames() (reset bool) {
	var frames []cheatFrame
	if err := json.Unmarshal(d.body, &frames); err != nil {
		d.fails("INTERNAL")
		return false
	}
	var codes []string
	for i, f := range frames {
		if string(f.Body) == "LARGE" {
			f.Body = []byte(`{"a":"` + strings.Repeat("x", 2<<20) + `"}`)
		}
		d.raw(frame(fmt.Sprintf(`{"type":"call","id":%d,"call":%d,%s}`, d.id, i+1, f.Header), string(f.Body)))
		h, _, err := d.in.Next()
		for ; err == nil && h.Type != wire.TypeReturn; h, _, err = d.in.Next() {
			reset = reset || h.Type == wire.TypeReset
		}
		if err != nil {
			os.Exit(0) // the host has had enough
		}
		code := "OK"
		if h.Error != nil {
			code = h.Error.Code
		}
		codes = append(codes, code)
	}
	text, err := json.Marshal(codes)
	if err != nil {
		d.fails("INTERNAL")
		return reset
	}
	d.done(string(text))
	return reset
}

// cheatServer is an MCP server with the tools allowed and denied.
type cheatServer struct {
	mu      sync.Mutex
	arrived []string
}

func (s *cheatServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct {
			Name, URI string
			Arguments json.RawMessage
		}
	}
	if err != nil || r.Method != http.MethodPost || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if len(m.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result := `{"content":[{"type":"text","text":"done"}]}`
	switch m.Method {
	case "initialize":
		result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{}},"serverInfo":{"name":"s","version":"1"}}`
	case "tools/list":
		result = `{"tools":[{"name":"allowed","inputSchema":{"type":"object"}},{"name":"denied","inputSchema":{"type":"object"}}]}`
	case "resources/list":
		result = `{"resources":[]}`
	case "resources/templates/list":
		result = `{"resourceTemplates":[]}`
	case "tools/call", "resources/read":
		s.mu.Lock()
		s.arrived = append(s.arrived, m.Params.Name+m.Params.URI+" "+string(m.Params.Arguments))
		s.mu.Unlock()
		if m.Method == "resources/read" {
			result = `{"contents":[]}`
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

func (s *cheatServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.arrived
	s.arrived = nil
	return all
}

const cheatSecret = "cheatSecret/4711+x"

// chokePoint returns a dispatcher over the server, where denied is denied.
func chokePoint(t *testing.T, s *cheatServer) *dispatch.Dispatcher {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	set, err := upstream.OpenSet(t.Context(), []upstream.Config{{Name: "s", URL: web.URL, DiscoverTimeout: -1, RefreshInterval: -1, BreakerFailures: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := set.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := set.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	redactor, err := redact.New(redact.Config{Secrets: []string{cheatSecret}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dispatch.New(dispatch.Config{Upstreams: set, Rules: dispatch.Rules{HideDenied: true, Redact: redactor, Policy: policy.Config{
		Rules: []policy.Rule{{Action: policy.Deny, Tools: []string{"denied"}}, {Action: policy.Deny, Resources: []string{"*"}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCheatingCalls(t *testing.T) {
	t.Parallel()
	s := &cheatServer{}
	d := chokePoint(t, s)
	store, err := stash.New(stash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	rt := open(t, unconfined(t, "sends-frames"))
	tool := func(server, name string) string {
		return `"kind":"tool","server":"` + server + `","name":"` + name + `"`
	}
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}"
	}
	for _, c := range []struct {
		name, header, body string
		code               string // of the call; PROTOCOL_ERROR and ARGUMENT_LIMIT: of the execution
		arrives            string
	}{
		{"what is allowed", tool("s", "allowed"), `{"a":1}`, "OK", `allowed {"a":1}`},
		{"what is denied and hidden", tool("s", "denied"), `{}`, "POLICY_DENIED", ""},
		{"an escaped name", tool("s", `\u0064enied`), `{}`, "POLICY_DENIED", ""},
		{"NUL in the server", tool(`s\u0000`, "denied"), `{}`, "SERVER_NOT_FOUND", ""},
		{"NUL in the tool", tool("s", `allowed\u0000denied`), `{}`, "TOOL_NOT_FOUND", ""},
		{"a name that is no UTF-8", tool("s", "denied\xff"), `{}`, "TOOL_NOT_FOUND", ""},
		{"an overlong name", tool("s", "\xc1\xa4enied"), `{}`, "TOOL_NOT_FOUND", ""},
		{"a server that is no UTF-8", tool("\xfes", "allowed"), `{}`, "SERVER_NOT_FOUND", ""},
		{"the name twice", tool("s", "allowed") + `,"name":"denied"`, `{}`, "POLICY_DENIED", ""},
		{"the name twice, the other way", tool("s", "denied") + `,"name":"allowed"`, `{}`, "OK", "allowed {}"},
		{"the name in another case too", tool("s", "allowed") + `,"NAME":"denied"`, `{}`, "POLICY_DENIED", ""},
		{"an unknown kind", `"kind":"shell.exec","server":"s","name":"denied"`, `{}`, "UPSTREAM_ERROR", ""},
		{"no kind", `"server":"s","name":"denied"`, `{}`, "UPSTREAM_ERROR", ""},
		{"a kind in another case", `"kind":"TOOL","server":"s","name":"denied"`, `{}`, "UPSTREAM_ERROR", ""},
		{"a kind with NUL", `"kind":"tool\u0000","server":"s","name":"denied"`, `{}`, "UPSTREAM_ERROR", ""},
		{"a kind that is a secret", `"kind":"` + cheatSecret + strings.Repeat("k", 4000) + `"`, `{}`, "UPSTREAM_ERROR", ""},
		{"a resource, by its kind", `"kind":"resource.read","server":"s","name":"allowed"`, `{}`, "POLICY_DENIED", ""},
		{"a list of resources, which is denied", `"kind":"resource.list","server":"s"`, ``, "POLICY_DENIED", ""},
		{"arguments that are an array", tool("s", "allowed"), `[1]`, "INVALID_ARGUMENTS", ""},
		{"arguments that are a string", tool("s", "allowed"), `"{}"`, "INVALID_ARGUMENTS", ""},
		{"arguments that are null", tool("s", "allowed"), `null`, "INVALID_ARGUMENTS", ""},
		{"arguments that are a number", tool("s", "allowed"), ` 1`, "INVALID_ARGUMENTS", ""},
		{"no arguments", tool("s", "allowed"), ``, "OK", "allowed {}"},
		{"a member twice", tool("s", "allowed"), `{"a":1,"a":2}`, "OK", `allowed {"a":1,"a":2}`},
		{"a number beyond all bounds", tool("s", "allowed"), `{"a":1e400}`, "OK", `allowed {"a":1e400}`},
		{"what would end the message", tool("s", "allowed"), `{"a":"}},\"method\":\"tools/call\""}`, "OK", `allowed {"a":"}},\"method\":\"tools/call\""}`},
		{"two values", tool("s", "allowed"), `{"a":1},{"b":2}`, "PROTOCOL_ERROR", ""},
		{"an injection behind the arguments", tool("s", "allowed"), `{}},"params":{"name":"denied"}`, "PROTOCOL_ERROR", ""},
		{"arguments that are no UTF-8", tool("s", "allowed"), "{\"a\":\"\xff\"}", "PROTOCOL_ERROR", ""},
		{"arguments with a lone surrogate", tool("s", "allowed"), `{"a":"\ud800"}`, "OK", `allowed {"a":"\ud800"}`},
		{"arguments that are very deep", tool("s", "allowed"), deep(wire.MaxDepth + 1), "PROTOCOL_ERROR", ""},
		{"arguments that are very large", tool("s", "allowed"), "LARGE", "ARGUMENT_LIMIT", ""},
		{"a time limit of nothing", tool("s", "allowed") + `,"timeout_ms":-9223372036854775808`, `{}`, "OK", "allowed {}"},
		{"a time limit of ever", tool("s", "allowed") + `,"timeout_ms":9223372036854775807`, `{}`, "OK", "allowed {}"},
		{"an error in a call", tool("s", "denied") + `,"error":{"code":"OK"},"form":"mcp"`, `{}`, "POLICY_DENIED", ""},
		{"a key of the stash that is none", `"kind":"stash.put","name":"a b\n"`, `{"value":1}`, "STASH_ERROR", ""},
		{"a very long key of the stash", `"kind":"stash.put","name":"` + strings.Repeat("k", 8000) + `"`, `{"value":1}`, "STASH_ERROR", ""},
		{"nothing to put away", `"kind":"stash.put","name":"k"`, `{}`, "STASH_ERROR", ""},
		{"a value that is none", `"kind":"stash.put","name":"k"`, `[]`, "STASH_ERROR", ""},
		{"a time to live that is none", `"kind":"stash.put","name":"k"`, `{"value":1,"ttl":-1}`, "STASH_ERROR", ""},
		{"a time to live beyond all bounds", `"kind":"stash.put","name":"k"`, `{"value":1,"ttl":1e308}`, "STASH_ERROR", ""},
		{"a search of everything", `"kind":"catalog.search","name":"denied"`, `{"limit":-9223372036854775808}`, "OK", ""},
		{"the types of what is hidden", `"kind":"catalog.types","server":"s","name":"denied"`, ``, "TOOL_NOT_FOUND", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, err := json.Marshal([]cheatFrame{{[]byte(c.header), []byte(c.body)}})
			if err != nil {
				t.Fatal(err)
			}
			host := d.For(dispatch.Caller{Principal: "p", Stash: store})
			p := autoclave.Program{Source: string(program)}
			res, execErr := rt.Execute(t.Context(), p, host)
			res = host.Finish(t.Context(), p, res)
			if slices.Contains([]string{"PROTOCOL_ERROR", "ARGUMENT_LIMIT"}, c.code) {
				if !errors.Is(execErr, autoclave.Code(c.code)) {
					t.Errorf("the execution: %v, want %s", execErr, c.code)
				}
			} else if execErr != nil || string(res.Value) != `["`+c.code+`"]` {
				t.Errorf("the call: %s, %v, want %s", res.Value, execErr, c.code)
			}
			got := strings.Join(s.seen(), "; ")
			if got != c.arrives {
				t.Errorf("what arrived: %.300s, want %q", got, c.arrives)
			}
			text, err := json.Marshal(res)
			if err != nil || bytes.Contains(text, []byte(cheatSecret)) || len(text) > 20_000 {
				t.Errorf("%v: the result has %d bytes: %.300s", err, len(text), text)
			}
		})
	}
}

// Calls at a time when there can be none reach nobody.
func TestCheatingCallsOutOfTurn(t *testing.T) {
	t.Parallel()
	s := &cheatServer{}
	d := chokePoint(t, s)
	for _, c := range []struct {
		double string
		want   autoclave.Code // empty: 42
	}{
		{"calls-before-started", autoclave.ProtocolError},
		{"calls-for-another", autoclave.ProtocolError},
		{"calls-after-done", ""},
		{"calls-while-idle", ""},
	} {
		t.Run(c.double, func(t *testing.T) {
			rt := open(t, unconfined(t, c.double))
			host := d.For(dispatch.Caller{Principal: "p"})
			p := autoclave.Program{Source: "x"}
			res, err := rt.Execute(t.Context(), p, host)
			host.Finish(t.Context(), p, res)
			if c.want != "" && !errors.Is(err, c.want) || c.want == "" && (err != nil || string(res.Value) != "42") {
				t.Errorf("%s, %v", res.Value, err)
			}
			if c.want != "" {
				awaitDeath(t, res.Worker.PID)
			} else {
				// The next execution must not inherit the call.
				host := d.For(dispatch.Caller{Principal: "p"})
				res, err := rt.Execute(t.Context(), p, host)
				host.Finish(t.Context(), p, res)
				if err != nil && !errors.Is(err, autoclave.ProtocolError) || err == nil && string(res.Value) != "42" {
					t.Errorf("the next execution: %s, %v", res.Value, err)
				}
			}
			if got := s.seen(); len(got) != 0 {
				t.Errorf("what arrived: %v", got)
			}
		})
	}
}

// person writes down what it is asked, and says no.
type person struct{ asked []string }

func (p *person) Can(string) bool { return true }

func (p *person) Ask(_ context.Context, _ string, params json.RawMessage) (json.RawMessage, error) {
	var q struct{ Message string }
	err := json.Unmarshal(params, &q)
	p.asked = append(p.asked, q.Message)
	return json.RawMessage(`{"action":"accept","content":{"answer":"no"}}`), err
}

// What a worker that was taken over puts between the values of its arguments
// does not move anything out of a person's sight.
func TestCheatingQuestions(t *testing.T) {
	t.Parallel()
	s := &cheatServer{}
	d := chokePoint(t, s)
	if err := d.Govern(dispatch.Rules{MaxAsking: 1, Policy: policy.Config{Default: policy.Ask}}, nil); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string]string{
		"white space before a value":         `{"a":` + strings.Repeat("\n", 5000) + `"thief"}`,
		"white space, and a long value":      `{"a":` + strings.Repeat("\n ", 5000) + `"thief","b":"` + strings.Repeat("x", 9000) + `"}`,
		"white space around, and nested":     strings.Repeat("\n", 9000) + `{"a":[[[[[["thief"]]]]]]}` + strings.Repeat("\r\n\t", 9000),
		"the same member, harmless at first": `{"a":"harmless","a":"thief"}`,
	} {
		p := &person{}
		_, err := d.For(dispatch.Caller{Principal: "p", Approver: p}).CallTool(t.Context(), autoclave.ToolCall{Server: "s", Tool: "allowed", Arguments: []byte(args)})
		if !errors.Is(err, autoclave.ApprovalDenied) || len(p.asked) != 1 {
			t.Fatalf("%s: %v, asked %q", name, err, p.asked)
		}
		if q := p.asked[0]; !strings.Contains(q, `"thief"`) || strings.Contains(q, "\n\n") || strings.Count(q, "\n") > 30 {
			t.Errorf("%s: the question is %.600q", name, q)
		}
	}
	if got := s.seen(); len(got) != 0 {
		t.Errorf("what arrived: %v", got)
	}
}
