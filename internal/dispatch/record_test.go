package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/redact"
)

// tape is where records go.
type tape struct {
	mu   sync.Mutex
	b    bytes.Buffer
	fail error
}

func (w *tape) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return 0, w.fail
	}
	return w.b.Write(p)
}

func (w *tape) records(t *testing.T) []audit.Record {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []audit.Record
	for line := range strings.Lines(w.b.String()) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func sink(t testing.TB, w *tape, c audit.Consequence) *audit.Sink {
	t.Helper()
	s, err := audit.Open(audit.Config{Writer: w, OnFailure: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

const (
	secret = "correct-horse-battery-staple-42"
	trace  = "boom\n    at Object.<anonymous> (/srv/app/node_modules/x/index.js:10:5)\n    at Module._compile (node:internal/modules/cjs/loader:1105:14)"
)

func redactor(t testing.TB, secrets ...string) *redact.Redactor {
	t.Helper()
	r, err := redact.New(redact.Config{Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRedactedForTheModelAlone: what a program sees has no secrets, and of
// errors not what they tell of the host; the record has the full text.
func TestRedactedForTheModelAlone(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""))
	var w tape
	d := governed(t, connect(t, s), dispatch.Rules{Redact: redactor(t, secret), Audit: sink(t, &w, audit.Fail)})
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	message := "cannot open /home/deploy/app/config.json with " + secret + " from 10.1.2.3: " + trace
	for _, c := range []struct {
		name, answer string
		code         autoclave.Code // for the program
		recorded     autoclave.Code
		hides, keeps []string // from and for the program
		full         []string // in the record
	}{
		{name: "a result", answer: `{"content":[{"type":"text","text":` + quote("the key is "+secret+" in /home/deploy/app/config.json at 10.1.2.3") + `}],"structuredContent":{"` + secret + `":1,"path":"/etc/hosts"}}`,
			hides: []string{secret}, keeps: []string{"/home/deploy/app/config.json", "10.1.2.3", "/etc/hosts", "the key is"}},
		{name: "base64 in a result", answer: `{"content":[{"type":"text","text":"Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZS00Mg=="}]}`, hides: []string{"Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZS00Mg"}},
		{name: "an error of the tool", answer: `{"isError":true,"content":[{"type":"text","text":` + quote(message) + `}]}`, recorded: autoclave.ToolError,
			hides: []string{secret, "/home/deploy", "10.1.2.3", "_compile"}, keeps: []string{"cannot open", "config.json", "boom"}, full: []string{message}},
		{name: "an odd error of the tool", answer: `{"isError":true,"content":` + quote(message) + `}`, recorded: autoclave.ToolError,
			hides: []string{secret, "/home/deploy", "10.1.2.3"}, keeps: []string{"cannot open"}},
		{name: "an error of the protocol", answer: "error " + message, code: autoclave.UpstreamError, recorded: autoclave.UpstreamError,
			hides: []string{secret, "/home/deploy", "10.1.2.3", "_compile"}, keeps: []string{"cannot open", "config.json", "boom"}, full: []string{message}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.answers(func(context.Context, arrival) string { return c.answer })
			h := d.For(dispatch.Caller{})
			v, err := h.CallTool(within(t), with("files", "read", `{}`))
			if code(err) != c.code {
				t.Fatalf("got %v", err)
			}
			shown := string(v.JSON)
			if err != nil {
				e := err.(*autoclave.Error)
				shown = e.Message + e.Suggestion + e.Error()
			} else if !json.Valid(v.JSON) {
				t.Errorf("no JSON any more: %s", v.JSON)
			}
			for _, text := range c.hides {
				if strings.Contains(shown, text) {
					t.Errorf("the program sees %q: %s", text, shown)
				}
			}
			for _, text := range c.keeps {
				if !strings.Contains(shown, text) {
					t.Errorf("%q is gone: %s", text, shown)
				}
			}
			h.Finish(within(t), autoclave.Program{}, &autoclave.Result{})
			records := w.records(t)
			got := records[len(records)-1].Calls[0]
			if got.Code != c.recorded || got.OK != (c.recorded == "") || got.BytesIn == 0 != (c.code != "") {
				t.Errorf("recorded: %+v", got)
			}
			for _, text := range c.full {
				if !strings.Contains(got.Error, text) {
					t.Errorf("%q is not on record: %s", text, got.Error)
				}
			}
		})
	}
}

// TestRecordFields is the record of an execution with all that can happen.
func TestRecordFields(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""), decl("write", `{"type":"object","required":["a"]}`, ""), decl("delete", "", ""), decl("held", "", ""))
	release := make(chan struct{})
	reached := make(chan struct{})
	s.answers(func(ctx context.Context, a arrival) string {
		if a.Name == "held" {
			close(reached)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return `{"content":[]}`
	})
	var w tape
	store := newStore(t)
	r := rulesOf(policy.Rule{Name: "no shadows", Action: policy.Deny, Resources: []string{"file:///etc/*"}}, policy.Rule{Action: policy.Ask, Tools: []string{"delete"}})
	r.Policy.Groups = []policy.Group{{Name: "inner", Strict: true, Servers: []string{"files"}}}
	r.Audit, r.ProgramText = sink(t, &w, audit.Fail), true
	d := governed(t, connect(t, s), r)
	h := d.For(dispatch.Caller{Principal: "alice", Session: "unguessable", Name: "ci", Stash: store, Approver: asked(says("program"), says("no"))})
	ctx := within(t)
	_, _ = h.CallTool(ctx, with("files", "read", `{"x":1}`))
	_, _ = h.CallTool(ctx, with("files", "write", `{}`))
	_, _ = h.CallTool(ctx, with("files", "delete", `{}`))
	_, _ = h.CallTool(ctx, with("files", "delete", `{}`))
	_, _ = h.CallTool(ctx, with("files", "nothing", `{}`))
	_, _ = h.ReadResource(ctx, "files", "file:///etc/shadow")
	_ = h.StashPut(ctx, "k", json.RawMessage(`"value"`), 0)
	_, _ = h.StashGet(ctx, "k")
	// One that the program does not wait for.
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.CallTool(ctx, with("files", "held", `{}`))
	}()
	<-reached
	res := &autoclave.Result{Error: &autoclave.Error{Code: autoclave.CPULimit, Message: "too long"}, Usage: autoclave.Usage{Calls: 9}}
	out := h.Finish(ctx, autoclave.Program{Source: "return 1", Tenant: "alice"}, res)
	end()
	close(release)
	<-done
	if out.Error.Code != autoclave.CPULimit {
		t.Errorf("got %+v", out)
	}
	records := w.records(t)
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	rec := records[0]
	if rec.V != audit.Version || time.Since(rec.Time) > time.Minute || rec.Tenant != "alice" || rec.OK || rec.Code != autoclave.CPULimit || rec.Error != "too long" ||
		rec.Program.Hash != audit.Hash("return 1") || rec.Program.Text != "return 1" || rec.Program.Bytes != 8 || rec.Usage.Calls != 9 ||
		!slices.Equal(rec.Labels, []string{"inner"}) || !slices.Contains(rec.Limits, autoclave.CPULimit) {
		t.Errorf("got %+v", rec)
	}
	if strings.Contains(w.b.String(), "unguessable") || !strings.HasPrefix(rec.Session, "sha256:") {
		t.Errorf("the session is recorded as %q", rec.Session)
	}
	want := []audit.Call{
		{Server: "files", Tool: "read", Arguments: audit.Hash(`{"x":1}`), Decision: "allow", OK: true, BytesOut: 7, BytesIn: 14},
		{Server: "files", Tool: "write", Arguments: audit.Hash(`{}`), Decision: "allow", Code: autoclave.InvalidArguments, BytesOut: 2},
		{Server: "files", Tool: "delete", Arguments: audit.Hash(`{}`), Decision: "ask", Rule: "rule 2", Approval: "execution", OK: true, BytesOut: 2, BytesIn: 14},
		{Server: "files", Tool: "delete", Arguments: audit.Hash(`{}`), Decision: "ask", Rule: "rule 2", Approval: "execution", OK: true, BytesOut: 2, BytesIn: 14},
		{Server: "files", Tool: "nothing", Arguments: audit.Hash(`{}`), Code: autoclave.ToolNotFound, BytesOut: 2},
		{Kind: "resource.read", Server: "files", Tool: "file:///etc/shadow", Decision: "deny", Rule: "no shadows", Code: autoclave.PolicyDenied},
		{Kind: "stash.put", Tool: "k", OK: true, BytesOut: 7},
		{Kind: "stash.get", Tool: "k", OK: true, BytesIn: 7},
		{Server: "files", Tool: "held", Arguments: audit.Hash(`{}`), Decision: "allow", Code: autoclave.Cancelled, BytesOut: 2},
	}
	if len(rec.Calls) != len(want) {
		t.Fatalf("got %d calls, want %d: %+v", len(rec.Calls), len(want), rec.Calls)
	}
	for i, c := range rec.Calls {
		if c.Millis < 0 || c.Start < 0 || (c.Error == "") != c.OK {
			t.Errorf("%d: got %+v", i, c)
		}
		c.Millis, c.Start, c.Error = 0, 0, ""
		if c != want[i] {
			t.Errorf("%d:\n got %+v\nwant %+v", i, c, want[i])
		}
	}
}

// TestUnrecordable: what follows when the record cannot be written.
func TestUnrecordable(t *testing.T) {
	set := connect(t)
	for _, c := range []audit.Consequence{audit.Fail, audit.Drop} {
		w := &tape{fail: errors.New("no space left on device")}
		s := sink(t, w, c)
		h := governed(t, set, dispatch.Rules{Audit: s}).For(dispatch.Caller{})
		res := &autoclave.Result{OK: true, Value: json.RawMessage(`"precious"`), Logs: []autoclave.LogEntry{{Text: "precious"}},
			Emits: []json.RawMessage{json.RawMessage(`"precious"`)}, Warnings: []string{"precious"}, Usage: autoclave.Usage{Calls: 3}}
		out := h.Finish(within(t), autoclave.Program{}, res)
		b, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		switch c {
		case audit.Fail:
			if out.OK || code(out.Error) != autoclave.Internal || bytes.Contains(b, []byte("precious")) || bytes.Contains(b, []byte("no space")) || out.Usage.Calls != 3 {
				t.Errorf("got %s", b)
			}
		case audit.Drop:
			if !out.OK || !bytes.Contains(b, []byte("precious")) || s.Stats().Dropped != 1 {
				t.Errorf("got %s", b)
			}
		}
	}
	t.Run("the context has ended", func(t *testing.T) {
		var w tape
		h := governed(t, set, dispatch.Rules{Audit: sink(t, &w, audit.Fail)}).For(dispatch.Caller{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if out := h.Finish(ctx, autoclave.Program{}, &autoclave.Result{OK: true}); !out.OK || len(w.records(t)) != 1 {
			t.Errorf("got %+v", out)
		}
	})
}

// TestFinishRedacts: a secret that a program has put together does not leave by
// any field of the result, and the given result is not changed.
func TestFinishRedacts(t *testing.T) {
	h := governed(t, connect(t), dispatch.Rules{Redact: redactor(t, secret)}).For(dispatch.Caller{})
	res := &autoclave.Result{
		Value: json.RawMessage(`{"a":["` + secret + `"]}`),
		Error: &autoclave.Error{Code: autoclave.ScriptError, Message: secret, Suggestion: secret, Server: secret, Tool: secret, Frame: secret, Stack: secret,
			Cause: secret, Result: []byte(`"` + secret + `"`)},
		Warnings: []string{secret}, Logs: []autoclave.LogEntry{{Text: secret}}, Emits: []json.RawMessage{json.RawMessage(`"` + secret + `"`)},
		Calls: []autoclave.CallRecord{{Server: secret, Tool: secret}},
	}
	before, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	out := h.Finish(within(t), autoclave.Program{}, res)
	after, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(after, []byte(secret)) || bytes.Contains(out.Error.Result, []byte(secret)) || strings.Contains(out.Error.Error(), secret) {
		t.Errorf("got %s", after)
	}
	if again, _ := json.Marshal(res); !bytes.Equal(before, again) {
		t.Errorf("the given result has become %s", again)
	}
	if got := h.Text("console: " + secret + " in /home/x/y"); strings.Contains(got, secret) || !strings.Contains(got, "/home/x/y") {
		t.Errorf("got %q", got)
	}
}
