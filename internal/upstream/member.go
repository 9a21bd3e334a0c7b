package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"time"
)

const (
	// stable is how long a connection must have stood for its end to be no
	// sign of a server that cannot stay up.
	stable = 30 * time.Second
	// refreshPause is the least time between two refreshes of the lists,
	// whatever the server says: one that changes them without end costs that.
	refreshPause = 500 * time.Millisecond
)

// member is one upstream of a set. Its goroutine connects it, keeps its lists
// fresh, and connects it again.
type member struct {
	cfg     Config
	breaker *breaker
	dial    func(context.Context, Config) (*Upstream, error)
	settled chan struct{} // closed when it has come up or failed for the first time
	// ctx is its life. The cause of its end is an *Error.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// holders are the rosters that have it and the calls under way: with the
	// last of them it ends. retired is then why, and grace the timer that ends
	// it before, where there is one. All three are guarded by Set.mu.
	holders int
	retired *Error
	grace   *time.Timer
	// now is what is known of it: nil until it is settled, and never changed
	// but replaced, under Set.mu.
	now *outcome
	// refreshed is up to which of the server's announcements of changes the
	// lists are fresh.
	refreshed atomic.Int64
}

// outcome is the state of a member. It is immutable.
type outcome struct {
	up    *Upstream // nil where it is down
	err   error     // why it is down
	retry time.Time // when it is tried again, where it is down
	took  time.Duration
	info  Info
	lists lists // the last that were known
}

// lists is all that a server offers.
type lists struct {
	tools        []Tool
	resources    []Resource
	templates    []ResourceTemplate
	resourcesErr error // why there are no resources
}

// run is the member's life.
func (m *member) run(s *Set) {
	defer m.finish(s)
	for failures := 0; ; {
		o := m.connect(m.ctx, failures)
		if m.now != nil && o.up == nil { // this goroutine alone writes it
			o.info, o.lists = m.now.info, m.now.lists
		}
		since := time.Now()
		if o.up != nil {
			s.publish(m, o)
			m.serve(m.ctx, s, o)
			if m.ctx.Err() != nil {
				return
			}
			// Its remains are cleared away before there is a second one.
			_ = o.up.Close(m.ctx)
			down := *m.now
			down.up, down.err = nil, o.up.Err()
			o = &down
			m.cfg.Logger.Warn("upstream is gone", "err", o.err)
			if time.Since(since) >= stable {
				failures = 0
			}
		}
		if m.ctx.Err() != nil {
			return
		}
		failures++
		pause := backoff(m.cfg.BackoffMin, m.cfg.BackoffMax, failures)
		o.retry = time.Now().Add(pause)
		s.publish(m, o)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-m.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// finish closes the last connection, where there is one. When it returns
// nothing of the member is left.
func (m *member) finish(s *Set) {
	why := Error{Kind: Closed, Message: "it was closed"}
	if e, ok := errors.AsType[*Error](context.Cause(m.ctx)); ok {
		why = *e
	}
	why.Server = m.cfg.Name
	var last outcome
	if m.now != nil {
		last = *m.now
	}
	up := last.up
	last.up, last.err, last.retry = nil, &why, time.Time{}
	s.publish(m, &last)
	s.mu.Lock()
	if m.grace != nil {
		m.grace.Stop()
	}
	s.mu.Unlock()
	if up != nil {
		sent := why
		sent.Sent = true
		_ = up.closeFor(s.hurry, &sent)
	}
}

// backoff is how long to wait after the nth failure in a row: twice as long
// each time, and up to a third less, so that many clients of a server do not
// come back at once.
func backoff(least, most time.Duration, n int) time.Duration {
	d := most
	if n <= 30 && least<<(n-1) > 0 {
		d = min(least<<(n-1), most)
	}
	return d - rand.N(d/3+1)
}

// connect makes one attempt.
func (m *member) connect(ctx context.Context, failures int) *outcome {
	start := time.Now()
	fail := func(what string, err error) *outcome {
		log := m.cfg.Logger.Debug // it was said before
		if failures == 0 {
			log = m.cfg.Logger.Warn
		}
		if ctx.Err() == nil {
			log(what, "err", err)
		}
		return &outcome{err: err, took: time.Since(start)}
	}
	up, err := m.dial(ctx, m.cfg)
	if err != nil {
		return fail("upstream did not come up", err)
	}
	changes := up.box.changes.Load()
	l, err := up.lists(ctx)
	if err != nil {
		_ = up.Close(ctx)
		return fail("upstream does not list its tools", err)
	}
	m.refreshed.Store(changes)
	if failures > 0 {
		m.cfg.Logger.Info("upstream is back")
	}
	return &outcome{up: up, took: time.Since(start), info: up.Info(), lists: l}
}

// lists asks for all that the server offers. That it cannot list its resources
// is not held against its tools.
func (u *Upstream) lists(ctx context.Context) (lists, error) {
	var l lists
	var err error
	if l.tools, err = u.Tools(ctx); err != nil {
		return l, err
	}
	if l.resources, err = u.ListResources(ctx); err == nil {
		l.templates, err = u.ListResourceTemplates(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			u.cfg.Logger.Warn("upstream does not list its resources", "err", err)
		}
		l.resources, l.templates, l.resourcesErr = nil, nil, err
	}
	return l, nil
}

// serve keeps the lists fresh until the connection or ctx ends.
func (m *member) serve(ctx context.Context, s *Set, o *outcome) {
	var interval <-chan time.Time
	if m.cfg.RefreshInterval > 0 {
		ticker := time.NewTicker(m.cfg.RefreshInterval)
		defer ticker.Stop()
		interval = ticker.C
	}
	last := time.Now().Add(-refreshPause)
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.up.Done():
			return
		case <-interval:
		case <-o.up.Changed():
			if left := refreshPause - time.Since(last); left > 0 {
				timer := time.NewTimer(left)
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
					return
				case <-o.up.Done():
					timer.Stop()
					return
				}
			}
		}
		changes := o.up.box.changes.Load()
		fresh, err := o.up.lists(ctx)
		last = time.Now()
		m.refreshed.Store(changes)
		next := *o
		switch {
		case err != nil:
			if ctx.Err() == nil && o.up.Err() == nil {
				m.cfg.Logger.Warn("refreshing the lists of an upstream; the old ones stay", "err", err)
			}
		case fresh.resourcesErr != nil && o.lists.resourcesErr == nil:
			next.lists.tools = fresh.tools
		default:
			next.lists = fresh
		}
		o = &next
		s.publish(m, o)
	}
}

// differs reports whether somebody who sees members would see a change.
func (o *outcome) differs(old *outcome) bool {
	return old == nil || o.up != old.up || (o.err == nil) != (old.err == nil) || o.err != nil && o.err.Error() != old.err.Error() ||
		!reflect.DeepEqual(o.lists, old.lists)
}

// unavailable is what a call of a member that is down gets. It was not sent.
func (m *member) unavailable(o *outcome) error {
	e, ok := errors.AsType[*Error](o.err)
	if !ok {
		e = &Error{Kind: Unavailable, Message: o.err.Error(), err: o.err}
	}
	c := *e
	c.Server, c.Sent, c.trips = m.cfg.Name, false, false
	if left := time.Until(o.retry); left > 0 && c.Kind != Closed {
		c.RetryAfter = left
	}
	return &c
}
