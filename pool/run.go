package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"
)

// The goroutines of a pool: one janitor; one keep for each slot, from its spawn
// to the death of its worker; one reset for each Reset in progress. All end
// before Close returns.

// janitor watches the clock for the state machine.
func (p *Pool[W]) janitor() {
	defer p.timer.Stop()
	for {
		select {
		case <-p.gone:
			return
		case <-p.timer.C:
			var fx effects
			p.mu.Lock()
			now := p.now()
			p.st.tick(now, &fx)
			p.armed = 0 // it is not set to anything: have it set again
			p.unlock(now, &fx)
			p.perform(&fx)
		}
	}
}

// keep makes the worker of s and waits for its death.
func (p *Pool[W]) keep(s *slot) {
	defer p.wg.Done()
	defer s.cancel() // a Reset that waits for the dead learns of it
	begin := time.Now()
	w, err := p.make(s)
	took := time.Since(begin)
	if err != nil {
		p.failed(s, err, took)
		return
	}
	p.arrived(s, w, took)
	<-w.Done()
	var fx effects
	p.mu.Lock()
	now := p.now()
	g := s.guard
	s.guard = nil
	p.st.died(now, s, &fx)
	p.unlock(now, &fx)
	if g != nil {
		g.cleanup.Stop()
	}
	p.perform(&fx)
}

// make calls Spawn.
func (p *Pool[W]) make(s *slot) (W, error) {
	ctx, cancel := bounded(s.ctx, p.cfg.spawn)
	defer cancel()
	w, err := p.spawn(ctx)
	switch {
	case err == nil && any(w) == nil:
		err = errors.New("the function Spawn returned neither a worker nor an error")
	case err != nil && ctx.Err() == context.DeadlineExceeded:
		err = fmt.Errorf("not armed within SpawnTimeout (%v): %w", p.cfg.spawn, err)
	}
	return w, err
}

func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == forever {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// arrived hands a new worker to the state machine.
func (p *Pool[W]) arrived(s *slot, w W, took time.Duration) {
	g := &guard{slot: s}
	g.cleanup = runtime.AddCleanup(g, p.dropped, s)
	p.log.Debug("pool: worker armed", "worker", s.id, "took", took)
	if p.observer != nil {
		p.observer.Observe(context.Background(), Event{Kind: EventSpawned, Worker: s.id, Duration: took})
	}
	var fx effects
	p.mu.Lock()
	now := p.now()
	s.guard = g
	p.st.spawned(now, s, w, &fx)
	p.unlock(now, &fx)
	p.perform(&fx)
}

// failed hands the error of Spawn to the state machine.
func (p *Pool[W]) failed(s *slot, err error, took time.Duration) {
	var fx effects
	p.mu.Lock()
	now := p.now()
	counted := p.st.spawnFailed(now, s, err, &fx)
	failures, pause := p.st.failures, p.st.retryAt-now
	p.unlock(now, &fx)
	if counted {
		p.log.Warn("pool: spawning a worker failed", "worker", s.id, "error", err, "failures", failures, "retry_in", pause)
		if p.observer != nil {
			p.observer.Observe(context.Background(), Event{Kind: EventSpawnFailed, Worker: s.id, Err: err, Duration: took})
		}
	}
	p.perform(&fx)
}

// reset has the worker of s made ready for its next lease.
func (p *Pool[W]) reset(s *slot) {
	defer p.wg.Done()
	uses := s.uses // does not change before resetDone
	begin := time.Now()
	ctx, cancel := bounded(s.ctx, p.cfg.health)
	err := s.worker.Reset(ctx)
	cancel()
	var memory int64
	if m, ok := s.worker.(memoryReporter); ok && err == nil && p.cfg.memory != math.MaxInt64 {
		if n, ok := m.Memory(); ok {
			memory = n
		}
	}
	if p.observer != nil {
		p.observer.Observe(context.Background(), Event{Kind: EventReset, Worker: s.id, Uses: uses, Err: err, Duration: time.Since(begin)})
	}
	var fx effects
	p.mu.Lock()
	now := p.now()
	p.st.resetDone(now, s, memory, err, &fx)
	p.unlock(now, &fx)
	p.perform(&fx)
}

// dropped is called by the runtime when the guard of s became garbage, which
// means that a lease did.
func (p *Pool[W]) dropped(s *slot) {
	var fx effects
	p.mu.Lock()
	now := p.now()
	since, tenant := s.since, s.tenant
	p.st.broken(now, s, ReasonDropped, errDropped, &fx)
	p.unlock(now, &fx)
	p.log.Error("pool: a lease was dropped: neither Release nor Discard was called before it became garbage",
		"worker", s.id, "tenant", tenant, "leased_for", now-since)
	p.perform(&fx)
}

// finish ends a worker, or a spawn that is given up, and tells who wants to know.
func (p *Pool[W]) finish(e *end) {
	if e.alive {
		e.slot.cancel()
		if e.worker == nil {
			return
		}
		why := string(e.reason)
		if e.err != nil {
			why += ": " + e.err.Error()
		}
		e.worker.Kill(why)
	}
	level := slog.LevelDebug
	switch e.reason {
	case ReasonError, ReasonReset, ReasonDied, ReasonDropped:
		level = slog.LevelWarn
	case ReasonMemory:
		level = slog.LevelInfo
	}
	p.log.Log(context.Background(), level, "pool: worker ended",
		"worker", e.slot.id, "reason", e.reason, "tenant", e.tenant, "uses", e.uses, "age", e.age, "error", e.err)
	if p.observer != nil {
		p.observer.Observe(context.Background(), Event{
			Kind: EventKilled, Worker: e.slot.id, Tenant: e.tenant, Uses: e.uses, Reason: e.reason, Err: e.err, Duration: e.age,
		})
	}
}

// observeAcquire reports how an attempt to get a lease went. w is nil where
// the caller did not wait.
func (p *Pool[W]) observeAcquire(ctx context.Context, tenant string, l *Lease[W], w *waiter, err error) {
	e := Event{Kind: EventAcquired, Tenant: tenant, Err: err}
	if w != nil {
		e.Duration = w.waited
	}
	var cancelled *waitError
	switch {
	case err == nil:
		e.Worker, e.Uses = l.id, l.uses
	case errors.As(err, &cancelled):
		e.Kind = EventCancelled
	default:
		e.Kind = EventRefused
	}
	p.observer.Observe(ctx, e)
}
