package pool

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Pool lends workers. All its methods are safe for concurrent use. A pool that
// is no longer needed must be closed.
type Pool[W Worker] struct {
	// Immutable after New.
	spawn    func(context.Context) (W, error)
	cfg      limits
	log      *slog.Logger
	observer Observer
	start    time.Time
	timer    *time.Timer   // its channel is read by the janitor alone
	gone     chan struct{} // closed when the last slot is free and none can come

	// mu guards what follows, and all that the comments of its types say it
	// guards. It is held for one transition of the state machine at a time,
	// never across a call of a worker, the Observer, the Logger or Spawn.
	mu       sync.Mutex
	st       *state
	armed    time.Duration // what the timer is set to
	over     bool          // gone is closed
	cutShort error         // what Drain and Close return

	// wg counts the goroutines of the pool. It is raised under mu and not
	// once over is set, so that waiting for it after gone is closed is safe.
	wg sync.WaitGroup
}

// New makes a pool and begins to spawn its minimum in the background. It
// returns an error that names the field if cfg contradicts itself.
func New[W Worker](cfg Config[W]) (*Pool[W], error) { return newPool(cfg, rand.Int64N) }

// newPool is New with the source of the jitter given: random(n) is in [0, n).
func newPool[W Worker](cfg Config[W], random func(n int64) int64) (*Pool[W], error) {
	l, err := cfg.limits()
	if err != nil {
		return nil, err
	}
	p := &Pool[W]{
		spawn: cfg.Spawn, cfg: l, log: cfg.Logger, observer: cfg.Observer,
		start: time.Now(), timer: time.NewTimer(forever), gone: make(chan struct{}),
		st: newState(l, random), armed: forever,
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var fx effects
	p.mu.Lock()
	p.wg.Go(p.janitor)
	p.st.settle(0, &fx)
	p.unlock(0, &fx)
	p.perform(&fx)
	return p, nil
}

// now is the pool's time: what has passed since New. It is monotonic.
func (p *Pool[W]) now() time.Duration { return time.Since(p.start) }

// unlock ends a transition: it sets the timer, takes account of the goroutines
// that perform is about to start, and notices the end of the pool.
func (p *Pool[W]) unlock(now time.Duration, fx *effects) {
	if p.st.wake != p.armed {
		p.armed = p.st.wake
		p.timer.Reset(max(0, p.armed-now))
	}
	for _, s := range fx.spawn {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	n := len(fx.spawn)
	if fx.reset != nil {
		n++
	}
	if n > 0 {
		p.wg.Add(n)
	}
	if !p.over && p.st.over() {
		p.over = true
		close(p.gone)
	}
	p.mu.Unlock()
}

// perform carries out what a transition asked for. Called without the lock.
func (p *Pool[W]) perform(fx *effects) {
	for _, w := range fx.woken {
		close(w.ready)
	}
	if fx.reset != nil {
		go p.reset(fx.reset)
	}
	for _, s := range fx.spawn {
		go p.keep(s)
	}
	for i := range fx.end {
		p.finish(&fx.end[i])
	}
	for _, w := range fx.warmed {
		close(w.ready)
	}
}

// Acquire lends a worker to the caller on behalf of tenant, which may be empty.
// If none is idle the caller waits in line, as long as ctx and MaxQueueWait
// allow. Errors: what ends ctx (wrapped), *OverloadedError, *SpawnError,
// ErrClosed.
func (p *Pool[W]) Acquire(ctx context.Context, tenant string) (*Lease[W], error) {
	if ctx.Err() != nil {
		err := cancelError(ctx)
		p.mu.Lock()
		p.st.counters.CancelledWaits++
		p.mu.Unlock()
		if p.observer != nil {
			p.observeAcquire(ctx, tenant, nil, nil, err)
		}
		return nil, err
	}
	var fx effects
	p.mu.Lock()
	now := p.now()
	s, w, err := p.st.acquire(now, tenant, &fx)
	l := p.lend(s, tenant)
	p.unlock(now, &fx)
	p.perform(&fx)
	if w != nil {
		l, err = p.wait(ctx, w)
	}
	if p.observer != nil {
		p.observeAcquire(ctx, tenant, l, w, err)
	}
	return l, err
}

// TryAcquire lends an idle worker to the caller, or refuses at once with an
// *OverloadedError, *SpawnError or ErrClosed. A refusal makes the pool spawn or
// replace a worker where Acquire would, so that trying again can help.
func (p *Pool[W]) TryAcquire(tenant string) (*Lease[W], error) {
	var fx effects
	p.mu.Lock()
	now := p.now()
	s, err := p.st.try(now, tenant, &fx)
	l := p.lend(s, tenant)
	p.unlock(now, &fx)
	p.perform(&fx)
	if p.observer != nil {
		p.observeAcquire(context.Background(), tenant, l, nil, err)
	}
	return l, err
}

// lend makes the lease for a slot that was just granted. Called with the lock.
func (p *Pool[W]) lend(s *slot, tenant string) *Lease[W] {
	if s == nil {
		return nil
	}
	l := &Lease[W]{pool: p, guard: s.guard, id: s.id, worker: s.worker.(W), tenant: tenant, uses: s.uses}
	s.guard = nil
	return l
}

// wait stands in line until w is over.
func (p *Pool[W]) wait(ctx context.Context, w *waiter) (*Lease[W], error) {
	var tooLong <-chan time.Time
	if p.cfg.queueWait != forever {
		t := time.NewTimer(p.cfg.queueWait)
		defer t.Stop()
		tooLong = t.C
	}
	var refused error
	select {
	case <-w.ready:
	case <-ctx.Done():
		refused = p.giveUp(w, func() error {
			p.st.counters.CancelledWaits++
			return cancelError(ctx)
		})
	case <-tooLong:
		refused = p.giveUp(w, func() error {
			p.st.counters.RefusedWait++
			return p.st.overloaded(fmt.Sprintf("no worker came free within MaxQueueWait (%v)", p.cfg.queueWait))
		})
	}
	if refused != nil {
		return nil, refused
	}
	if w.err != nil {
		return nil, w.err
	}
	l := &Lease[W]{
		pool: p, guard: w.guard, id: w.slot.id, worker: w.slot.worker.(W), tenant: w.tenant, waited: w.waited, uses: w.uses,
	}
	w.guard = nil // whoever closed ready may still hold w for a moment
	return l, nil
}

// giveUp takes w out of line and returns what why says. If the wait had ended
// with an error before that, it returns nil: that error is in w.
func (p *Pool[W]) giveUp(w *waiter, why func() error) (err error) {
	var fx effects
	p.mu.Lock()
	now := p.now()
	if p.st.giveUp(now, w, &fx) {
		w.waited = now - w.since
		err = why()
	}
	p.unlock(now, &fx)
	p.perform(&fx)
	return err
}

// cancelError says that and why ctx ended. errors.Is finds both its error and
// its cause in it.
func cancelError(ctx context.Context) error {
	return &waitError{err: ctx.Err(), cause: context.Cause(ctx)}
}

// waitError is the error of a caller whose context ended.
type waitError struct{ err, cause error }

func (e *waitError) Error() string   { return "pool: waiting for a worker: " + e.cause.Error() }
func (e *waitError) Unwrap() []error { return []error{e.err, e.cause} }

// PreWarm waits until the pool has its minimum: MinWorkers alive, and MinIdle
// idle that any tenant may have, as far as MaxWorkers allows. It returns how
// many workers are idle. Calling it is optional: the pool fills itself from New
// on. Errors: what ends ctx (wrapped), *SpawnError, ErrClosed.
func (p *Pool[W]) PreWarm(ctx context.Context) (int, error) {
	w := &warmer{ready: make(chan struct{})}
	var fx effects
	p.mu.Lock()
	now := p.now()
	p.st.warmers = append(p.st.warmers, w)
	p.st.settle(now, &fx)
	p.unlock(now, &fx)
	p.perform(&fx)
	select {
	case <-w.ready:
		return w.idle, w.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.st.warmers {
		if p.st.warmers[i] == w {
			p.st.warmers = append(p.st.warmers[:i], p.st.warmers[i+1:]...)
			break
		}
	}
	return p.st.count[idle], cancelError(ctx)
}

// Reset begins a new generation, after a change of configuration, say. Idle
// workers are replaced at once, leased ones when they come back. No lease that
// is given out after Reset has a worker that was spawned before it.
func (p *Pool[W]) Reset() {
	var fx effects
	p.mu.Lock()
	now := p.now()
	p.st.bump(now, &fx)
	p.unlock(now, &fx)
	p.perform(&fx)
}

// Drain ends the pool gently: new callers get ErrClosed, those who wait in line
// are still served, and leases run on. When ctx ends, what is left is treated as
// Close does in that case. Drain returns when every worker is dead and every
// goroutine of the pool has ended. It returns an error if ctx ended before
// that and somebody was cut short.
//
// Drain and Close may be called many times, at once, and after one another; all
// calls return the same. They must not be called from Spawn, from a method of a
// worker or from the Observer, for which they would wait.
func (p *Pool[W]) Drain(ctx context.Context) error { return p.shut(ctx, draining) }

// Close ends the pool: new callers and those who wait in line get ErrClosed;
// leases run on until they end or ctx does, and then their workers are killed. With
// a context that has ended already it kills at once. Close returns when every
// worker is dead and every goroutine of the pool has ended, even if that is
// after the end of ctx. It returns an error if somebody was cut short. See Drain.
func (p *Pool[W]) Close(ctx context.Context) error { return p.shut(ctx, closing) }

func (p *Pool[W]) shut(ctx context.Context, to phase) error {
	var fx effects
	p.mu.Lock()
	now := p.now()
	p.st.shut(now, to, &fx)
	p.unlock(now, &fx)
	p.perform(&fx)
	select {
	case <-p.gone:
	case <-ctx.Done():
		var fx effects
		p.mu.Lock()
		now := p.now()
		waiting := p.st.waiting
		if leases := p.st.cut(now, &fx); leases+waiting > 0 && p.cutShort == nil {
			p.cutShort = fmt.Errorf("pool: closed with %d leases cut short and %d callers in line refused: %w", leases, waiting, context.Cause(ctx))
		}
		p.unlock(now, &fx)
		p.perform(&fx)
		<-p.gone
	}
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutShort
}

// Stats returns a snapshot of the pool.
func (p *Pool[W]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st.stats(p.now())
}
