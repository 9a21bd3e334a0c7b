package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
)

var askAlways = policy.Rule{Name: "careful", Action: policy.Ask, Tools: []string{"delete*"}}

func askStub(t testing.TB) *stub {
	return newStub(t, "files", decl("delete", "", ""), decl("delete_all", "", ""), decl("read", "", ""))
}

// TestAnswers: what a person says, and what else may come.
func TestAnswers(t *testing.T) {
	s := askStub(t)
	set := connect(t, s)
	for _, c := range []struct {
		name   string
		who    *approver // nil: nobody
		passes bool
		says   string // in the message
		retry  bool
	}{
		{name: "once", who: asked(says("once")), passes: true},
		{name: "program", who: asked(says("program")), passes: true},
		{name: "session", who: asked(says("session")), passes: true},
		{name: "no", who: asked(says("no")), says: "said no"},
		{name: "decline", who: asked(raw(`{"action":"decline"}`)), says: "said no"},
		{name: "decline with an answer", who: asked(raw(`{"action":"decline","content":{"answer":"session"}}`)), says: "said no"},
		{name: "cancel", who: asked(raw(`{"action":"cancel","content":{"answer":"once"}}`)), says: "said no"},
		{name: "accept without an answer", who: asked(raw(`{"action":"accept"}`)), says: "said no"},
		{name: "accept with an empty one", who: asked(raw(`{"action":"accept","content":{"answer":""}}`)), says: "said no"},
		{name: "accept with another", who: asked(raw(`{"action":"accept","content":{"answer":"yes"}}`)), says: "said no"},
		{name: "accept in capitals", who: asked(raw(`{"action":"accept","content":{"answer":"ONCE"}}`)), says: "said no"},
		{name: "accept with a space", who: asked(raw(`{"action":"accept","content":{"answer":"once "}}`)), says: "said no"},
		{name: "another action", who: asked(raw(`{"action":"accepted","content":{"answer":"once"}}`)), says: "said no"},
		{name: "a boolean", who: asked(raw(`{"action":"accept","content":{"answer":true}}`)), says: "did not ask"},
		{name: "a list", who: asked(raw(`{"action":"accept","content":[{"answer":"once"}]}`)), says: "did not ask"},
		{name: "no content", who: asked(raw(`{"action":"accept","content":null}`)), says: "said no"},
		{name: "nothing", who: asked(raw(`{}`)), says: "said no"},
		{name: "null", who: asked(raw(`null`)), says: "said no"},
		{name: "no JSON", who: asked(raw(`once`)), says: "did not ask"},
		{name: "empty", who: asked(raw(``)), says: "did not ask"},
		{name: "an error", who: asked(fails("-32601: what is that?")), says: "did not ask: -32601: what is that?"},
		{name: "nobody", says: "has not declared elicitation"},
		{name: "one who cannot be asked", who: &approver{mute: true, script: []reply{says("once")}}, says: "has not declared elicitation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller := dispatch.Caller{}
			if c.who != nil {
				caller.Approver = c.who
			}
			_, err := governed(t, set, rulesOf(askAlways)).For(caller).CallTool(within(t), with("files", "delete", `{"path":"/a"}`))
			arrived := s.seen()
			if c.passes {
				if err != nil || len(arrived) != 1 {
					t.Errorf("got %v, arrived %q", err, arrived)
				}
				return
			}
			e, ok := err.(*autoclave.Error)
			if !ok || e.Code != autoclave.ApprovalDenied || !strings.Contains(e.Message, c.says) || e.Retryable != c.retry || len(arrived) > 0 {
				t.Errorf("got %+v, arrived %q", err, arrived)
			}
		})
	}
	t.Run("MaxAsking 0", func(t *testing.T) {
		r := rulesOf(askAlways)
		r.MaxAsking = 0
		person := asked(says("once"))
		_, err := governed(t, set, r).For(dispatch.Caller{Approver: person}).CallTool(within(t), with("files", "delete", `{}`))
		if code(err) != autoclave.ApprovalDenied || len(person.questions()) > 0 || len(s.seen()) > 0 {
			t.Errorf("got %v", err)
		}
	})
}

// TestApprovalReaches says for what and for whom an approval is good.
func TestApprovalReaches(t *testing.T) {
	s := askStub(t)
	s.resources = []string{`{"uri":"file:///delete","name":"x"}`}
	set := connect(t, s)
	session := dispatch.Caller{Principal: "alice", Session: "one"}
	for _, c := range []struct {
		name, answer string
		second       dispatch.Caller
		sameHost     bool
		tool, args   string
		asked        bool // a second time
	}{
		{name: "once is once", answer: "once", sameHost: true, tool: "delete", asked: true},
		{name: "program is for the program", answer: "program", sameHost: true, tool: "delete"},
		{name: "program is for any arguments", answer: "program", sameHost: true, tool: "delete", args: `{"path":"/etc"}`},
		{name: "program is for the tool", answer: "program", sameHost: true, tool: "delete_all", asked: true},
		{name: "program is not for the next", answer: "program", second: session, tool: "delete", asked: true},
		{name: "session is for the next program", answer: "session", second: session, tool: "delete"},
		{name: "session is for the tool", answer: "session", second: session, tool: "delete_all", asked: true},
		{name: "another session", answer: "session", second: dispatch.Caller{Principal: "alice", Session: "two"}, tool: "delete", asked: true},
		{name: "another principal", answer: "session", second: dispatch.Caller{Principal: "bob", Session: "one"}, tool: "delete", asked: true},
		{name: "another principal with a name like it", answer: "session", second: dispatch.Caller{Principal: "alic", Session: "eone"}, tool: "delete", asked: true},
		{name: "no session", answer: "session", second: dispatch.Caller{Principal: "alice"}, tool: "delete", asked: true},
		{name: "a session of that name", answer: "session", second: dispatch.Caller{Principal: "alice", Session: "two", Name: "one"}, tool: "delete", asked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := governed(t, set, rulesOf(askAlways))
			first := session
			first.Approver = asked(says(c.answer))
			h := d.For(first)
			if _, err := h.CallTool(within(t), with("files", "delete", `{}`)); err != nil {
				t.Fatal(err)
			}
			person := asked()
			if c.sameHost {
				person = first.Approver.(*approver)
			} else {
				c.second.Approver = person
				h = d.For(c.second)
			}
			before := len(person.questions())
			s.seen()
			_, err := h.CallTool(within(t), with("files", c.tool, "{"+strings.Trim(c.args, "{}")+"}"))
			again := len(person.questions()) > before
			if again != c.asked || (err != nil) != c.asked || len(s.seen()) != map[bool]int{true: 0, false: 1}[c.asked] {
				t.Errorf("asked again: %t, %v", again, err)
			}
		})
	}
	t.Run("a tool is no resource", func(t *testing.T) {
		d := governed(t, set, rulesOf(policy.Rule{Action: policy.Ask}))
		person := asked(says("program"))
		h := d.For(dispatch.Caller{Approver: person})
		if _, err := h.CallTool(within(t), with("files", "delete", `{}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadResource(within(t), "files", "delete"); code(err) != autoclave.ApprovalDenied || len(person.questions()) != 2 {
			t.Errorf("got %v", err)
		}
	})
}

// TestApprovalIsForTheDeclaration: a server that changes what a tool is has to
// be asked about again.
func TestApprovalIsForTheDeclaration(t *testing.T) {
	for what, second := range map[string]string{
		"description": `{"name":"t","description":"Does harm.","inputSchema":{"type":"object"}}`,
		"schema":      `{"name":"t","description":"Does t.","inputSchema":{"type":"object","properties":{"all":{}}}}`,
		"title":       `{"name":"t","title":"Harm","description":"Does t.","inputSchema":{"type":"object"}}`,
		"read-only":   decl("t", "", hints(`"readOnlyHint":true`)),
		"open world":  decl("t", "", hints(`"openWorldHint":false`)),
		"same":        decl("t", "", ""),
	} {
		t.Run(what, func(t *testing.T) {
			a, b := newStub(t, "s", decl("t", "", "")), newStub(t, "s", second)
			person := asked(says("session"))
			// The session outlives the dispatcher's upstreams: the same server
			// comes back with another declaration.
			cfg := a.config()
			cfg.BackoffMin, cfg.RefreshInterval = time.Millisecond, time.Millisecond
			set := connectWith(t, cfg)
			d := governed(t, set, rulesOf(policy.Rule{Action: policy.Ask}))
			call := func() error {
				_, err := d.For(dispatch.Caller{Session: "one", Approver: person}).CallTool(within(t), with("s", "t", `{}`))
				return err
			}
			if err := call(); err != nil {
				t.Fatal(err)
			}
			if err := call(); err != nil {
				t.Fatalf("approved for the session, and %v", err)
			}
			version := set.Version()
			a.mu.Lock()
			a.tools = b.tools
			a.mu.Unlock()
			if what == "same" {
				if err := call(); err != nil {
					t.Error(err)
				}
				return
			}
			eventually(t, "the new declaration", func() bool { return set.Version() != version })
			if err := call(); code(err) != autoclave.ApprovalDenied || len(person.questions()) != 2 {
				t.Errorf("got %v after %d questions", err, len(person.questions()))
			}
		})
	}
}

// TestAskTimeout: nobody answers, and it is refused when the time is over, not
// before. Nothing stays counted.
func TestAskTimeout(t *testing.T) {
	s := askStub(t)
	set := connect(t, s)
	synctest.Test(t, func(t *testing.T) {
		r := rulesOf(askAlways)
		r.AskTimeout, r.MaxAsking = 3*time.Minute, 1
		d := governed(t, set, r)
		person := asked(never, never)
		begin := time.Now()
		_, err := d.For(dispatch.Caller{Approver: person}).CallTool(t.Context(), with("files", "delete", `{}`))
		if e := wantCode(t, err, autoclave.ApprovalDenied); !strings.Contains(e.Message, "nobody answered in time") || e.Retryable {
			t.Errorf("got %+v", e)
		}
		if took := time.Since(begin); took != 3*time.Minute {
			t.Errorf("took %v", took)
		}
		if n := d.Asking(); n != 0 {
			t.Errorf("%d are counted", n)
		}
		// The default.
		r.AskTimeout = 0
		d = governed(t, set, r)
		begin = time.Now()
		_, err = d.For(dispatch.Caller{Approver: person}).CallTool(t.Context(), with("files", "delete", `{}`))
		if took := time.Since(begin); code(err) != autoclave.ApprovalDenied || took != 5*time.Minute {
			t.Errorf("took %v, %v", took, err)
		}
		// Each question has its time from when it is put.
		r.AskTimeout = time.Minute
		d = governed(t, set, r)
		h := d.For(dispatch.Caller{Approver: asked(never, never, never)})
		begin = time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := h.CallTool(t.Context(), with("files", "delete", `{}`)); code(err) != autoclave.ApprovalDenied {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begin); took != 3*time.Minute {
			t.Errorf("took %v", took)
		}
	})
	if got := s.seen(); len(got) > 0 {
		t.Errorf("arrived: %q", got)
	}
}

// hold is an answer that waits for the test.
func hold(put chan<- struct{}, answer <-chan string) reply {
	return func(ctx context.Context, params json.RawMessage) (json.RawMessage, error) {
		put <- struct{}{}
		select {
		case a := <-answer:
			return says(a)(ctx, params)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TestOneQuestionAtATime: of one session, whichever of its programs asks; and
// an answer for longer spares those that wait the question.
func TestOneQuestionAtATime(t *testing.T) {
	s := askStub(t)
	set := connect(t, s)
	for _, answer := range []string{"once", "program", "session", "no"} {
		d := governed(t, set, rulesOf(askAlways))
		const calls = 8
		script := []reply{}
		put, answers := make(chan struct{}, calls), make(chan string)
		for range calls {
			script = append(script, hold(put, answers))
		}
		person := asked(script...)
		hosts := []*dispatch.Host{d.For(dispatch.Caller{Session: "one", Approver: person}), d.For(dispatch.Caller{Session: "one", Approver: person})}
		errs := make(chan error, calls)
		for i := range calls {
			go func() {
				_, err := hosts[i%2].CallTool(within(t), with("files", "delete", `{}`))
				errs <- err
			}()
		}
		failed := 0
		for range calls {
			select {
			case <-put:
				answers <- answer
				if err := <-errs; err != nil {
					failed++
				}
			case err := <-errs: // without a question
				if err != nil {
					failed++
				}
			}
		}
		want := map[string]int{"once": calls, "program": 2, "session": 1, "no": calls}[answer]
		if person.most != 1 || len(person.questions()) != want || failed != map[bool]int{true: calls, false: 0}[answer == "no"] {
			t.Errorf("%s: %d questions, %d at once, %d refused", answer, len(person.questions()), person.most, failed)
		}
		if n := d.Asking(); n != 0 {
			t.Errorf("%s: %d are counted", answer, n)
		}
		s.seen()
	}
}

// TestMaxAsking: no more executions wait than may, each counted once, and those
// who do not ask go on.
func TestMaxAsking(t *testing.T) {
	s := askStub(t)
	r := rulesOf(askAlways)
	r.MaxAsking = 2
	d := governed(t, connect(t, s), r)
	put, answers, errs := make(chan struct{}, 10), make(chan string), make(chan error, 10)
	start := func(session string, calls int) *dispatch.Host {
		var script []reply
		for range calls {
			script = append(script, hold(put, answers))
		}
		h := d.For(dispatch.Caller{Session: session, Approver: asked(script...)})
		for range calls {
			go func() {
				_, err := h.CallTool(within(t), with("files", "delete", `{}`))
				errs <- err
			}()
		}
		return h
	}
	start("a", 3) // one question, two in the queue: one execution
	<-put
	start("b", 1)
	<-put
	if n := d.Asking(); n != 2 {
		t.Errorf("%d are counted", n)
	}
	third := asked(says("once"))
	h := d.For(dispatch.Caller{Session: "c", Approver: third})
	_, err := h.CallTool(within(t), with("files", "delete", `{}`))
	if e := wantCode(t, err, autoclave.ApprovalDenied); !e.Retryable || !strings.Contains(e.Message, "2 programs are waiting") || len(third.questions()) > 0 {
		t.Errorf("got %+v", e)
	}
	if _, err := h.CallTool(within(t), with("files", "read", `{}`)); err != nil {
		t.Error(err)
	}
	for range 4 {
		answers <- "once"
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := d.Asking(); n != 0 {
		t.Errorf("%d are counted", n)
	}
	if _, err := h.CallTool(within(t), with("files", "delete", `{}`)); err != nil {
		t.Error(err)
	}
}

// TestAskingEnds: the execution ends while it waits for its turn, while it is
// asked, and as the answer comes. Nothing stays counted, and nothing is sent.
func TestAskingEnds(t *testing.T) {
	s := askStub(t)
	set := connect(t, s)
	why := errors.New("the program ended")
	for _, at := range []string{"before", "in the queue", "asked", "answered"} {
		t.Run(at, func(t *testing.T) {
			d := governed(t, set, rulesOf(askAlways))
			ctx, cancel := context.WithCancelCause(within(t))
			defer cancel(nil)
			put, answers, free := make(chan struct{}, 2), make(chan string), make(chan error, 1)
			person := asked(hold(put, answers))
			other := d.For(dispatch.Caller{Session: "one", Approver: asked(hold(put, answers))})
			var reply reply
			switch at {
			case "before":
				cancel(why)
			case "in the queue":
				go func() {
					_, err := other.CallTool(within(t), with("files", "delete", `{}`))
					free <- err
				}()
				<-put
			case "answered":
				reply = func(context.Context, json.RawMessage) (json.RawMessage, error) {
					cancel(why)
					return json.RawMessage(`{"action":"accept","content":{"answer":"session"}}`), nil
				}
				person = asked(reply)
			}
			h := d.For(dispatch.Caller{Session: "one", Approver: person})
			done := make(chan error, 1)
			go func() {
				_, err := h.CallTool(ctx, with("files", "delete", `{}`))
				done <- err
			}()
			switch at {
			case "in the queue":
				eventually(t, "two wait", func() bool { return d.Asking() == 2 })
				cancel(why)
			case "asked":
				<-put
				cancel(why)
			}
			err := <-done
			if c := code(err); c != autoclave.ApprovalDenied && (c != autoclave.Cancelled || at != "before") {
				t.Errorf("got %v", err)
			}
			if at == "in the queue" {
				if n := len(person.questions()); n != 0 {
					t.Errorf("%d questions on behalf of a program that has ended", n)
				}
				if n := d.Asking(); n != 1 {
					t.Errorf("%d are counted", n)
				}
				answers <- "no"
				if err := <-free; code(err) != autoclave.ApprovalDenied {
					t.Errorf("got %v", err)
				}
			}
			if n := d.Asking(); n != 0 {
				t.Errorf("%d are counted", n)
			}
			if got := s.seen(); len(got) > 0 {
				t.Errorf("arrived: %q", got)
			}
			// And the approval that came too late is none.
			last := asked()
			_, err = d.For(dispatch.Caller{Session: "one", Approver: last}).CallTool(within(t), with("files", "delete", `{}`))
			if code(err) != autoclave.ApprovalDenied || len(last.questions()) != 1 {
				t.Errorf("afterwards: %v, %d questions", err, len(last.questions()))
			}
		})
	}
}

// TestPanickingApprover: the runtime catches the panic; nothing stays counted.
func TestPanickingApprover(t *testing.T) {
	d := governed(t, connect(t, askStub(t)), rulesOf(askAlways))
	h := d.For(dispatch.Caller{Approver: asked(func(context.Context, json.RawMessage) (json.RawMessage, error) { panic("oh") }, says("once"))})
	func() {
		defer func() { _ = recover() }()
		_, _ = h.CallTool(within(t), with("files", "delete", `{}`))
	}()
	if n := d.Asking(); n != 0 {
		t.Errorf("%d are counted", n)
	}
	if _, err := h.CallTool(within(t), with("files", "delete", `{}`)); err != nil {
		t.Errorf("the next question is not put: %v", err)
	}
}
