package policy_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"pgregory.net/rapid"

	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// What follows runs histories of a session twice, in two worlds that differ in
// nothing but the data of one strict group, and compares what arrives at the
// servers outside of it. Programs are as bad as they can be: what they send,
// and whether they do, depends on all that they have seen.

var groups = []policy.Group{
	{Name: "G", Servers: []string{"g1", "g2"}, Strict: true},
	{Name: "H", Servers: []string{"h1"}, Strict: true},
	{Name: "open", Servers: []string{"o1"}},
}

// secretGroup is the one whose data differs.
const secretGroup = "G"

// step is what one execution does in its turn. Its turn passes whether or not
// it does it: time is not a channel here.
type step struct {
	Exec   int
	Op     string // call, start, await, put, get, delete, keys
	Target string // server or key
	// Guard: 0 always, else if that bit of all that it has seen is set.
	Guard int
}

func (s step) String() string {
	text := fmt.Sprintf("E%d %s %s", s.Exec, s.Op, s.Target)
	if s.Guard > 0 {
		text += fmt.Sprintf(" if bit %d", s.Guard)
	}
	return text
}

// history is what a session does. With carry an execution begins with what
// those that had ended then have returned, as a model would carry it over.
type history struct {
	scope policy.Scope
	carry bool
	steps []step
}

// flaw leaves something out, to show that the test would notice.
type flaw string

const (
	flawless        flaw = ""
	forgetReceive   flaw = "what is received is not noted"
	forgetErrors    flaw = "errors are not taken for data"
	forgetGet       flaw = "what the stash hands on is not taken"
	forgetAbsence   flaw = "that a key is absent is not taken for data"
	forgetKeys      flaw = "the names of keys are not taken for data"
	lateRaise       flaw = "the session's labels grow only when something is put"
	forgetPutLabels flaw = "entries have no labels"
	emptyIsNoSend   flaw = "a call without arguments is not taken for a send"
	forgetSession   flaw = "executions begin without the session's labels"
)

// world is one run of a history.
type world struct {
	secret int
	flaw   flaw
	policy *policy.Policy
	sess   policy.Session
	store  *stash.Store
	execs  map[int]*execution
	sent   []string            // to servers outside the group, in order
	heard  map[string][]string // by server
	trace  []string
}

type execution struct {
	flow    *policy.Flow
	seen    []string
	pending map[string]string // answers under way, by server
	left    int               // steps to go
}

func (e *execution) digest() uint64 {
	h := fnv.New64a()
	for _, s := range e.seen {
		fmt.Fprintf(h, "%s\x00", s)
	}
	return h.Sum64()
}

func run(h history, secret int, f flaw) *world {
	p, err := policy.New(policy.Config{Groups: groups, Scope: h.scope})
	if err != nil {
		panic(err)
	}
	store, err := stash.New(stash.Config{MaxEntries: 1 << 20})
	if err != nil {
		panic(err)
	}
	w := &world{secret: secret, flaw: f, policy: p, store: store, execs: map[int]*execution{}, heard: map[string][]string{}}
	left := map[int]int{}
	for _, s := range h.steps {
		left[s.Exec]++
	}
	for _, s := range h.steps {
		e := w.execs[s.Exec]
		if e == nil {
			sess := &w.sess
			if f == forgetSession {
				sess = nil
			}
			e = &execution{flow: p.Begin(sess), pending: map[string]string{}, left: left[s.Exec]}
			if h.carry {
				for n := range 8 {
					if o := w.execs[n]; o != nil && o.left == 0 {
						e.seen = append(e.seen, fmt.Sprintf("E%d returned %x", n, o.digest()))
					}
				}
			}
			w.execs[s.Exec] = e
		}
		e.left--
		if s.Guard > 0 && e.digest()>>s.Guard&1 == 0 {
			w.trace = append(w.trace, "-")
			continue
		}
		what := w.do(e, s)
		e.seen = append(e.seen, what)
		w.trace = append(w.trace, fmt.Sprintf("%s %v", what, e.flow.Labels()))
	}
	return w
}

// do is what the host does for a program: what dispatch must do likewise.
func (w *world) do(e *execution, s step) string {
	switch s.Op {
	case "call":
		what := w.start(e, s)
		if what != "sent" {
			return what
		}
		return w.await(e, s.Target)
	case "start":
		return w.start(e, s)
	case "await":
		return w.await(e, s.Target)
	case "put":
		labels := e.flow.Labels()
		if w.flaw == forgetPutLabels {
			labels = nil
		}
		value, _ := json.Marshal(fmt.Sprintf("%x", e.digest()))
		if err := w.store.Put(s.Target, value, 0, labels); err != nil {
			e.flow.Take(err.(*stash.Error).Labels)
			return "refused"
		}
		return "put"
	case "get":
		entry, err := w.store.Get(s.Target, e.flow.Labels())
		if err != nil {
			panic(err)
		}
		if w.flaw != forgetGet && (w.flaw != forgetAbsence || entry.Value != nil) {
			e.flow.Take(entry.Labels)
		}
		return "got " + string(entry.Value)
	case "delete":
		found, take, err := w.store.Delete(s.Target, e.flow.Labels())
		if err != nil {
			e.flow.Take(err.(*stash.Error).Labels)
			return "refused"
		}
		if w.flaw != forgetAbsence {
			e.flow.Take(take)
		}
		return fmt.Sprint("deleted ", found)
	case "keys":
		keys, take, err := w.store.Keys()
		if err != nil {
			panic(err)
		}
		if w.flaw != forgetKeys {
			e.flow.Take(take)
		}
		return fmt.Sprint("keys ", keys)
	}
	panic(s.Op)
}

func (w *world) start(e *execution, s step) string {
	// A call with an odd guard has no arguments: then only that it is made says
	// something.
	bare := s.Guard%2 == 1
	if d := w.policy.Decide(policy.Request{Server: s.Target, Tool: "t"}); d.Action != policy.Allow {
		panic(d.Reason)
	}
	if d := e.flow.Send(s.Target); d.Action != policy.Allow && (!bare || w.flaw != emptyIsNoSend) {
		return "denied"
	}
	message := fmt.Sprintf("%x", e.digest())
	if bare {
		message = "{}"
	}
	w.heard[s.Target] = append(w.heard[s.Target], message)
	if w.policy.StrictGroup(s.Target) != secretGroup {
		w.sent = append(w.sent, s.Target+" "+message)
	}
	// The server answers from all that it has heard, and from its secret.
	answer := fmt.Sprint("answer of ", s.Target, " to ", w.heard[s.Target])
	if w.policy.StrictGroup(s.Target) == secretGroup {
		answer = fmt.Sprint(w.secret, " ", answer)
		if w.secret == 1 && len(w.heard[s.Target])%2 == 0 {
			answer = "error"
		}
	}
	e.pending[s.Target] = answer
	return "sent"
}

func (w *world) await(e *execution, server string) string {
	answer, ok := e.pending[server]
	if !ok {
		return "nothing to await"
	}
	delete(e.pending, server)
	if w.flaw != forgetReceive && (w.flaw != forgetErrors || answer != "error") {
		labels := e.flow.Receive(server)
		if w.flaw != lateRaise {
			w.store.Raise(labels)
		}
	}
	h := fnv.New32a()
	h.Write([]byte(answer))
	return fmt.Sprintf("%.5s…%x", answer, h.Sum32())
}

// leak runs the history in both worlds and returns the counterexample, if it is
// one.
func leak(h history, f flaw) (counterexample string, found bool) {
	zero, one := run(h, 0, f), run(h, 1, f)
	if slices.Equal(zero.sent, one.sent) {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "data of the strict group %s gets out (scope %s):\n", secretGroup, h.scope)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "step\tif the secret is 0\tif it is 1\t\n")
	for i, s := range h.steps {
		mark := ""
		if zero.trace[i] != one.trace[i] {
			mark = "<"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s, zero.trace[i], one.trace[i], mark)
	}
	t.Flush()
	fmt.Fprintf(&b, "servers outside get\n  0: %q\n  1: %q\n", zero.sent, one.sent)
	return b.String(), true
}

var histories = rapid.Custom(func(t *rapid.T) history {
	anyStep := rapid.Custom(func(t *rapid.T) step {
		s := step{Exec: rapid.IntRange(1, 4).Draw(t, "execution"), Guard: rapid.IntRange(0, 3).Draw(t, "guard")}
		s.Op = rapid.SampledFrom([]string{"call", "call", "call", "start", "await", "put", "put", "get", "get", "delete", "keys"}).Draw(t, "op")
		switch s.Op {
		case "call", "start", "await":
			s.Target = rapid.SampledFrom([]string{"g1", "g1", "g2", "h1", "o1", "n1"}).Draw(t, "server")
		case "keys":
		default:
			s.Target = rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key")
		}
		return s
	})
	h := history{scope: policy.ScopeExecution, steps: rapid.SliceOfN(anyStep, 1, 24).Draw(t, "steps")}
	if rapid.Bool().Draw(t, "session scope") {
		h.scope, h.carry = policy.ScopeSession, true
	}
	return h
})

func TestNothingGetsOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if counterexample, found := leak(histories.Draw(t, "history"), flawless); found {
			t.Fatal(counterexample)
		}
	})
}

// TestTheTestNotices shows that a host that forgets any of the rules is found
// out: each flaw has a counterexample among the first histories.
func TestTheTestNotices(t *testing.T) {
	const tries = 30_000
	for _, f := range []flaw{
		forgetReceive, forgetErrors, forgetGet, forgetAbsence, forgetKeys, lateRaise, forgetPutLabels, emptyIsNoSend, forgetSession,
	} {
		t.Run(string(f), func(t *testing.T) {
			for seed := range tries {
				if counterexample, found := leak(histories.Example(seed), f); found {
					t.Logf("found at history %d:\n%s", seed, counterexample)
					return
				}
			}
			t.Errorf("none of %d histories shows it", tries)
		})
	}
}

// TestKnownTricks are histories that have got data out of one draft of the
// rules or another.
func TestKnownTricks(t *testing.T) {
	for name, steps := range map[string][]step{
		"straight":         {{1, "call", "g1", 0}, {1, "call", "o1", 0}},
		"parallel":         {{1, "start", "g1", 0}, {1, "start", "o1", 0}, {1, "await", "g1", 0}, {1, "await", "o1", 0}, {1, "call", "n1", 0}},
		"whether it calls": {{1, "call", "g1", 0}, {1, "call", "o1", 1}, {1, "call", "o1", 3}},
		"stash":            {{1, "call", "g1", 0}, {1, "put", "k", 0}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"two hops":         {{1, "call", "g1", 0}, {1, "put", "k", 0}, {2, "get", "k", 0}, {2, "put", "l", 0}, {3, "get", "l", 0}, {3, "call", "o1", 0}},
		"absence":          {{1, "call", "g1", 0}, {1, "put", "k", 1}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"deletion":         {{3, "put", "k", 0}, {1, "call", "g1", 0}, {1, "delete", "k", 1}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"replacement":      {{3, "put", "k", 0}, {1, "call", "g1", 0}, {1, "put", "k", 1}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"names":            {{1, "call", "g1", 0}, {1, "put", "k", 1}, {1, "put", "l", 2}, {2, "keys", "", 0}, {2, "call", "o1", 0}},
		"another group":    {{1, "call", "g1", 0}, {1, "put", "k", 1}, {2, "call", "h1", 0}, {2, "put", "k", 0}, {2, "call", "h1", 0}},
		"which is newer": {{1, "call", "g1", 0}, {2, "call", "h1", 0}, {2, "put", "k", 0}, {1, "put", "k", 1}, {3, "get", "k", 0},
			{3, "call", "h1", 0}, {3, "call", "g1", 0}, {3, "call", "o1", 0}},
	} {
		for bit := range 4 { // which bit is set depends on the digest
			h := history{scope: policy.ScopeExecution, steps: slices.Clone(steps)}
			for i := range h.steps {
				if h.steps[i].Guard > 0 {
					h.steps[i].Guard = (h.steps[i].Guard+bit-1)%4 + 1
				}
			}
			if counterexample, found := leak(h, flawless); found {
				t.Errorf("%s: %s", name, counterexample)
			}
		}
	}
	// And what must go through does.
	for name, steps := range map[string][]step{
		"open to strict":           {{1, "call", "o1", 0}, {1, "call", "g1", 0}},
		"within the group":         {{1, "call", "g1", 0}, {1, "call", "g2", 0}, {1, "put", "k", 0}, {2, "get", "k", 0}, {2, "call", "g1", 0}},
		"clean stash":              {{1, "call", "o1", 0}, {1, "put", "k", 0}, {2, "call", "g1", 0}, {3, "get", "k", 0}, {3, "call", "o1", 0}},
		"own entries of the group": {{1, "call", "g1", 0}, {1, "put", "k", 0}, {2, "call", "h1", 0}, {3, "call", "g1", 0}, {3, "get", "k", 0}, {3, "call", "g2", 0}},
		"another execution":        {{1, "call", "g1", 0}, {2, "call", "o1", 0}},
	} {
		w := run(history{scope: policy.ScopeExecution, steps: steps}, 0, flawless)
		for i, what := range w.trace {
			if strings.HasPrefix(what, "denied") || strings.HasPrefix(what, "refused") {
				t.Errorf("%s: %s: %s", name, steps[i], what)
			}
		}
	}
}
