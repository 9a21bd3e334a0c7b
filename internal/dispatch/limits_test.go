package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
)

// hourly is a rate that does not come back in the time of a test.
func hourly(burst int) dispatch.Rate {
	return dispatch.Rate{Events: 1, Per: time.Hour, Burst: burst}
}

func rated(r dispatch.Rates) dispatch.Rules { return dispatch.Rules{Rates: r} }

// passing calls until one is refused and returns how many were not.
func passing(t *testing.T, h *dispatch.Host, server, name string) int {
	t.Helper()
	for n := range 100 {
		_, err := h.CallTool(within(t), with(server, name, `{}`))
		if err == nil {
			continue
		}
		e := wantCode(t, err, autoclave.RateLimited)
		if !e.Retryable || e.RetryAfter <= 59*time.Minute || e.RetryAfter > time.Hour || !strings.Contains(e.Suggestion, "Try again in") {
			t.Errorf("got %+v", e)
		}
		return n
	}
	return 100
}

// TestRates: for each kind of rate how many calls pass, and whose.
func TestRates(t *testing.T) {
	a, b := newStub(t, "a", decl("x", "", ""), decl("y", "", "")), newStub(t, "b", decl("x", "", ""))
	set := connect(t, a, b)
	alice, bob := dispatch.Caller{Session: "alice"}, dispatch.Caller{Session: "bob"}
	for _, c := range []struct {
		name  string
		rates dispatch.Rates
		want  string // alice a.x, alice a.y, alice b.x, bob a.x, alice again a.x
	}{
		{"none", dispatch.Rates{}, "100 100 100 100 100"},
		{"per session", dispatch.Rates{PerSession: hourly(3)}, "3 0 0 3 0"},
		{"per server", dispatch.Rates{PerServer: hourly(3)}, "3 0 3 0 0"},
		{"per tool", dispatch.Rates{PerTool: hourly(3)}, "3 3 3 0 0"},
		{"of a server", dispatch.Rates{PerServer: hourly(3), Servers: map[string]dispatch.Rate{"a": hourly(5), "b": {}}}, "5 0 3 0 0"},
		{"of a tool", dispatch.Rates{PerTool: hourly(3), Tools: map[string]map[string]dispatch.Rate{"a": {"y": hourly(1)}}}, "3 1 3 0 0"},
		{"the least counts", dispatch.Rates{PerSession: hourly(10), PerServer: hourly(7), PerTool: hourly(5)}, "5 2 3 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := governed(t, set, rated(c.rates))
			h := d.For(alice)
			got := fmt.Sprint(passing(t, h, "a", "x"), " ", passing(t, h, "a", "y"), " ", passing(t, h, "b", "x"), " ",
				passing(t, d.For(bob), "a", "x"), " ", passing(t, d.For(alice), "a", "x"))
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if n := len(a.seen()) + len(b.seen()); fmt.Sprint(n) != fmt.Sprint(sum(got)) {
				t.Errorf("%d arrived", n)
			}
		})
	}
}

func sum(list string) (n int) {
	for _, f := range strings.Fields(list) {
		var i int
		_, _ = fmt.Sscan(f, &i)
		n += i
	}
	return n
}

// TestRefusedCostsNothing: a call that one stage refuses takes nothing out of
// the others.
func TestRefusedCostsNothing(t *testing.T) {
	a := newStub(t, "a", decl("x", "", ""), decl("y", "", ""), decl("denied", "", ""), decl("asked", "", ""), decl("typed", `{"type":"object","required":["a"]}`, ""))
	set := connect(t, a)
	r := rated(dispatch.Rates{PerSession: hourly(2), PerServer: hourly(2), SessionCalls: 2, ExecutionBytes: 100, Tools: map[string]map[string]dispatch.Rate{"a": {"y": hourly(1)}}})
	r.Policy.Rules = []policy.Rule{{Action: policy.Deny, Tools: []string{"denied"}}, {Action: policy.Ask, Tools: []string{"asked"}}}
	r.MaxAsking = 1
	for _, c := range []struct {
		name string
		code autoclave.Code
		call autoclave.ToolCall
	}{
		{"policy", autoclave.PolicyDenied, with("a", "denied", `{}`)},
		{"a person", autoclave.ApprovalDenied, with("a", "asked", `{}`)},
		{"validation", autoclave.InvalidArguments, with("a", "typed", `{}`)},
		{"no such tool", autoclave.ToolNotFound, with("a", "z", `{}`)},
		{"the budget of bytes", autoclave.RateLimited, with("a", "x", `{"a":"`+strings.Repeat("x", 200)+`"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := governed(t, set, r)
			h := d.For(dispatch.Caller{Approver: asked()})
			for range 5 {
				if _, err := h.CallTool(within(t), c.call); code(err) != c.code {
					t.Fatalf("got %v", err)
				}
			}
			for range 2 {
				if _, err := h.CallTool(within(t), with("a", "x", `{}`)); err != nil {
					t.Errorf("got %v", err)
				}
			}
			if _, err := h.CallTool(within(t), with("a", "x", `{}`)); code(err) != autoclave.RateLimited {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("the rate of a tool", func(t *testing.T) {
		d := governed(t, set, r)
		h := d.For(dispatch.Caller{})
		for i := range 6 { // all but the first are refused by the last of three limiters
			if _, err := h.CallTool(within(t), with("a", "y", `{}`)); (err == nil) != (i == 0) {
				t.Errorf("%d: got %v", i, err)
			}
		}
		if _, err := h.CallTool(within(t), with("a", "x", `{}`)); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the budget of calls", func(t *testing.T) {
		r := rated(dispatch.Rates{PerServer: hourly(3), SessionCalls: 1})
		d := governed(t, set, r)
		one := d.For(dispatch.Caller{Session: "one"})
		for i := range 5 {
			if _, err := one.CallTool(within(t), with("a", "x", `{}`)); (err == nil) != (i == 0) {
				t.Errorf("%d: got %v", i, err)
			}
		}
		for _, session := range []string{"two", "three"} {
			if _, err := d.For(dispatch.Caller{Session: session}).CallTool(within(t), with("a", "x", `{}`)); err != nil {
				t.Errorf("%s: got %v", session, err)
			}
		}
	})
}

// TestRetryAfter: who waits for as long as he is told is served, and not sooner.
// (To list resources is a call like any other, and leaves no network behind.)
func TestRetryAfter(t *testing.T) {
	a := newStub(t, "a")
	set := connect(t, a)
	synctest.Test(t, func(t *testing.T) {
		for _, rates := range []dispatch.Rates{
			{PerSession: dispatch.Rate{Events: 4, Per: time.Second, Burst: 2}},
			{PerServer: dispatch.Rate{Events: 4, Per: time.Second, Burst: 2}},
			{PerServer: dispatch.Rate{Events: 4, Per: time.Second, Burst: 2}, PerSession: dispatch.Rate{Events: 1, Per: time.Millisecond, Burst: 100}},
		} {
			h := governed(t, set, rated(rates)).For(dispatch.Caller{Session: "one"})
			call := func() error { _, err := h.ListResources(t.Context(), "a"); return err }
			for range 2 {
				if err := call(); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				e := wantCode(t, call(), autoclave.RateLimited)
				if !e.Retryable || e.RetryAfter != 250*time.Millisecond || e.Suggestion != "Try again in 250ms, as with await sleep(251)." {
					t.Errorf("got %+v", e)
				}
				time.Sleep(e.RetryAfter - time.Millisecond)
				e = wantCode(t, call(), autoclave.RateLimited)
				if e.RetryAfter <= 0 || e.RetryAfter > 2*time.Millisecond {
					t.Errorf("got %+v", e)
				}
				time.Sleep(e.RetryAfter)
				if err := call(); err != nil {
					t.Errorf("after the wait: %v", err)
				}
			}
			time.Sleep(time.Hour)
			for i := range 3 {
				if err := call(); (err == nil) != (i < 2) {
					t.Errorf("after an hour, call %d: %v", i, err)
				}
			}
		}
	})
}

// TestBudgetsAreExact: many calls at once cannot pass a budget, and none that
// it has room for is refused.
func TestBudgetsAreExact(t *testing.T) {
	a := newStub(t, "a", decl("x", "", ""))
	a.answers(func(context.Context, arrival) string { return `{"content":[],"n":"` + strings.Repeat("x", 79) + `"}` })
	set := connect(t, a)
	const args, result = 10, 100
	argument := `{"a":"xx"}`
	for _, c := range []struct {
		name   string
		rates  dispatch.Rates
		hosts  int
		passes int
	}{
		{"calls of a session", dispatch.Rates{SessionCalls: 37}, 4, 37},
		{"calls of a session, by rate", dispatch.Rates{PerSession: hourly(37)}, 4, 37},
		{"calls of a server", dispatch.Rates{PerServer: hourly(37)}, 4, 37},
		{"calls of a tool", dispatch.Rates{PerTool: hourly(37)}, 4, 37},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := governed(t, set, rated(c.rates))
			a.seen()
			passed := parallel(t, d, c.hosts, 25, argument)
			if n := len(a.seen()); passed != c.passes || n != c.passes {
				t.Errorf("%d passed, %d arrived, want %d", passed, n, c.passes)
			}
		})
	}
	// Bytes: arguments are taken before the call, the result after it.
	for _, c := range []struct {
		name  string
		rates dispatch.Rates
		hosts int
	}{
		{"bytes of an execution", dispatch.Rates{ExecutionBytes: 20 * (args + result)}, 1},
		{"bytes of a session", dispatch.Rates{SessionBytes: 20 * (args + result)}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := governed(t, set, rated(c.rates))
			passed := parallel(t, d, c.hosts, 100/c.hosts, argument)
			// Each whose arguments were taken and whose result was not has
			// used up a tenth of what one takes.
			if passed > 20 || passed < 10 {
				t.Errorf("%d passed", passed)
			}
		})
	}
	t.Run("one after the other", func(t *testing.T) {
		d := governed(t, set, rated(dispatch.Rates{ExecutionBytes: 3*(args+result) + args + result/2}))
		h := d.For(dispatch.Caller{})
		a.seen()
		for i := range 3 {
			if v, err := h.CallTool(within(t), with("a", "x", argument)); err != nil || len(v.JSON) != result {
				t.Errorf("%d: %d bytes, %v", i, len(v.JSON), err)
			}
		}
		_, err := h.CallTool(within(t), with("a", "x", argument))
		if e := wantCode(t, err, autoclave.RateLimited); !strings.Contains(e.Message, "refused its result, though it was made") || e.Retryable {
			t.Errorf("got %+v", e)
		}
		if n := len(a.seen()); n != 4 {
			t.Errorf("%d arrived", n)
		}
		// The next execution begins anew.
		if _, err := d.For(dispatch.Caller{}).CallTool(within(t), with("a", "x", argument)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a call that does not fit is not made", func(t *testing.T) {
		a.seen()
		_, err := governed(t, set, rated(dispatch.Rates{ExecutionBytes: args - 1})).For(dispatch.Caller{}).CallTool(within(t), with("a", "x", argument))
		if e := wantCode(t, err, autoclave.RateLimited); !strings.Contains(e.Message, "before it was made") || len(a.seen()) > 0 {
			t.Errorf("got %+v", e)
		}
	})
}

func parallel(t *testing.T, d *dispatch.Dispatcher, hosts, calls int, args string) int {
	t.Helper()
	var all sync.WaitGroup
	var passed atomic.Int64
	for range hosts {
		h := d.For(dispatch.Caller{Session: "one"})
		for range calls {
			all.Go(func() {
				_, err := h.CallTool(within(t), with("a", "x", args))
				switch code(err) {
				case "":
					passed.Add(1)
				case autoclave.RateLimited:
				default:
					t.Errorf("got %v", err)
				}
			})
		}
	}
	all.Wait()
	return int(passed.Load())
}

// TestRatesAreChecked: what cannot be meant is refused, and names its field.
func TestRatesAreChecked(t *testing.T) {
	set := connect(t)
	for want, r := range map[string]dispatch.Rates{
		"PerServer":         {PerServer: dispatch.Rate{Events: 1}},
		"PerTool":           {PerTool: dispatch.Rate{Events: -1, Per: time.Second, Burst: 1}},
		"PerSession":        {PerSession: dispatch.Rate{Events: 1, Per: time.Second}},
		`Servers["a"]`:      {Servers: map[string]dispatch.Rate{"a": {Burst: 1}}},
		`Tools["a"]["x.y"]`: {Tools: map[string]map[string]dispatch.Rate{"a": {"x.y": {Per: time.Second}}}},
	} {
		_, err := dispatch.New(dispatch.Config{Upstreams: set, Rules: rated(r)})
		if err == nil || !strings.Contains(err.Error(), "Rules.Rates."+want+" is ") {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for _, r := range []dispatch.Rules{{AskTimeout: -1}, {MaxAsking: -1}} {
		if _, err := dispatch.New(dispatch.Config{Upstreams: set, Rules: r}); err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}
