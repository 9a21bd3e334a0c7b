package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// roster is which upstreams a set had from one Apply to the next. It is one
// holder of each of its members as long as it has holders itself: the set while
// it is the current one, and views. All but their number is immutable.
type roster struct {
	generation uint64
	order      []string
	members    map[string]*member
	holders    int // guarded by Set.mu
}

// release gives up a roster. Called with s.mu.
func (s *Set) release(r *roster) {
	if r.holders--; r.holders > 0 {
		return
	}
	for _, m := range r.members {
		m.letGo()
	}
}

// letGo takes one of the member's holders away; with the last the member ends.
// Called with Set.mu.
func (m *member) letGo() {
	if m.holders--; m.holders == 0 {
		m.cancel(m.retired)
	}
}

// keep returns the member of that name, in the view or else in the set, with
// one holder more.
func (s *Set) keep(v *View, name string) (*member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.now
	if v != nil {
		if v.released {
			return nil, &Error{Kind: Closed, Server: name, Message: "whoever calls it had done with it"}
		}
		r = v.r
	}
	m, ok := r.members[name]
	if !ok {
		return nil, unknown(name)
	}
	m.holders++
	return m, nil
}

func unknown(name string) error { return fmt.Errorf("upstream %q: %w", name, ErrUnknown) }

func (r *roster) wait(ctx context.Context) error {
	for _, name := range r.order {
		select {
		case <-r.members[name].settled:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the upstream %s: %w", name, context.Cause(ctx))
		}
	}
	return nil
}

// states is what Members returns. Called with Set.mu.
func (r *roster) states() []Member {
	all := make([]Member, 0, len(r.order))
	for _, name := range r.order {
		state := Member{Name: name}
		if o := r.members[name].now; o == nil {
			state.Pending = true
		} else {
			state.Up, state.Err, state.Retry, state.Took, state.Info = o.up != nil, o.err, o.retry, o.took, o.info
			state.Tools, state.Resources, state.Templates, state.ResourcesErr = o.lists.tools, o.lists.resources, o.lists.templates, o.lists.resourcesErr
		}
		all = append(all, state)
	}
	return all
}

func (s *Set) settle(ctx context.Context, r *roster, name string) error {
	m, ok := r.members[name]
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

// through makes a request to a member of the view, or else of the set, which
// is kept until it is answered.
func (s *Set) through(ctx context.Context, v *View, name string, f func(*Upstream) (json.RawMessage, error)) (json.RawMessage, error) {
	m, err := s.keep(v, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		m.letGo()
	}()
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

func (s *Set) call(ctx context.Context, v *View, name, tool string, args json.RawMessage) (json.RawMessage, error) {
	return s.through(ctx, v, name, func(u *Upstream) (json.RawMessage, error) { return u.Call(ctx, tool, args) })
}

func (s *Set) read(ctx context.Context, v *View, name, uri string) (json.RawMessage, error) {
	return s.through(ctx, v, name, func(u *Upstream) (json.RawMessage, error) { return u.ReadResource(ctx, uri) })
}

// View is the upstreams that a Set had at one moment, for whoever must end with
// those that he began with: an Apply changes nothing in it. They live on in it:
// connections are lost and come back, lists change. Those that the set has no
// more are kept until every View that has them is released, no call through
// them is under way, or the grace of Apply is over, whatever comes first; calls
// fail with Closed from then on. Its methods may be called concurrently.
type View struct {
	s        *Set
	r        *roster
	released bool // guarded by Set.mu
}

// View returns a view of the set as it is. It costs a lock, and the caller must
// Release it.
func (s *Set) View() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.holders++
	return &View{s: s, r: s.now}
}

// Release ends the view. It does not wait: calls under way through it still end
// by themselves, those that come later fail with Closed. It may be called
// several times.
func (v *View) Release() {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if !v.released {
		v.released = true
		v.s.release(v.r)
	}
}

// Generation counts the Applys that changed something: views of one generation
// have the same upstreams.
func (v *View) Generation() uint64 { return v.r.generation }

// Version is Set.Version. It changes when what Members returns does, and at
// times when it does not.
func (v *View) Version() uint64 { return v.s.Version() }

// Changed is Set.Changed.
func (v *View) Changed() <-chan struct{} { return v.s.Changed() }

// Names returns the names of the upstreams, in the order of the configuration.
func (v *View) Names() []string { return slices.Clone(v.r.order) }

// Members returns the state of the upstreams, in the order of the
// configuration. It does not wait.
func (v *View) Members() []Member {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.r.states()
}

// Wait waits as Set.Wait does.
func (v *View) Wait(ctx context.Context) error { return v.r.wait(ctx) }

// Settle waits as Set.Settle does.
func (v *View) Settle(ctx context.Context, name string) error { return v.s.settle(ctx, v.r, name) }

// Get returns the named upstream as Set.Get does. The view keeps it.
func (v *View) Get(ctx context.Context, name string) (*Upstream, error) {
	m, ok := v.r.members[name]
	if !ok {
		return nil, unknown(name)
	}
	return v.s.get(ctx, m)
}

// Call calls a tool as Set.Call does.
func (v *View) Call(ctx context.Context, name, tool string, args json.RawMessage) (json.RawMessage, error) {
	return v.s.call(ctx, v, name, tool, args)
}

// ReadResource reads a resource as Set.ReadResource does.
func (v *View) ReadResource(ctx context.Context, name, uri string) (json.RawMessage, error) {
	return v.s.read(ctx, v, name, uri)
}
