package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fleet are servers in memory. Each connection knows which server of which
// configuration it is: "a/3". A call of "wait" is answered when it is let go.
type fleet struct {
	mu   sync.Mutex
	open map[string]int // connections, by what they are
	held map[string][]chan struct{}
}

func newFleet() *fleet { return &fleet{open: map[string]int{}, held: map[string][]chan struct{}{}} }

func fleetConfig(name string, version int) Config {
	return Config{Name: name, Command: []string{"-"}, Env: []string{fmt.Sprintf("V=%d", version)}, DiscoverTimeout: -1, CallTimeout: -1}
}

func identity(name string, version int) string { return fmt.Sprintf("%s/%d", name, version) }

func (f *fleet) dial(ctx context.Context, cfg Config) (*Upstream, error) {
	me := cfg.Name + "/" + strings.TrimPrefix(cfg.Env[0], "V=")
	return inMemory(func(_ int, c net.Conn) {
		f.mu.Lock()
		f.open[me]++
		f.mu.Unlock()
		var calls sync.WaitGroup
		ended := make(chan struct{})
		answerCalls(c, "t", func(id json.RawMessage, name string, c net.Conn) bool {
			answer := func() { fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"content":[],"me":%q}}`+"\n", id, me) }
			if name != "wait" {
				answer()
				return true
			}
			gate := make(chan struct{})
			f.mu.Lock()
			f.held[me] = append(f.held[me], gate)
			f.mu.Unlock()
			calls.Go(func() {
				select {
				case <-gate:
					answer()
				case <-ended:
				}
			})
			return true
		})
		close(ended)
		calls.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open[me]--; f.open[me] == 0 {
			delete(f.open, me)
		}
	})(ctx, cfg)
}

func (f *fleet) letGo(me string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, gate := range f.held[me] {
		close(gate)
	}
	delete(f.held, me)
}

func (f *fleet) connections() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.open)
}

// who is what a call was answered by, or the kind of its error.
func who(raw json.RawMessage, err error) string {
	var r struct{ Me string }
	switch {
	case errors.Is(err, ErrUnknown):
		return "unknown"
	case err != nil && kindOf(err) == "":
		return err.Error()
	case err != nil:
		return string(kindOf(err))
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return err.Error()
	}
	return r.Me
}

// TestApplyAtOnce changes a set while many call it: each view must answer with
// what it has, however much changes.
func TestApplyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		s, err := openSet(t.Context(), []Config{fleetConfig("a", 0), fleetConfig("b", 0)}, f.dial)
		if err != nil {
			t.Fatal(err)
		}
		var callers, changers sync.WaitGroup
		var done atomic.Bool
		var answered atomic.Int64
		for range 4 {
			callers.Go(func() {
				for !done.Load() {
					v := s.View()
					first := map[string]string{}
					for range 3 {
						for _, name := range []string{"a", "b"} {
							got := who(v.Call(t.Context(), name, "t", nil))
							if first[name] == "" {
								first[name] = got
							}
							if known := slices.Contains(v.Names(), name); got != first[name] || known != strings.HasPrefix(got, name+"/") {
								t.Errorf("%s: got %s after %s", name, got, first[name])
								done.Store(true)
							}
							answered.Add(1)
						}
					}
					v.Release()
					if got := who(v.Call(t.Context(), "a", "t", nil)); got != string(Closed) && got != "unknown" {
						t.Errorf("a released view: got %s", got)
					}
				}
			})
			callers.Go(func() {
				for !done.Load() {
					if got := who(s.Call(t.Context(), "a", "t", nil)); got != "unknown" && !strings.HasPrefix(got, "a/") {
						t.Errorf("a call through the set: got %s", got)
					}
					s.Members()
					_, _ = s.Get(t.Context(), "b")
					_ = s.Wait(t.Context())
				}
			})
		}
		for changer := range 2 {
			changers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(changer), 2))
				for range 100 {
					var cfgs []Config
					for _, name := range []string{"a", "b", "c"} {
						if v := r.IntN(4); v > 0 {
							cfgs = append(cfgs, fleetConfig(name, v))
						}
					}
					if _, err := s.Apply(cfgs, 0); err != nil {
						t.Error(err)
					}
					before := answered.Load()
					for answered.Load() < before+20 && !done.Load() {
						_ = s.Wait(t.Context())
					}
				}
			})
		}
		changers.Wait()
		done.Store(true)
		callers.Wait()
		synctest.Wait()
		want := map[string]int{}
		for _, name := range s.Names() {
			got := who(s.Call(t.Context(), name, "t", nil))
			want[got]++
		}
		if got := f.connections(); !maps.Equal(got, want) {
			t.Errorf("connections %v, want %v", got, want)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestApplySays is what a call and the log hear when the grace is over.
func TestApplySays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		a, b := fleetConfig("a", 1), fleetConfig("b", 1)
		a.Logger, b.Logger = logger, logger
		s, err := openSet(t.Context(), []Config{a, b}, f.dial)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		if err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Another order is a change too, if no connection's.
		turned, before := s.Changed(), s.Version()
		if got, err := s.Apply([]Config{b, a}, 0); err != nil || got.Any() || !slices.Equal(s.Names(), []string{"b", "a"}) || s.Version() == before {
			t.Errorf("got %+v, %v, %q", got, err, s.Names())
		}
		<-turned
		v := s.View()
		defer v.Release()
		errs := make(chan error, 2)
		for _, name := range []string{"a", "b"} {
			go func() {
				_, err := v.Call(t.Context(), name, "wait", nil)
				errs <- err
			}()
		}
		synctest.Wait()
		changed, version := s.Changed(), s.Version()
		if _, err := s.Apply([]Config{fleetConfig("a", 2)}, time.Second); err != nil {
			t.Fatal(err)
		}
		<-changed
		if s.Version() == version {
			t.Error("the version is the old one")
		}
		said := []string{(<-errs).Error(), (<-errs).Error()}
		slices.Sort(said)
		if want := []string{
			"upstream a: calling wait: its configuration has changed",
			"upstream b: calling wait: it is not in the configuration any more",
		}; !slices.Equal(said, want) {
			t.Errorf("got %q", said)
		}
		if n := strings.Count(log.String(), "its time is over"); n != 2 {
			t.Errorf("logged: %s", log.String())
		}
		e, ok := errors.AsType[*Error](func() error { _, err := v.Call(t.Context(), "b", "t", nil); return err }())
		if !ok || e.Kind != Closed || e.Sent || e.RetryAfter != 0 || e.Server != "b" {
			t.Errorf("got %+v", e)
		}
		if got := who(s.Call(t.Context(), "a", "t", nil)); got != "a/2" {
			t.Errorf("got %s", got)
		}
	})
}

// TestApplyWhileStarting takes away a server that does not come up: who waits
// for it through the set learns at once, who holds a view waits on.
func TestApplyWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := openSet(t.Context(), []Config{fleetConfig("a", 1)}, inMemory(func(_ int, c net.Conn) {
			_, _ = c.Read(make([]byte, 1<<16)) // it never answers
			_, _ = c.Read(make([]byte, 1))
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		v := s.View()
		got := make(chan error, 2)
		for _, get := range []func(context.Context, string) (*Upstream, error){s.Get, v.Get} {
			go func() {
				_, err := get(t.Context(), "a")
				got <- err
			}()
		}
		synctest.Wait()
		if _, err := s.Apply(nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("the view has it, and it is gone")
		}
		v.Release()
		for range 2 {
			if err := <-got; kindOf(err) != Closed {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestSame(t *testing.T) {
	base := Config{
		Name: "a", Command: []string{"x", "y"}, Env: []string{"A=1"}, Headers: map[string]string{}, Logger: slog.New(slog.DiscardHandler),
	}
	for name, c := range map[string]struct {
		change func(*Config)
		same   bool
	}{
		"nothing":            {func(*Config) {}, true},
		"the logger":         {func(c *Config) { c.Logger = slog.Default() }, true},
		"nil for empty":      {func(c *Config) { c.Headers = nil }, true},
		"a default in words": {func(c *Config) { c.CallTimeout = time.Minute }, true},
		"the transport, put": {func(c *Config) { c.Transport = Stdio }, true},
		"an argument":        {func(c *Config) { c.Command = []string{"x", "z"} }, false},
		"a variable":         {func(c *Config) { c.Env = []string{"A=2"} }, false},
		"a time":             {func(c *Config) { c.CallTimeout = time.Second }, false},
		"the directory":      {func(c *Config) { c.Dir = "/" }, false},
	} {
		other := base
		c.change(&other)
		both, err := complete([]Config{base})
		if err != nil {
			t.Fatal(err)
		}
		more, err := complete([]Config{other})
		if err != nil {
			t.Fatal(err)
		}
		if got := same(both[0], more[0]); got != c.same {
			t.Errorf("%s: same is %t", name, got)
		}
	}
	if err := Check([]Config{base, {Name: "A", Command: []string{"x"}}}); err == nil {
		t.Error("two names that differ in case alone are let pass")
	}
}
