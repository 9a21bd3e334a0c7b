package pool

import (
	"fmt"
	"time"
)

// Transitions that callers cause: those who want a lease, and those who end one.

// acquire gives out an idle worker, or puts the caller in line.
func (st *state) acquire(now time.Duration, tenant string, fx *effects) (*slot, *waiter, error) {
	if st.phase != running {
		st.counters.RefusedClosed++
		return nil, nil, ErrClosed
	}
	if s := st.pop(now, tenant); s != nil {
		st.grant(now, s, tenant)
		st.settle(now, fx)
		return s, nil, nil
	}
	q := st.queues[tenant]
	if st.waiting >= st.cfg.maxQueue {
		st.counters.RefusedQueue++
		return nil, nil, st.overloaded(fmt.Sprintf("%d callers are waiting, as many as MaxQueue allows", st.waiting))
	}
	if q != nil && q.waiters.len >= st.cfg.maxPerTenant {
		st.counters.RefusedTenant++
		return nil, nil, st.overloaded(fmt.Sprintf("%d callers of tenant %q are waiting, as many as MaxQueuePerTenant allows", q.waiters.len, tenant))
	}
	if q == nil {
		q = &queue{tenant: tenant}
		st.queues[tenant] = q
		st.ring.push(q)
	}
	w := &waiter{tenant: tenant, since: now, ready: make(chan struct{})}
	q.waiters.push(w)
	st.waiting++
	st.settle(now, fx)
	return nil, w, nil
}

// try gives out an idle worker or an error. A caller who gets none still makes
// the pool spawn or replace a worker as if he waited: one who only ever tries
// would otherwise never find one.
func (st *state) try(now time.Duration, tenant string, fx *effects) (*slot, error) {
	if st.phase != running {
		st.counters.RefusedClosed++
		return nil, ErrClosed
	}
	s := st.pop(now, tenant)
	if s != nil {
		st.grant(now, s, tenant)
		st.settle(now, fx)
		return s, nil
	}
	st.probes, st.prober = 1, tenant
	st.settle(now, fx)
	st.probes = 0
	if st.failing(now) && !st.returning(tenant) {
		st.counters.RefusedSpawn++
		return nil, st.spawnError(now)
	}
	st.counters.RefusedTry++
	return nil, st.overloaded("no worker is idle for the tenant")
}

// pop takes the idle worker that tenant should have off the stack: its own
// that was used last, else the unbound one that was armed last, if it may have it.
func (st *state) pop(now time.Duration, tenant string) *slot {
	best, entitled := -1, st.entitled(now, tenant, st.armed)
	for i := len(st.idle) - 1; i >= 0; i-- {
		s := st.idle[i]
		if s.bound && s.tenant == tenant {
			best = i
			break
		}
		if !s.bound && best < 0 && entitled {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return st.unstack(best)
}

// unstack takes the i-th idle worker out of the stack.
func (st *state) unstack(i int) *slot {
	s := st.idle[i]
	copy(st.idle[i:], st.idle[i+1:])
	st.idle[len(st.idle)-1] = nil
	st.idle = st.idle[:len(st.idle)-1]
	return s
}

// grant makes s the worker of a new lease.
func (st *state) grant(now time.Duration, s *slot, tenant string) {
	if !s.bound {
		st.bind(now, s, tenant)
	}
	st.tally(s, -1)
	s.uses++
	s.spent = s.spent || s.uses >= s.maxUses
	s.state, s.since = leased, now
	st.tally(s, 1)
	st.leases++
	st.counters.Acquired++
	if s.uses > 1 {
		st.counters.Reused++
	} else if st.stillborn > 0 {
		if st.stillborn >= stillbornLimit {
			st.failures = 0
		}
		st.stillborn = 0
	}
}

// serve gives s to the first in line of q.
func (st *state) serve(now time.Duration, s *slot, q *queue, fx *effects) {
	w := q.waiters.first
	st.ring.remove(q)
	st.ring.push(q) // served last: behind all others
	st.leave(q, w)
	st.grant(now, s, w.tenant)
	w.over, w.slot, w.uses, w.waited = true, s, s.uses, now-w.since
	w.guard, s.guard = s.guard, nil
	st.waits.add(w.waited)
	fx.woken = append(fx.woken, w)
}

// leave takes w out of its line.
func (st *state) leave(q *queue, w *waiter) {
	q.waiters.remove(w)
	st.waiting--
	if q.waiters.len == 0 {
		st.ring.remove(q)
		delete(st.queues, q.tenant)
	}
}

// refuse ends the wait of everybody in q with err.
func (st *state) refuse(now time.Duration, q *queue, err error, fx *effects) {
	for w := q.waiters.first; w != nil; w = q.waiters.first {
		st.leave(q, w)
		w.over, w.err, w.waited = true, err, now-w.since
		fx.woken = append(fx.woken, w)
	}
}

// giveUp is called for a caller whose context or patience ended. It reports
// whether the wait ended with that. Where it had ended before with a worker, the
// worker goes back as unused as it was; where with an error, that is the answer.
func (st *state) giveUp(now time.Duration, w *waiter, fx *effects) bool {
	switch {
	case !w.over:
		st.leave(st.queues[w.tenant], w)
		st.settle(now, fx)
		return true
	case w.err != nil:
		return false
	}
	s := w.slot
	st.leases--
	st.counters.Acquired--
	if s.uses > 1 {
		st.counters.Reused--
	}
	st.waits.remove(w.waited)
	if s.state == gone {
		w.guard.cleanup.Stop() // nobody else would
	} else {
		s.guard = w.guard
	}
	w.guard = nil
	if s.state == leased {
		st.tally(s, -1)
		s.uses--
		s.spent = false
		st.tally(s, 1)
		if s.uses == 0 {
			st.unbind(s)
		}
		if q := st.queues[w.tenant]; q != nil {
			st.ring.remove(q) // its turn was not taken
			st.ring.pushFirst(q)
		}
		st.comeBack(now, s, fx)
	}
	st.settle(now, fx)
	return true
}

func (st *state) overloaded(reason string) error {
	lease := st.leaseAvg
	if lease == 0 {
		lease = 100 * time.Millisecond
	}
	workers := max(1, min(len(st.slots), st.cfg.maxWorkers))
	turns := time.Duration(st.waiting/workers + 1)
	after := time.Minute
	if lease < after/turns {
		after = max(lease*turns, 10*time.Millisecond)
	}
	return &OverloadedError{RetryAfter: after, Reason: reason}
}

func (st *state) spawnError(now time.Duration) error {
	return &SpawnError{Err: st.lastErr, RetryAfter: max(0, st.retryAt-now)}
}

// released ends a lease whose worker can serve again.
func (st *state) released(now time.Duration, s *slot, fx *effects) {
	st.leases--
	st.counters.Released++
	if s.state != leased {
		return // it died, or was killed, under the lease
	}
	st.observeLease(now - s.since)
	if reason := st.unfit(now, s); reason != "" {
		st.retire(now, s, reason, nil, fx)
	} else {
		st.enter(now, s, resetting)
		fx.reset = s
		st.due(after(now, st.cfg.health))
	}
	st.settle(now, fx)
}

// broken ends a lease whose worker cannot serve again: it was discarded, or
// the lease was dropped.
func (st *state) broken(now time.Duration, s *slot, reason Reason, err error, fx *effects) {
	st.leases--
	if reason == ReasonDropped {
		st.counters.Dropped++
	} else {
		st.counters.Discarded++
	}
	if s.state != leased {
		return
	}
	if reason != ReasonDropped { // which lasted until somebody collected garbage
		st.observeLease(now - s.since)
	}
	st.retire(now, s, reason, err, fx)
	st.settle(now, fx)
}

func (st *state) observeLease(d time.Duration) {
	if st.leaseAvg == 0 {
		st.leaseAvg = d
	} else {
		st.leaseAvg += (d - st.leaseAvg) / 8
	}
}
