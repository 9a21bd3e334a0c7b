package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Set owns several upstreams. They are connected in parallel, and one that
// does not come up holds up nobody who does not ask for it. One that is gone,
// or did not come up, is tried again, with a back-off; meanwhile its calls fail
// at once. Which there are can be changed while the set is in use: see Apply
// and View. Its methods may be called concurrently.
type Set struct {
	dial    func(context.Context, Config) (*Upstream, error)
	base    context.Context // ends with the set
	cancel  context.CancelCauseFunc
	hurry   context.Context // ends when what is being closed gets no more time
	hurryUp context.CancelFunc
	running sync.WaitGroup // the members' goroutines
	version atomic.Uint64

	mu      sync.Mutex
	closed  bool          // guarded by mu, as the rest and member.now
	now     *roster       // the set is one of its holders
	changed chan struct{} // closed and replaced by publish and Apply
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
	s := &Set{dial: dial, now: &roster{holders: 1}, changed: make(chan struct{})}
	s.base, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.hurry, s.hurryUp = context.WithCancel(context.WithoutCancel(ctx))
	if _, err := s.Apply(cfgs, 0); err != nil {
		s.cancel(nil)
		s.hurryUp()
		return nil, err
	}
	return s, nil
}

// publish makes o the state of m.
func (s *Set) publish(m *member, o *outcome) {
	s.mu.Lock()
	first := m.now == nil
	if m.holders > 0 && o.differs(m.now) {
		// Whoever sees the state must also see the new version, and the other
		// way round: a snapshot under an old version would stay.
		s.version.Add(1)
	}
	m.now = o
	s.wake()
	s.mu.Unlock()
	if first {
		close(m.settled)
	}
}

// wake tells those who wait for Changed. Called with s.mu.
func (s *Set) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Set) current() *roster {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Names returns the names of all upstreams, in the order of the configuration.
func (s *Set) Names() []string { return slices.Clone(s.current().order) }

// Version changes when what Members returns does: an upstream has come up, has
// failed to, is gone, or has other tools or resources than before; or there are
// other upstreams.
func (s *Set) Version() uint64 { return s.version.Load() }

// Changed returns a channel that is closed when Version changes next, or may
// have. Take it before looking at the version.
func (s *Set) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Wait waits until each upstream has come up or has failed, once. Those that
// are added meanwhile are not waited for. The error is that of ctx; what failed
// is in Members.
func (s *Set) Wait(ctx context.Context) error { return s.current().wait(ctx) }

// Settle waits until the lists of the named upstream are as fresh as what it
// has announced so far. It returns at once where nothing is awaited, and the
// error of ctx where that ends first.
func (s *Set) Settle(ctx context.Context, name string) error {
	return s.settle(ctx, s.current(), name)
}

// Get returns the named upstream, after waiting until it has come up or failed
// for the first time. It does not wait for one that is being brought back. The
// error wraps ErrUnknown, or is the *Error for which the upstream is down, with
// Sent unset, or a Cancelled or TimedOut one when ctx ended first. Requests
// sent to the upstream itself pass by the circuit breaker, and do not keep it
// when it is removed: see View.
func (s *Set) Get(ctx context.Context, name string) (*Upstream, error) {
	m, ok := s.current().members[name]
	if !ok {
		return nil, unknown(name)
	}
	return s.get(ctx, m)
}

// Call calls a tool of the named upstream, as Upstream.Call does, where it is
// up and its circuit is closed. One that is removed or changed meanwhile is
// kept for the call: see Apply.
func (s *Set) Call(ctx context.Context, name, tool string, args json.RawMessage) (json.RawMessage, error) {
	return s.call(ctx, nil, name, tool, args)
}

// ReadResource reads a resource of the named upstream, as for Call.
func (s *Set) ReadResource(ctx context.Context, name, uri string) (json.RawMessage, error) {
	return s.read(ctx, nil, name, uri)
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
	return s.now.states()
}

// Close ends all upstreams, in parallel, as Upstream.Close does, and tries none
// again; also those that only a View still has. It returns when nothing is
// left. It may be called several times, also concurrently: the first context
// that ends counts.
func (s *Set) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(&Error{Kind: Closed, Message: "the set was closed"})
	stop := context.AfterFunc(ctx, s.hurryUp)
	defer stop()
	s.running.Wait()
	s.hurryUp()
	return nil
}
