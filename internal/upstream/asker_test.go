//go:build unix

package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

// user is an Asker and a Listener.
type user struct {
	can    func(method string) bool
	answer func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)

	mu       sync.Mutex
	asked    []string
	progress []upstream.Progress
	logs     []upstream.LogMessage
}

func (u *user) Can(method string) bool { return u.can == nil || u.can(method) }

func (u *user) Ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	u.mu.Lock()
	u.asked = append(u.asked, method+" "+string(params))
	u.mu.Unlock()
	if u.answer != nil {
		return u.answer(ctx, method, params)
	}
	if method == "roots/list" {
		return json.RawMessage(`{"roots":[]}`), nil
	}
	return json.RawMessage(`{"action":"accept","content":{"z":"1"}}`), nil
}

func (u *user) Progress(server, tool string, p upstream.Progress) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p.Message += " of " + server + "." + tool
	u.progress = append(u.progress, p)
}

func (u *user) Log(_ string, m upstream.LogMessage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.logs = append(u.logs, m)
}

type told struct {
	Result, Error json.RawMessage
}

func callFor(t *testing.T, u *upstream.Upstream, asker upstream.Asker, tool string) (told, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if asker != nil {
		ctx = upstream.WithAsker(ctx, asker)
	}
	raw, err := u.Call(ctx, tool, nil)
	var r struct{ StructuredContent told }
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	return r.StructuredContent, err
}

func TestAsk(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	alice := &user{}
	got, err := callFor(t, u, alice, "elicit")
	if err != nil || string(got.Result) != `{"action":"accept","content":{"z":"1"}}` {
		t.Errorf("got %s, %v", got.Result, err)
	}
	if len(alice.asked) != 1 || alice.asked[0] != "elicitation/create "+elicitation {
		t.Errorf("asked %q: the order of the fields is the user's", alice.asked)
	}
	for tool, method := range map[string]string{"sample": "sampling/createMessage", "roots": "roots/list"} {
		if got, err = callFor(t, u, alice, tool); err != nil || len(got.Result) < 5 {
			t.Errorf("%s: got %s, %v", tool, got, err)
		}
		if last := alice.asked[len(alice.asked)-1]; !strings.HasPrefix(last, method) {
			t.Errorf("asked %q", last)
		}
	}

	refused := func(what string, asker upstream.Asker, says string) {
		t.Helper()
		got, err := callFor(t, u, asker, "elicit")
		if err != nil || !strings.Contains(string(got.Error), says) || string(got.Result) != "null" {
			t.Errorf("%s: got %s, error %s, %v", what, got.Result, got.Error, err)
		}
	}
	refused("no asker", nil, "cannot be asked")
	refused("one that cannot", &user{can: func(string) bool { return false }}, "does not answer such requests")
	refused("one that will not", &user{answer: func(context.Context, string, json.RawMessage) (json.RawMessage, error) {
		return nil, &jsonrpc.Error{Code: -32055, Message: "not today"}
	}}, `"code":-32055`)
	refused("one that fails", &user{answer: func(context.Context, string, json.RawMessage) (json.RawMessage, error) {
		return nil, errors.New("the line is dead")
	}}, "the line is dead")

	cfg := fakeConfig(t, "plain")
	cfg.NoAsking = true
	u = connect(t, cfg)
	refused("nobody is ever asked", alice, "nobody who could be asked")
}

// TestAskWhom has several calls under way: over stdio nothing says which of them
// a question belongs to.
func TestAskWhom(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	alice, bob := &user{}, &user{}
	hung := make(chan error, 2)
	hang := func(who *user) context.CancelFunc {
		ctx, cancel := context.WithCancel(upstream.WithAsker(t.Context(), who))
		go func() {
			_, err := u.Call(ctx, "hang", nil)
			hung <- err
		}()
		callID(t, u) // the server has it
		return cancel
	}
	stopAlice := hang(alice)
	if got, err := callFor(t, u, alice, "elicit"); err != nil || string(got.Error) != "null" {
		t.Errorf("both calls are alice's: got %s, %v", got.Error, err)
	}
	stopBob := hang(bob)
	if got, err := callFor(t, u, alice, "elicit"); err != nil || !strings.Contains(string(got.Error), "several callers") {
		t.Errorf("one is bob's: got %s, %v", got.Error, err)
	}
	if len(bob.asked) != 0 || len(alice.asked) != 1 {
		t.Errorf("alice was asked %q, bob %q", alice.asked, bob.asked)
	}
	stopBob()
	wantKind(t, <-hung, upstream.Cancelled)
	if got, err := callFor(t, u, alice, "elicit"); err != nil || string(got.Error) != "null" {
		t.Errorf("bob has gone: got %s, %v", got.Error, err)
	}
	stopAlice()
	wantKind(t, <-hung, upstream.Cancelled)
}

// TestAskEnds is about questions that nobody waits for any more.
func TestAskEnds(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	ended := make(chan error, 1)
	waits := &user{answer: func(ctx context.Context, _ string, _ json.RawMessage) (json.RawMessage, error) {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	}}
	ctx, cancel := context.WithCancel(upstream.WithAsker(t.Context(), waits))
	result := make(chan error, 1)
	for _, tool := range []string{"elicit", "take back"} {
		go func() {
			_, err := u.Call(ctx, tool, nil)
			result <- err
		}()
		if tool == "elicit" {
			poll(t, "the question", func() bool { waits.mu.Lock(); defer waits.mu.Unlock(); return len(waits.asked) > 0 })
			cancel()
			wantKind(t, <-result, upstream.Cancelled)
			ctx, cancel = context.WithCancel(upstream.WithAsker(t.Context(), waits))
		}
		if err := <-ended; err == nil {
			t.Errorf("%s: the question has ended without a cause", tool)
		}
	}
	if _, err := u.Call(t.Context(), "answer all", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	cancel()

	// Close does not wait for an answer.
	result = make(chan error, 1)
	go func() {
		_, err := u.Call(upstream.WithAsker(context.Background(), waits), "elicit", nil)
		result <- err
	}()
	poll(t, "the question", func() bool { waits.mu.Lock(); defer waits.mu.Unlock(); return len(waits.asked) == 3 })
	closeNow(t, u)
	wantKind(t, <-result, upstream.Closed)
	<-ended
}

// TestAskOverHTTP: there the question comes in the answer to the call, and is
// that caller's whoever else is there.
func TestAskOverHTTP(t *testing.T) {
	f := newWebFake(t, nil)
	u := connect(t, f.config())
	alice, bob := &user{}, &user{}
	ctx, cancel := context.WithCancel(upstream.WithAsker(t.Context(), bob))
	hung := make(chan error, 1)
	go func() {
		_, err := u.Call(ctx, "hang", nil)
		hung <- err
	}()
	poll(t, "bob's call", func() bool { return f.count("tools/call") == 1 })
	raw, err := u.Call(upstream.WithAsker(t.Context(), alice), "ask", nil)
	if err != nil || !strings.Contains(string(raw), `"result":{"action":"accept","content":{"z":"1"}}`) {
		t.Errorf("got %s, %v", raw, err)
	}
	if len(alice.asked) != 1 || len(bob.asked) != 0 {
		t.Errorf("alice was asked %q, bob %q", alice.asked, bob.asked)
	}
	// What comes by the stream for notifications is nobody's in particular.
	f.news <- `{"jsonrpc":"2.0","id":"q2","method":"roots/list"}`
	if got := string(<-f.answers); !strings.Contains(got, `"roots":[]`) || len(bob.asked) != 1 {
		t.Errorf("got %s", got)
	}
	cancel()
	wantKind(t, <-hung, upstream.Cancelled)
	f.news <- `{"jsonrpc":"2.0","id":"q3","method":"roots/list"}`
	if got := string(<-f.answers); !strings.Contains(got, "no call is under way") {
		t.Errorf("got %s", got)
	}
}

// TestRounds is the newest protocol, where a question is an answer.
func TestRounds(t *testing.T) {
	u := connect(t, fakeConfig(t, "modern"))
	if p := u.Info().Protocol; p != "2026-07-28" {
		t.Fatalf("protocol %s", p)
	}
	alice := &user{}
	raw, err := u.Call(upstream.WithAsker(t.Context(), alice), "confirm", nil)
	var r struct {
		StructuredContent struct {
			State     string
			Responses map[string]json.RawMessage
		}
	}
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if got := r.StructuredContent; err != nil || got.State != "st" || !strings.Contains(string(got.Responses["q1"]), `"accept"`) || !strings.Contains(string(got.Responses["q2"]), `"roots"`) {
		t.Errorf("got %s, %v", raw, err)
	}
	if !strings.Contains(strings.Join(alice.asked, "\n"), elicitation) {
		t.Errorf("asked %q: the order of the fields is the user's", alice.asked)
	}
	for _, c := range []struct {
		tool  string
		asker upstream.Asker
		kind  upstream.Kind
		says  string
	}{
		{"confirm", nil, upstream.Unanswered, "cannot be asked"},
		{"confirm", &user{can: func(m string) bool { return m == "roots/list" }}, upstream.Unanswered, "elicitation/create"},
		{"insatiable", alice, upstream.Protocol, "on and on"},
		{"unheard-of", alice, upstream.Unanswered, "no such question"},
	} {
		ctx := t.Context()
		if c.asker != nil {
			ctx = upstream.WithAsker(ctx, c.asker)
		}
		_, err := u.Call(ctx, c.tool, nil)
		if e := wantKind(t, err, c.kind); !strings.Contains(e.Message, c.says) || !e.Sent {
			t.Errorf("%s: got %v", c.tool, e)
		}
	}
}

func TestListener(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	alice := &user{}
	if _, err := callFor(t, u, alice, "report"); err != nil {
		t.Fatal(err)
	}
	alice.mu.Lock()
	if len(alice.progress) != 1 || alice.progress[0].Done != 1 || *alice.progress[0].Total != 2 || alice.progress[0].Message != "half of fake.report" {
		t.Errorf("got %+v", alice.progress)
	}
	if len(alice.logs) != 1 || alice.logs[0].Level != "warning" || string(alice.logs[0].Data) != `{"b":1,"a":2}` {
		t.Errorf("got %+v", alice.logs)
	}
	alice.mu.Unlock()
	// Nobody listens, and nothing is asked for.
	raw, err := u.Call(t.Context(), "report", nil)
	if err != nil || !strings.Contains(string(raw), `"token":null`) {
		t.Errorf("got %s, %v", raw, err)
	}
}

// TestListChanges calls a tool that another one has brought.
func TestListChanges(t *testing.T) {
	s := openSet(t, fakeConfig(t, "grows"))
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.Version()
	changed := s.Changed()
	if got := s.Members()[0].Tools; len(got) != 1 {
		t.Fatalf("got %+v", got)
	}
	if _, err := s.Call(t.Context(), "fake", "grow", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), "fake"); err != nil {
		t.Fatal(err)
	}
	<-changed
	if got := s.Members()[0].Tools; len(got) != 2 || s.Version() != before+1 {
		t.Errorf("got %+v, version %d after %d", got, s.Version(), before)
	}
	if got, err := s.Call(t.Context(), "fake", "grown", nil); err != nil || !strings.Contains(string(got), "grown") {
		t.Errorf("got %s, %v", got, err)
	}
	// The same list again is no change.
	if _, err := s.Call(t.Context(), "fake", "grow", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), "fake"); err != nil || s.Version() != before+1 {
		t.Errorf("version %d after %d, %v", s.Version(), before, err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Settle(short, "nobody"); err != nil {
		t.Error(err)
	}
}
