package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Set owns several upstreams. They are connected in parallel, and one that
// does not come up holds up nobody who does not ask for it. One that is gone,
// or did not come up, is tried again, with a back-off; meanwhile its calls fail
// at once. Its methods may be called concurrently.
type Set struct {
	order   []string
	members map[string]*member
	cancel  context.CancelFunc
	running sync.WaitGroup
	version atomic.Uint64

	mu      sync.Mutex    // guards member.now
	changed chan struct{} // closed and replaced by publish; guarded by mu
}

// ErrUnknown is what Get wraps for a name that the set does not have.
var ErrUnknown = errors.New("no such upstream")

// OpenSet checks the configurations and begins to connect all of them. It does
// not wait: see Wait and Get. The caller must Close the set. The connections
// outlive ctx, of which only the values are used.
func OpenSet(ctx context.Context, cfgs []Config) (*Set, error) {
	return openSet(ctx, cfgs, dial)
}

func openSet(ctx context.Context, cfgs []Config, dial func(context.Context, Config) (*Upstream, error)) (*Set, error) {
	s := &Set{members: make(map[string]*member, len(cfgs)), changed: make(chan struct{})}
	folded := map[string]string{}
	for i, cfg := range cfgs {
		cfg, err := cfg.withDefaults()
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		cfg.Logger = cfg.Logger.With("server", cfg.Name)
		// Two names that differ in case alone would be mistaken for each other
		// by people and models alike.
		key := strings.ToLower(cfg.Name)
		if other, taken := folded[key]; taken {
			return nil, fmt.Errorf("upstreams[%d]: Name is %q, which %q has already: names must differ in more than case", i, cfg.Name, other)
		}
		folded[key] = cfg.Name
		s.order = append(s.order, cfg.Name)
		s.members[cfg.Name] = &member{cfg: cfg, breaker: newBreaker(cfg, cfg.Logger), dial: dial, settled: make(chan struct{})}
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, m := range s.members {
		s.running.Go(func() { m.run(ctx, s) })
	}
	return s, nil
}

// publish makes o the state of m.
func (s *Set) publish(m *member, o *outcome) {
	s.mu.Lock()
	first := m.now == nil
	if o.differs(m.now) {
		// Whoever sees the state must also see the new version, and the other
		// way round: a snapshot under an old version would stay.
		s.version.Add(1)
	}
	m.now = o
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if first {
		close(m.settled)
	}
}

// Names returns the names of all upstreams, in the order of the configuration.
func (s *Set) Names() []string { return slices.Clone(s.order) }

// Version changes when what Members returns does: an upstream has come up, has
// failed to, is gone, or has other tools or resources than before.
func (s *Set) Version() uint64 { return s.version.Load() }

// Changed returns a channel that is closed when Version changes next, or may
// have. Take it before looking at the version.
func (s *Set) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Wait waits until each upstream has come up or has failed, once. The error is
// that of ctx; what failed is in Members.
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

// Settle waits until the lists of the named upstream are as fresh as what it
// has announced so far. It returns at once where nothing is awaited, and the
// error of ctx where that ends first.
func (s *Set) Settle(ctx context.Context, name string) error {
	m, ok := s.members[name]
	if !ok {
		return nil
	}
	for {
		s.mu.Lock()
		o, changed := m.now, s.changed
		s.mu.Unlock()
		if o == nil || o.up == nil || o.up.Err() != nil || m.refreshed.Load() >= o.up.box.changes.Load() {
			return nil
		}
		select {
		case <-changed:
		case <-o.up.Done():
		case <-ctx.Done():
			return fmt.Errorf("waiting for the lists of the upstream %s: %w", name, context.Cause(ctx))
		}
	}
}

// Get returns the named upstream, after waiting until it has come up or failed
// for the first time. It does not wait for one that is being brought back. The
// error wraps ErrUnknown, or is the *Error for which the upstream is down, with
// Sent unset, or a Cancelled or TimedOut one when ctx ended first. Requests
// sent to the upstream itself pass by the circuit breaker.
func (s *Set) Get(ctx context.Context, name string) (*Upstream, error) {
	m, ok := s.members[name]
	if !ok {
		return nil, fmt.Errorf("upstream %q: %w", name, ErrUnknown)
	}
	return s.get(ctx, m)
}

func (s *Set) get(ctx context.Context, m *member) (*Upstream, error) {
	select {
	case <-m.settled:
	case <-ctx.Done():
		kind := Cancelled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind = TimedOut
		}
		return nil, &Error{Kind: kind, Server: m.cfg.Name, Message: "it is still starting", err: context.Cause(ctx)}
	}
	s.mu.Lock()
	o := m.now
	s.mu.Unlock()
	if o.up == nil {
		return nil, m.unavailable(o)
	}
	if err := o.up.Err(); err != nil {
		// Its goroutine is about to find out.
		return nil, m.unavailable(&outcome{err: err, retry: time.Now().Add(m.cfg.BackoffMin)})
	}
	return o.up, nil
}

// Call calls a tool of the named upstream, as Upstream.Call does, where it is
// up and its circuit is closed.
func (s *Set) Call(ctx context.Context, name, tool string, args json.RawMessage) (json.RawMessage, error) {
	return s.through(ctx, name, func(u *Upstream) (json.RawMessage, error) { return u.Call(ctx, tool, args) })
}

// ReadResource reads a resource of the named upstream, as for Call.
func (s *Set) ReadResource(ctx context.Context, name, uri string) (json.RawMessage, error) {
	return s.through(ctx, name, func(u *Upstream) (json.RawMessage, error) { return u.ReadResource(ctx, uri) })
}

func (s *Set) through(ctx context.Context, name string, f func(*Upstream) (json.RawMessage, error)) (json.RawMessage, error) {
	m, ok := s.members[name]
	if !ok {
		return nil, fmt.Errorf("upstream %q: %w", name, ErrUnknown)
	}
	if ctx.Err() != nil {
		// Nobody waits for the answer: the server is not asked.
		return nil, &Error{Kind: Cancelled, Server: name, Message: "the call was cancelled before it was sent", err: context.Cause(ctx)}
	}
	up, err := s.get(ctx, m)
	if err != nil {
		return nil, err
	}
	return m.breaker.do(func() (json.RawMessage, error) { return f(up) })
}

// Member is the state of one upstream of a set.
type Member struct {
	Name string
	// Up says that it is connected.
	Up bool
	// Pending says that it is still starting, for the first time.
	Pending bool
	// Err says why it is not up, where it is not and is not pending.
	Err error
	// Retry is when it is tried again, where it is not up.
	Retry time.Time
	// Tools, Resources and Templates are those that it listed last, also where
	// it is not up now. They must not be changed.
	Tools     []Tool
	Resources []Resource
	Templates []ResourceTemplate
	// ResourcesErr says why there are no Resources, where it has some and did
	// not list them.
	ResourcesErr error
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
		if o := s.members[name].now; o == nil {
			state.Pending = true
		} else {
			state.Up, state.Err, state.Retry, state.Took, state.Info = o.up != nil, o.err, o.retry, o.took, o.info
			state.Tools, state.Resources, state.Templates, state.ResourcesErr = o.lists.tools, o.lists.resources, o.lists.templates, o.lists.resourcesErr
		}
		all = append(all, state)
	}
	return all
}

// Close ends all upstreams, in parallel, as Upstream.Close does, and tries none
// again. It returns when nothing is left.
func (s *Set) Close(ctx context.Context) error {
	s.cancel()
	s.running.Wait()
	var all sync.WaitGroup
	for _, m := range s.members {
		if up := m.now.up; up != nil {
			all.Go(func() { _ = up.Close(ctx) })
		}
	}
	all.Wait()
	return nil
}
