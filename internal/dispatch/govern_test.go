package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
)

func finish(t testing.TB, h *dispatch.Host) {
	h.Finish(t.Context(), autoclave.Program{}, &autoclave.Result{})
}

// TestGovern: who has begun ends under the rules that he began with.
func TestGovern(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""))
	d := governed(t, connect(t, s), dispatch.Rules{})
	call := func(h *dispatch.Host) autoclave.Code {
		_, err := h.CallTool(within(t), with("files", "read", `{}`))
		return code(err)
	}
	first := d.For(dispatch.Caller{})
	deny := rulesOf(policy.Rule{Action: policy.Deny})
	deny.HideDenied = true
	if err := d.Govern(deny, map[string]string{"files": "What you may not touch."}); err != nil {
		t.Fatal(err)
	}
	second := d.For(dispatch.Caller{})
	if got := call(first); got != "" {
		t.Errorf("the first: %s", got)
	}
	if got := call(second); got != autoclave.PolicyDenied {
		t.Errorf("the second: %q", got)
	}
	if _, err := d.Index().Lookup("files", "read"); err == nil {
		t.Error("the catalog has what is hidden now")
	}
	if infos := d.Index().Servers(); infos[0].Description != "What you may not touch." {
		t.Errorf("got %+v", infos)
	}
	// What is wrong changes nothing.
	for _, bad := range []dispatch.Rules{
		{Policy: policy.Config{Rules: []policy.Rule{{Action: "perhaps"}}}}, {Policy: policy.Config{Default: "x"}}, {AskTimeout: -1},
		{Policy: policy.Config{Rules: []policy.Rule{{Action: policy.Deny, Tools: []string{"[a"}}}}},
		{Rates: dispatch.Rates{PerTool: dispatch.Rate{Burst: 1}}}, {Policy: policy.Config{Groups: []policy.Group{{}}}},
	} {
		if err := d.Govern(bad, nil); err == nil {
			t.Errorf("%+v is taken", bad)
		}
		third := d.For(dispatch.Caller{})
		if got := call(third); got != autoclave.PolicyDenied {
			t.Errorf("after %+v: %q", bad, got)
		}
		if infos := d.Index().Servers(); infos[0].Description != "What you may not touch." {
			t.Errorf("got %+v", infos)
		}
		finish(t, third)
	}
	if err := d.Govern(dispatch.Rules{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := call(second); got != autoclave.PolicyDenied {
		t.Errorf("the second: %q", got)
	}
	if got := call(d.For(dispatch.Caller{})); got != "" {
		t.Errorf("the fourth: %q", got)
	}
	finish(t, first)
	finish(t, second)
}

// TestGovernKeepsWhatWasUsed: to read the configuration again is no way to a
// new allowance.
func TestGovernKeepsWhatWasUsed(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""))
	set := connect(t, s)
	for name, r := range map[string]dispatch.Rates{
		"session": {PerSession: hourly(2)}, "server": {PerServer: hourly(2)}, "tool": {PerTool: hourly(2)},
	} {
		d := governed(t, set, dispatch.Rules{}) // no bound at first: that must not use anything up
		passes := func() int {
			n := 0
			for range 5 {
				if _, err := d.For(dispatch.Caller{Session: "one"}).CallTool(within(t), with("files", "read", `{}`)); err == nil {
					n++
				}
			}
			return n
		}
		if got := passes(); got != 5 {
			t.Errorf("%s: %d without a bound", name, got)
		}
		if err := d.Govern(rated(r), nil); err != nil {
			t.Fatal(err)
		}
		if got := passes(); got != 2 {
			t.Errorf("%s: %d with one", name, got)
		}
		if err := d.Govern(rated(r), nil); err != nil {
			t.Fatal(err)
		}
		if again := passes(); again != 0 {
			t.Errorf("%s: %d after another reload", name, again)
		}
	}
}

// TestRulesAreCopied: whoever gave them may go on to change his own.
func TestRulesAreCopied(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""))
	rates := dispatch.Rates{Servers: map[string]dispatch.Rate{"files": hourly(1)}, Tools: map[string]map[string]dispatch.Rate{"files": {"read": hourly(1)}}}
	deny := []policy.Rule{{Action: policy.Deny, Tools: []string{"write"}}}
	d := governed(t, connect(t, s), dispatch.Rules{Rates: rates, Policy: policy.Config{Rules: deny}})
	delete(rates.Servers, "files")
	delete(rates.Tools["files"], "read")
	deny[0].Tools[0] = "read"
	h := nobody(d)
	if n := passing(t, h, "files", "read"); n != 1 {
		t.Errorf("%d passed", n)
	}
}

// TestGovernConcurrently changes rules while programs run: each of them sees
// one set of rules from beginning to end.
func TestGovernConcurrently(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""), decl("write", "", ""))
	d := governed(t, connect(t, s), dispatch.Rules{})
	versions := []dispatch.Rules{
		{}, rulesOf(policy.Rule{Action: policy.Deny, Tools: []string{"read"}}), rulesOf(policy.Rule{Action: policy.Deny, Tools: []string{"write"}}),
		{Rates: dispatch.Rates{PerServer: dispatch.Rate{Events: 1e6, Per: time.Second, Burst: 1e6}, PerSession: dispatch.Rate{Events: 1e6, Per: time.Second, Burst: 1e6}}},
	}
	for i := range versions {
		versions[i].HideDenied = i%2 == 1
	}
	stop := make(chan struct{})
	var governing, all sync.WaitGroup
	governing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := d.Govern(versions[i%len(versions)], map[string]string{"files": fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
			_ = d.Index().Servers()
		}
	})
	for i := range 4 {
		all.Go(func() {
			for range 40 {
				h := d.For(dispatch.Caller{Session: fmt.Sprint(i % 2)})
				seen := map[string]autoclave.Code{}
				for range 3 {
					for _, name := range []string{"read", "write"} {
						_, err := h.CallTool(within(t), with("files", name, `{}`))
						if before, ok := seen[name]; ok && before != code(err) {
							t.Errorf("%s: %q, and then %q", name, before, code(err))
						}
						seen[name] = code(err)
					}
				}
				if seen["read"] != "" && seen["write"] != "" {
					t.Errorf("two rules at once: %v", seen)
				}
				_, _ = h.CatalogSearch(t.Context(), "read", "", 5)
				finish(t, h)
			}
		})
	}
	all.Wait()
	close(stop)
	governing.Wait()
}

// TestSessionsEnd: with a session goes what was allowed and used in it; without
// one the principal's own grows old.
func TestSessionsEnd(t *testing.T) {
	s := newStub(t, "files", decl("delete", "", ""))
	set := connect(t, s)
	synctest.Test(t, func(t *testing.T) {
		r := rulesOf(askAlways)
		r.Rates.SessionCalls = 3
		d := governed(t, set, r)
		list := func(c dispatch.Caller) autoclave.Code {
			h := d.For(c)
			defer finish(t, h)
			_, err := h.ListResources(t.Context(), "files")
			return code(err)
		}
		alice := dispatch.Caller{Principal: "alice"}
		for i := range 5 {
			if got := list(alice); (got == "") != (i < 3) {
				t.Errorf("call %d: %q", i, got)
			}
		}
		time.Sleep(59 * time.Minute)
		if got := list(alice); got != autoclave.RateLimited {
			t.Errorf("after 59 min: %q", got)
		}
		time.Sleep(61 * time.Minute)
		if got := list(alice); got != "" {
			t.Errorf("after an idle hour: %q", got)
		}
		// While a program runs the session is not idle.
		running := d.For(alice)
		time.Sleep(3 * time.Hour)
		for i := range 3 {
			if got := list(alice); (got == "") != (i < 2) {
				t.Errorf("call %d while another runs: %q", i, got)
			}
		}
		finish(t, running)

		// A session that ends takes all with it, and one of the same name is
		// another.
		ctx, end := context.WithCancel(t.Context())
		bob := dispatch.Caller{Principal: "bob", Session: "one", Ended: ctx}
		for range 3 {
			list(bob)
		}
		if got := list(bob); got != autoclave.RateLimited {
			t.Errorf("a session of its own: %q", got)
		}
		time.Sleep(3 * time.Hour)
		if got := list(bob); got != autoclave.RateLimited {
			t.Errorf("a session that is idle has not ended: %q", got)
		}
		end()
		synctest.Wait()
		bob.Ended = t.Context()
		if got := list(bob); got != "" {
			t.Errorf("the next session of that name: %q", got)
		}
	})
}

// TestDenialByGroups is what a model reads.
func TestDenialByGroups(t *testing.T) {
	a, b := newStub(t, "inner", decl("read", "", "")), newStub(t, "outer", decl("send", "", ""))
	d := governed(t, connect(t, a, b), dispatch.Rules{Policy: policy.Config{Groups: []policy.Group{{Name: "private", Strict: true, Servers: []string{"inner"}}}}})
	h := nobody(d)
	if _, err := h.CallTool(within(t), with("inner", "read", `{}`)); err != nil {
		t.Fatal(err)
	}
	_, err := h.CallTool(within(t), with("outer", "send", `{}`))
	e := wantCode(t, err, autoclave.PolicyDenied)
	if !strings.Contains(e.Message, "has received data of the strict group private") || !strings.Contains(e.Suggestion, "before those whose data must stay") || len(b.seen()) > 0 {
		t.Errorf("got %+v", e)
	}
}
