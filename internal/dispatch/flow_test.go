package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"pgregory.net/rapid"

	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/stash"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// What follows is the property of package policy's flow_test.go through the
// whole choke point, real connections included: histories of a session are run
// twice, with different data in one strict group, and what arrives at the
// servers outside of it is compared. Programs are as bad as they can be: what
// they do depends on all that they have seen.

var flowGroups = []policy.Group{
	{Name: "G", Servers: []string{"g1", "g2"}, Strict: true},
	{Name: "H", Servers: []string{"h1"}, Strict: true},
	{Name: "open", Servers: []string{"o1"}},
}

// secretGroup is the one whose data differs.
const secretGroup = "G"

type move struct {
	Exec   int
	Op     string // call, read, list, lists, start, await, stop, put, get, delete, keys
	Target string // server or key
	// Guard: 0 always, else if that bit of all that it has seen is set.
	Guard int
}

func (m move) String() string {
	text := fmt.Sprintf("E%d %s %s", m.Exec, m.Op, m.Target)
	if m.Guard > 0 {
		text += fmt.Sprintf(" if bit %d", m.Guard)
	}
	return text
}

type history struct {
	scope policy.Scope
	carry bool // what programs return, later ones begin with
	moves []move
}

// worlds are the servers of all histories.
type worlds struct {
	set   *upstream.Set
	stubs map[string]*stub
	mu    sync.Mutex
	now   *world
}

// world is one run of a history.
type world struct {
	worlds *worlds
	secret int
	execs  map[int]*execution
	trace  []string

	mu      sync.Mutex
	heard   map[string][]string
	sent    []string                 // to servers outside, in order
	waiting map[string]chan struct{} // requests that are held, by the name that they came with
	arrived chan string
}

type execution struct {
	host    *dispatch.Host
	seen    []string
	pending map[string]*branch // by server
	left    int
}

// branch is a call of a program that goes on meanwhile.
type branch struct {
	id     string
	cancel context.CancelFunc
	done   chan string
}

func newWorlds(t testing.TB) *worlds {
	t.Helper()
	w := &worlds{stubs: map[string]*stub{}}
	var all []*stub
	for _, name := range []string{"g1", "g2", "h1", "o1", "n1"} {
		s := newStub(t, name, decl("now", "", ""), decl("held", "", ""))
		s.resources = []string{fmt.Sprintf(`{"uri":"x://%s","name":"r"}`, name)}
		s.answers(func(ctx context.Context, a arrival) string { return w.current().answer(ctx, name, a) })
		w.stubs[name] = s
		all = append(all, s)
	}
	w.set = connect(t, all...)
	return w
}

func (w *worlds) current() *world {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// answer is what a server says: from all that it has heard, and from its secret.
func (w *world) answer(ctx context.Context, server string, a arrival) string {
	w.mu.Lock()
	said := a.Name + " " + a.Args
	w.heard[server] = append(w.heard[server], said)
	inside := server[:1] == "g"
	if !inside {
		w.sent = append(w.sent, server+" "+said)
	}
	n := len(w.heard[server])
	text := fmt.Sprint("answer of ", server, " to ", w.heard[server])
	if inside {
		text = fmt.Sprint(w.secret, " ", text)
	}
	var release chan struct{}
	if a.Name == "held" {
		release = make(chan struct{})
		w.waiting[a.Args] = release
	}
	w.mu.Unlock()
	if release != nil {
		w.arrived <- a.Args
		select {
		case <-release:
		case <-ctx.Done():
		}
	}
	// Errors of both kinds are answers too, and whether there is one may be
	// what says it.
	b, _ := json.Marshal(text)
	switch {
	case inside && w.secret == 1 && n%3 == 0:
		return "error " + text
	case inside && w.secret == 1 && n%3 == 1:
		return `{"isError":true,"content":[{"type":"text","text":` + string(b) + `}]}`
	}
	return `{"content":[{"type":"text","text":` + string(b) + `}]}`
}

func (e *execution) digest() uint64 {
	h := fnv.New64a()
	for _, s := range e.seen {
		fmt.Fprintf(h, "%s\x00", s)
	}
	return h.Sum64()
}

func short(text string) string {
	h := fnv.New32a()
	h.Write([]byte(text))
	return fmt.Sprintf("%.6s…%x", text, h.Sum32())
}

// told counts the calls of which the server was told that they are given up.
func (ws *worlds) told(server string) (n int) {
	s := ws.stubs[server]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.arrived {
		if a.Method == "notifications/cancelled" {
			n++
		}
	}
	return n
}

func (ws *worlds) run(t testing.TB, h history, secret int) *world {
	store, err := stash.New(stash.Config{MaxEntries: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d := governed(t, ws.set, dispatch.Rules{Policy: policy.Config{Groups: flowGroups, Scope: h.scope}})
	w := &world{worlds: ws, secret: secret, execs: map[int]*execution{}, heard: map[string][]string{}, waiting: map[string]chan struct{}{}, arrived: make(chan string, 1)}
	ws.mu.Lock()
	ws.now = w
	ws.mu.Unlock()
	left := map[int]int{}
	for _, m := range h.moves {
		left[m.Exec]++
	}
	for _, m := range h.moves {
		e := w.execs[m.Exec]
		if e == nil {
			e = &execution{host: d.For(dispatch.Caller{Session: "one", Stash: store}), pending: map[string]*branch{}, left: left[m.Exec]}
			if h.carry {
				for n := range 8 {
					if o := w.execs[n]; o != nil && o.left == 0 {
						e.seen = append(e.seen, fmt.Sprintf("E%d returned %x", n, o.digest()))
					}
				}
			}
			w.execs[m.Exec] = e
		}
		e.left--
		if m.Guard > 0 && e.digest()>>m.Guard&1 == 0 {
			w.trace = append(w.trace, "-")
			continue
		}
		what := w.do(t, e, m, len(w.trace))
		e.seen = append(e.seen, what)
		w.trace = append(w.trace, short(what))
	}
	for _, e := range w.execs {
		for server := range e.pending {
			w.await(e, server)
		}
	}
	// What is told to a server besides calls counts as well.
	for _, name := range []string{"h1", "o1", "n1"} {
		for _, a := range ws.stubs[name].seen() {
			if strings.HasPrefix(a, "notifications/") {
				w.sent = append(w.sent, name+" "+a)
			}
		}
	}
	for _, name := range []string{"g1", "g2"} {
		ws.stubs[name].seen()
	}
	return w
}

func (w *world) do(t testing.TB, e *execution, m move, turn int) string {
	ctx := context.Background()
	// Where the guard is odd the call says only that it is made.
	args := fmt.Sprintf(`{"x":"%x","n":%d}`, e.digest(), turn)
	if m.Guard%2 == 1 {
		args = fmt.Sprintf(`{"n":%d}`, turn)
	}
	switch m.Op {
	case "call":
		v, err := e.host.CallTool(ctx, with(m.Target, "now", args))
		return fmt.Sprint(string(v.JSON), err)
	case "read":
		raw, err := e.host.ReadResource(ctx, m.Target, fmt.Sprintf("x://%s/%x", m.Target, e.digest()))
		return fmt.Sprint(string(raw), err)
	case "list":
		raw, err := e.host.ListResources(ctx, m.Target)
		return fmt.Sprint(string(raw), err)
	case "lists":
		raw, err := e.host.ListResources(ctx, "")
		return fmt.Sprint(string(raw), err)
	case "start":
		if e.pending[m.Target] != nil {
			return "is pending"
		}
		ctx, cancel := context.WithCancel(ctx)
		b := &branch{id: args, cancel: cancel, done: make(chan string, 1)}
		go func() {
			v, err := e.host.CallTool(ctx, with(m.Target, "held", args))
			b.done <- fmt.Sprint(string(v.JSON), err)
		}()
		select {
		case <-w.arrived:
			e.pending[m.Target] = b
			return "sent"
		case what := <-b.done:
			cancel()
			return what
		}
	case "await":
		return w.await(e, m.Target)
	case "stop":
		// The program ends before its call does: the host is to cancel it.
		b := e.pending[m.Target]
		if b == nil {
			return "nothing to stop"
		}
		delete(e.pending, m.Target)
		told, is := w.worlds.told(m.Target), e.host.MayTell(m.Target)
		b.cancel()
		<-b.done
		if is { // it is on its way, and must not count for the next history
			eventually(t, "the server is told", func() bool { return w.worlds.told(m.Target) > told })
		}
		// What the program got to know is only that it stopped waiting. The
		// server may go on.
		w.release(b.id)
		return "stopped"
	case "put":
		value, _ := json.Marshal(fmt.Sprintf("%x", e.digest()))
		return fmt.Sprint("put ", e.host.StashPut(ctx, m.Target, value, 0))
	case "get":
		raw, err := e.host.StashGet(ctx, m.Target)
		return fmt.Sprint("got ", string(raw), err)
	case "delete":
		found, err := e.host.StashDelete(ctx, m.Target)
		return fmt.Sprint("deleted ", found, err)
	case "keys":
		keys, err := e.host.StashKeys(ctx)
		return fmt.Sprint("keys ", keys, err)
	}
	t.Fatal(m.Op)
	return ""
}

func (w *world) release(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.waiting[id]; c != nil {
		close(c)
		delete(w.waiting, id)
	}
}

func (w *world) await(e *execution, server string) string {
	b := e.pending[server]
	if b == nil {
		return "nothing to await"
	}
	delete(e.pending, server)
	w.release(b.id)
	defer b.cancel()
	return <-b.done
}

// leak runs the history in both worlds and returns the counterexample, if it is
// one.
func (ws *worlds) leak(t testing.TB, h history) (counterexample string, found bool) {
	zero, one := ws.run(t, h, 0), ws.run(t, h, 1)
	if slices.Equal(zero.sent, one.sent) {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "data of the strict group %s gets out (scope %s):\n", secretGroup, h.scope)
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "move\tif the secret is 0\tif it is 1\t\n")
	for i, m := range h.moves {
		mark := ""
		if zero.trace[i] != one.trace[i] {
			mark = "<"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", m, zero.trace[i], one.trace[i], mark)
	}
	tw.Flush()
	fmt.Fprintf(&b, "servers outside get\n  0: %q\n  1: %q\n", zero.sent, one.sent)
	return b.String(), true
}

var histories = rapid.Custom(func(t *rapid.T) history {
	anyMove := rapid.Custom(func(t *rapid.T) move {
		m := move{Exec: rapid.IntRange(1, 4).Draw(t, "execution"), Guard: rapid.IntRange(0, 3).Draw(t, "guard")}
		m.Op = rapid.SampledFrom([]string{
			"call", "call", "call", "read", "list", "lists", "start", "start", "await", "stop", "put", "put", "get", "get", "delete", "keys",
		}).Draw(t, "op")
		switch m.Op {
		case "put", "get", "delete":
			m.Target = rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key")
		case "keys", "lists":
		default:
			m.Target = rapid.SampledFrom([]string{"g1", "g1", "g2", "h1", "o1", "n1"}).Draw(t, "server")
		}
		return m
	})
	h := history{scope: policy.ScopeExecution, moves: rapid.SliceOfN(anyMove, 1, 24).Draw(t, "moves")}
	if rapid.Bool().Draw(t, "session scope") {
		h.scope, h.carry = policy.ScopeSession, true
	}
	return h
})

// TestNothingGetsOut is the property. With -rapid.checks=N it looks longer.
func TestNothingGetsOut(t *testing.T) {
	ws := newWorlds(t)
	for range 4 { // a hundred are over in no time
		rapid.Check(t, func(rt *rapid.T) {
			if counterexample, found := ws.leak(t, histories.Draw(rt, "history")); found {
				rt.Fatal(counterexample)
			}
		})
	}
}

// TestKnownTricks are histories that would get data out of a host that forgets
// one of the rules, each with all that a guard can be.
func TestKnownTricks(t *testing.T) {
	ws := newWorlds(t)
	for name, moves := range map[string][]move{
		"straight":             {{1, "call", "g1", 0}, {1, "call", "o1", 0}},
		"a resource in":        {{1, "read", "g1", 0}, {1, "call", "o1", 0}},
		"a resource out":       {{1, "call", "g1", 0}, {1, "read", "o1", 0}},
		"an error":             {{2, "call", "g1", 0}, {2, "call", "g1", 0}, {1, "call", "g1", 0}, {1, "call", "o1", 0}, {1, "call", "o1", 1}},
		"to another group":     {{1, "call", "g1", 0}, {1, "call", "h1", 0}},
		"parallel":             {{1, "start", "g1", 0}, {1, "start", "o1", 0}, {1, "await", "g1", 0}, {1, "await", "o1", 0}, {1, "call", "n1", 0}},
		"by giving up a call":  {{1, "start", "o1", 0}, {1, "call", "g1", 0}, {1, "stop", "o1", 1}},
		"by giving up two":     {{1, "start", "o1", 0}, {1, "start", "n1", 0}, {1, "call", "g1", 0}, {1, "stop", "n1", 1}, {1, "stop", "o1", 2}},
		"by giving up, stash":  {{1, "call", "g1", 0}, {1, "put", "k", 0}, {2, "start", "o1", 0}, {2, "get", "k", 0}, {2, "stop", "o1", 1}},
		"what was given up":    {{1, "start", "g1", 0}, {1, "stop", "g1", 0}, {1, "call", "o1", 0}},
		"stash":                {{1, "call", "g1", 0}, {1, "put", "k", 0}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"absence":              {{1, "call", "g1", 0}, {1, "put", "k", 1}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"deletion":             {{3, "put", "k", 0}, {1, "call", "g1", 0}, {1, "delete", "k", 1}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"replacement":          {{3, "put", "k", 0}, {1, "call", "g1", 0}, {1, "put", "k", 1}, {2, "get", "k", 0}, {2, "call", "o1", 0}},
		"names of keys":        {{1, "call", "g1", 0}, {1, "put", "k", 1}, {1, "put", "l", 2}, {2, "keys", "", 0}, {2, "call", "o1", 0}},
		"what is found to del": {{1, "call", "g1", 0}, {1, "put", "k", 1}, {2, "delete", "k", 0}, {2, "call", "o1", 0}},
		"lists":                {{1, "list", "g1", 0}, {1, "call", "o1", 0}, {1, "call", "g1", 0}, {1, "lists", "", 0}, {1, "call", "n1", 0}},
	} {
		for bit := range 4 {
			for _, scope := range []policy.Scope{policy.ScopeExecution, policy.ScopeSession} {
				h := history{scope: scope, carry: scope == policy.ScopeSession, moves: slices.Clone(moves)}
				for i := range h.moves {
					if h.moves[i].Guard > 0 {
						h.moves[i].Guard = (h.moves[i].Guard+bit-1)%4 + 1
					}
				}
				if counterexample, found := ws.leak(t, h); found {
					t.Errorf("%s: %s", name, counterexample)
				}
			}
		}
	}
}

// TestWhatMustGoThrough: the rules are no stricter than they say.
func TestWhatMustGoThrough(t *testing.T) {
	ws := newWorlds(t)
	for name, moves := range map[string][]move{
		"open to strict":      {{1, "call", "o1", 0}, {1, "call", "g1", 0}},
		"within the group":    {{1, "call", "g1", 0}, {1, "read", "g2", 0}, {1, "put", "k", 0}, {2, "get", "k", 0}, {2, "call", "g1", 0}},
		"clean stash":         {{1, "call", "o1", 0}, {1, "put", "k", 0}, {2, "call", "g1", 0}, {3, "get", "k", 0}, {3, "call", "o1", 0}},
		"another execution":   {{1, "call", "g1", 0}, {2, "call", "o1", 0}},
		"to look around":      {{1, "lists", "", 0}, {1, "call", "o1", 0}},
		"what was under way":  {{1, "start", "o1", 0}, {1, "call", "g1", 0}, {1, "await", "o1", 0}},
		"a call is cancelled": {{1, "start", "o1", 0}, {1, "stop", "o1", 0}, {1, "call", "g1", 0}},
	} {
		w := ws.run(t, history{scope: policy.ScopeExecution, moves: moves}, 0)
		for _, e := range w.execs {
			for _, what := range e.seen {
				if strings.Contains(what, "POLICY_DENIED") || strings.Contains(what, "STASH_ERROR") {
					t.Errorf("%s: %s", name, what)
				}
			}
		}
	}
}

// TestGivenUpCall: a server outside is told of a call that is given up, but not
// by an execution that knows what it must not say.
func TestGivenUpCall(t *testing.T) {
	ws := newWorlds(t)
	for _, labelled := range []bool{false, true} {
		w := &world{execs: map[int]*execution{}, heard: map[string][]string{}, waiting: map[string]chan struct{}{}, arrived: make(chan string, 1)}
		ws.mu.Lock()
		ws.now = w
		ws.mu.Unlock()
		d := governed(t, ws.set, dispatch.Rules{Policy: policy.Config{Groups: flowGroups}})
		h := d.For(dispatch.Caller{})
		why := errors.New("the program ended")
		ctx, cancel := context.WithCancelCause(within(t))
		done := make(chan error, 1)
		go func() {
			_, err := h.CallTool(ctx, with("o1", "held", `{}`))
			done <- err
		}()
		<-w.arrived
		if labelled {
			if _, err := h.CallTool(within(t), with("g1", "now", `{}`)); err != nil {
				t.Fatal(err)
			}
		}
		cancel(why)
		if err := <-done; code(err) != "CANCELLED" || !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		told := func() bool {
			return slices.ContainsFunc(ws.stubs["o1"].seen(), func(a string) bool { return strings.HasPrefix(a, "notifications/cancelled") })
		}
		if labelled {
			w.release(`{}`)
			// The answer that nobody waits for comes in before this one does.
			if _, err := d.For(dispatch.Caller{}).CallTool(within(t), with("o1", "now", `{}`)); err != nil {
				t.Error(err)
			}
			if told() {
				t.Error("the server was told")
			}
		} else {
			eventually(t, "the server is told", told)
		}
	}
}
