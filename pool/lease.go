package pool

import (
	"context"
	"runtime"
	"time"
)

// Lease is the right of one caller to one worker. It ends with Release or
// Discard, whichever is called first; all later calls of either do nothing. A
// Lease is safe for concurrent use. Whoever uses the worker must hold on to the
// lease: one that becomes garbage counts as lost, and its worker is killed.
type Lease[W Worker] struct {
	pool   *Pool[W]
	guard  *guard // guarded by Pool.mu; nil when the lease has ended
	id     uint64 // of the worker
	worker W
	tenant string
	waited time.Duration
	uses   int
}

// guard makes a dropped lease noticed. Each worker has one, made when the
// worker was. While the worker is lent only the lease refers to it, so the
// guard becomes garbage with the lease, and its cleanup runs. Attaching the
// cleanup once a worker, not once a lease, keeps it off the path of Acquire.
type guard struct {
	slot    *slot
	cleanup runtime.Cleanup
}

// Worker returns the leased worker. It must not be used once the lease has
// ended.
func (l *Lease[W]) Worker() W { return l.worker }

// Waited is how long the caller stood in line. Zero if it was served at once.
func (l *Lease[W]) Waited() time.Duration { return l.waited }

// Reused says whether the worker has served a lease before this one.
func (l *Lease[W]) Reused() bool { return l.uses > 1 }

// Uses is how many leases the worker has served, this one included.
func (l *Lease[W]) Uses() int { return l.uses }

// Release ends the lease and gives the worker back. It returns at once: the
// worker is reset in the background, or replaced if it is used up.
func (l *Lease[W]) Release() { l.end(EventReleased, nil) }

// Discard ends the lease of a worker that cannot be used again. The worker is
// killed and counted under ReasonError; reason is for the log and may be nil.
func (l *Lease[W]) Discard(reason error) { l.end(EventKilled, reason) }

func (l *Lease[W]) end(how EventKind, reason error) {
	p := l.pool
	var fx effects
	p.mu.Lock()
	g := l.guard
	if g == nil {
		p.mu.Unlock()
		return
	}
	l.guard = nil
	s := g.slot
	now := p.now()
	since := s.since
	alive := s.state == leased
	if alive {
		s.guard = g
	}
	if how == EventReleased {
		p.st.released(now, s, &fx)
	} else {
		p.st.broken(now, s, ReasonError, reason, &fx)
	}
	p.unlock(now, &fx)
	if !alive {
		g.cleanup.Stop()
	}
	if p.observer != nil && how == EventReleased {
		e := Event{Kind: EventReleased, Worker: s.id, Tenant: l.tenant, Uses: l.uses}
		if alive {
			e.Duration = now - since
		}
		p.observer.Observe(context.Background(), e)
	}
	p.perform(&fx)
	runtime.KeepAlive(l)
}
