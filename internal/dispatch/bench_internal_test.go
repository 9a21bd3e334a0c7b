package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/redact"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

const benchSchema = `{"type":"object","properties":{"repo":{"type":"string"},"number":{"type":"integer","minimum":1},"labels":{"type":"array","items":{"type":"string"}},` +
	`"state":{"enum":["open","closed"]}},"required":["repo","number"],"additionalProperties":false}`

const benchResult = `{"content":[{"type":"text","text":"{\"number\":42,\"title\":\"The pool hands out a dead worker\",\"state\":\"open\"}"}],` +
	`"structuredContent":{"number":42,"title":"The pool hands out a dead worker","state":"open","labels":["bug","pool"],"url":"https://tracker.example.com/issues/42"}}`

// benchServer is an upstream with one tool.
func benchServer(b *testing.B) *upstream.Set {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		if json.NewDecoder(r.Body).Decode(&m) != nil || len(m.ID) == 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		result := benchResult
		switch m.Method {
		case "initialize":
			result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}`
		case "tools/list":
			result = `{"tools":[{"name":"get_issue","description":"An issue.","inputSchema":` + benchSchema + `,"annotations":{"readOnlyHint":true}}]}`
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	}))
	b.Cleanup(web.Close)
	set, err := upstream.OpenSet(b.Context(), []upstream.Config{{Name: "tracker", URL: web.URL, DiscoverTimeout: -1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = set.Close(context.Background()) })
	if err := set.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	return set
}

// benchRules are ten rules of which the last matches, three rates, budgets, ten
// secrets and an audit.
func benchRules(b *testing.B) Rules {
	var r Rules
	for i := range 9 {
		r.Policy.Rules = append(r.Policy.Rules, policy.Rule{
			Name: fmt.Sprint("rule ", i), Action: policy.Deny, Servers: []string{"tracker", "other"}, Tools: []string{fmt.Sprintf("delete_%d*", i), "*_secret"},
		})
	}
	yes := true
	r.Policy.Rules = append(r.Policy.Rules, policy.Rule{Name: "last", Action: policy.Allow, ReadOnly: &yes})
	r.Policy.Default = policy.Deny
	free := Rate{Events: 1e9, Per: time.Second, Burst: 1e9}
	r.Rates = Rates{PerServer: free, PerTool: free, PerSession: free, ExecutionBytes: 1 << 60, SessionBytes: 1 << 60, SessionCalls: 1 << 60}
	var secrets []string
	for i := range 10 {
		secrets = append(secrets, fmt.Sprintf("S3cr3t-value-%d-of-some-length", i))
	}
	var err error
	if r.Redact, err = redact.New(redact.Config{Secrets: secrets}); err != nil {
		b.Fatal(err)
	}
	if r.Audit, err = audit.Open(audit.Config{Writer: io.Discard}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Audit.Close(context.Background()) })
	return r
}

// BenchmarkChokePoint is what a call costs here, the upstream left out, with
// all on, with one thing off at a time, and with nothing on; and what it takes
// with an upstream that does nothing over the loopback, to compare. An
// execution has a hundred calls, and its record is part of it.
func BenchmarkChokePoint(b *testing.B) {
	set := benchServer(b)
	all := benchRules(b)
	args := json.RawMessage(`{"repo":"autoclave","number":42,"labels":["bug"],"state":"open"}`)
	run := func(name string, r Rules, args json.RawMessage, instead bool) {
		b.Run(name, func(b *testing.B) {
			d, err := New(Config{Upstreams: set, Rules: r})
			if err != nil {
				b.Fatal(err)
			}
			if instead {
				d.instead = func(*hostCall) (json.RawMessage, error) { return json.RawMessage(benchResult), nil }
			}
			b.ReportAllocs()
			ctx := b.Context()
			var h *Host
			for i := 0; b.Loop(); i++ {
				if i%100 == 0 {
					if h != nil {
						h.Finish(ctx, autoclave.Program{}, &autoclave.Result{})
					}
					h = d.For(Caller{Principal: "alice", Session: "one"})
				}
				if _, err := h.CallTool(ctx, autoclave.ToolCall{Server: "tracker", Tool: "get_issue", Arguments: args}); err != nil {
					b.Fatal(err)
				}
			}
			h.Finish(ctx, autoclave.Program{}, &autoclave.Result{})
		})
	}
	without := func(change func(*Rules)) Rules {
		r := all
		change(&r)
		return r
	}
	run("all", all, args, true)
	run("without/rules", without(func(r *Rules) { r.Policy = policy.Config{} }), args, true)
	run("without/rates", without(func(r *Rules) { r.Rates = Rates{} }), args, true)
	run("without/redaction", without(func(r *Rules) { r.Redact = nil }), args, true)
	run("without/audit", without(func(r *Rules) { r.Audit = nil }), args, true)
	run("without/anything", Rules{}, args, true)
	run("with/strict_group", without(func(r *Rules) {
		r.Policy.Groups = []policy.Group{{Name: "inner", Strict: true, Servers: []string{"elsewhere"}}}
	}), args, true)
	run("upstream/all", all, args, false)
	run("upstream/nothing", Rules{}, args, false)
}

// BenchmarkValidate is the share of validation in that.
func BenchmarkValidate(b *testing.B) {
	found := knownTool(benchSchema)
	c := hostCall{kind: kindTool, server: "s", name: "t", args: json.RawMessage(`{"repo":"autoclave","number":42,"labels":["bug"],"state":"open"}`)}
	h := &Host{}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.validate(&c, found); err != nil {
			b.Fatal(err)
		}
	}
}
