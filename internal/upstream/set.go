package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Set owns several upstreams. They are connected in parallel, and one that
// does not come up holds up nobody who does not ask for it.
//
// An upstream that has ended stays ended: bringing one back, with a back-off
// and a circuit breaker, is to be done here, in member.run.
type Set struct {
	order   []string
	members map[string]*member
	cancel  context.CancelFunc
	running sync.WaitGroup
	version atomic.Uint64
	mu      sync.Mutex // guards the outcomes of the members
}

// member is one upstream of a set.
type member struct {
	cfg     Config
	settled chan struct{} // closed when outcome is there
	// outcome is nil until the upstream has come up or has failed, and not
	// changed then.
	outcome *outcome
}

type outcome struct {
	up    *Upstream // nil where it failed
	tools []Tool
	err   error
	took  time.Duration
}

// ErrUnknown is what Get wraps for a name that the set does not have.
var ErrUnknown = errors.New("no such upstream")

// OpenSet checks the configurations and begins to connect all of them. It does
// not wait: see Wait and Get. The caller must Close the set. The connections
// outlive ctx, of which only the values are used.
func OpenSet(ctx context.Context, cfgs []Config) (*Set, error) {
	s := &Set{members: make(map[string]*member, len(cfgs))}
	folded := map[string]string{}
	for i, cfg := range cfgs {
		cfg, err := cfg.withDefaults()
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		// Two names that differ in case alone would be mistaken for each other
		// by people and models alike.
		key := strings.ToLower(cfg.Name)
		if other, taken := folded[key]; taken {
			return nil, fmt.Errorf("upstreams[%d]: Name is %q, which %q has already: names must differ in more than case", i, cfg.Name, other)
		}
		folded[key] = cfg.Name
		s.order = append(s.order, cfg.Name)
		s.members[cfg.Name] = &member{cfg: cfg, settled: make(chan struct{})}
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, m := range s.members {
		s.running.Go(func() { m.run(ctx, s) })
	}
	return s, nil
}

// run connects the member and says how that went, once.
func (m *member) run(ctx context.Context, s *Set) {
	o := m.connect(ctx)
	// Whoever sees the outcome must also see the new version, and the other
	// way round: a snapshot under an old version would stay.
	s.mu.Lock()
	m.outcome = o
	s.version.Add(1)
	s.mu.Unlock()
	close(m.settled)
}

func (m *member) connect(ctx context.Context) *outcome {
	start := time.Now()
	up, err := Connect(ctx, m.cfg)
	if err != nil {
		m.cfg.Logger.Warn("upstream did not come up", "server", m.cfg.Name, "err", err)
		return &outcome{err: err, took: time.Since(start)}
	}
	tools, err := up.Tools(ctx)
	if err != nil {
		m.cfg.Logger.Warn("upstream does not list its tools", "server", m.cfg.Name, "err", err)
		up.Close(ctx)
		return &outcome{err: err, took: time.Since(start)}
	}
	return &outcome{up: up, tools: tools, took: time.Since(start)}
}

// Names returns the names of all upstreams, in the order of the configuration.
func (s *Set) Names() []string { return append([]string{}, s.order...) }

// Version changes when an upstream has come up or has failed to.
func (s *Set) Version() uint64 { return s.version.Load() }

// Wait waits until each upstream has come up or has failed. The error is that
// of ctx; what failed is in Members.
func (s *Set) Wait(ctx context.Context) error {
	for _, name := range s.order {
		select {
		case <-s.members[name].settled:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the upstream %s: %w", name, context.Cause(ctx))
		}
	}
	return nil
}

// Get returns the named upstream, after waiting until it has come up. The
// error wraps ErrUnknown, or is the *Error with which the upstream failed, or
// a Cancelled or TimedOut one when ctx ended first.
func (s *Set) Get(ctx context.Context, name string) (*Upstream, error) {
	m, ok := s.members[name]
	if !ok {
		return nil, fmt.Errorf("upstream %q: %w", name, ErrUnknown)
	}
	select {
	case <-m.settled:
	case <-ctx.Done():
		kind := Cancelled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind = TimedOut
		}
		return nil, &Error{Kind: kind, Server: name, Message: "it is still starting", err: context.Cause(ctx)}
	}
	if m.outcome.err != nil {
		return nil, m.outcome.err
	}
	if err := m.outcome.up.Err(); err != nil {
		return nil, err
	}
	return m.outcome.up, nil
}

// Member is the state of one upstream of a set.
type Member struct {
	Name string
	// Up says that it came up and has not ended.
	Up bool
	// Pending says that it is still starting.
	Pending bool
	// Err says why it is not up, where it is not and is not pending.
	Err error
	// Tools are those that it listed when it came up, also where it has ended
	// since. They must not be changed.
	Tools []Tool
	// Info is what it says of itself.
	Info Info
	// Took is how long the connection took to come up or to fail.
	Took time.Duration
}

// Members returns the state of all upstreams, in the order of the
// configuration. It does not wait.
func (s *Set) Members() []Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Member, 0, len(s.order))
	for _, name := range s.order {
		state := Member{Name: name}
		switch o := s.members[name].outcome; {
		case o == nil:
			state.Pending = true
		case o.up == nil:
			state.Took, state.Err = o.took, o.err
		default:
			state.Took, state.Tools, state.Info = o.took, o.tools, o.up.Info()
			state.Err = o.up.Err()
			state.Up = state.Err == nil
		}
		all = append(all, state)
	}
	return all
}

// Close ends all upstreams, in parallel, as Upstream.Close does. It returns
// when nothing is left.
func (s *Set) Close(ctx context.Context) error {
	s.cancel()
	s.running.Wait()
	var all sync.WaitGroup
	for _, m := range s.members {
		if up := m.outcome.up; up != nil {
			all.Go(func() { up.Close(ctx) })
		}
	}
	all.Wait()
	return nil
}
