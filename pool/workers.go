package pool

import (
	"fmt"
	"time"
)

// Transitions that workers cause: they arrive, come back and die.

// spawned takes in the worker that Spawn returned for s.
func (st *state) spawned(now time.Duration, s *slot, w Worker, fx *effects) {
	st.counters.Spawned++
	s.worker = w
	s.armedAt = now
	s.maxUses = st.cfg.maxUses
	if spread := int64(s.maxUses / 10); spread > 0 && s.maxUses < 1<<32 {
		s.maxUses += int(st.rand(2*spread+1) - spread)
	}
	life := st.cfg.lifetime
	if spread := int64(life / 10); spread > 0 && life != forever {
		life += time.Duration(st.rand(2*spread+1) - spread)
	}
	s.ends = after(now, life)
	if st.stillborn < stillbornLimit {
		st.failures, st.retryAt = 0, 0
	}
	st.setSpent(s, false)
	st.due(s.ends)
	st.comeBack(now, s, fx)
	st.settle(now, fx)
}

// spawnFailed frees a slot whose Spawn failed. It reports whether that counts
// as a failure.
func (st *state) spawnFailed(now time.Duration, s *slot, err error, fx *effects) bool {
	abandoned := s.spent // by us: says nothing about the next one
	began := s.since
	st.remove(now, s)
	switch {
	case abandoned:
	case st.failures > 0 && began <= st.failedAt:
		// Begun before the last failure was known: one cause, one pause.
		st.counters.SpawnFailures++
		st.lastErr = err
	default:
		st.counters.SpawnFailures++
		st.backOff(now, err)
	}
	st.settle(now, fx)
	return !abandoned
}

func (st *state) backOff(now time.Duration, err error) {
	pause := backOffMax
	if st.failures < 16 {
		pause = min(pause, backOffMin<<st.failures)
	}
	st.failures++
	pause += time.Duration(st.rand(int64(pause)/4 + 1))
	st.failedAt, st.retryAt, st.lastErr = now, now+pause, err
	st.due(st.retryAt)
}

// resetDone takes in what Reset, and Memory after it, said.
func (st *state) resetDone(now time.Duration, s *slot, memory int64, err error, fx *effects) {
	switch {
	case s.state != resetting:
		return // it died, was too slow, or the pool closes
	case err != nil:
		st.retire(now, s, ReasonReset, err, fx)
	case memory > st.cfg.memory:
		st.retire(now, s, ReasonMemory, fmt.Errorf("%d bytes of resident memory, more than MaxWorkerMemory allows (%d)", memory, st.cfg.memory), fx)
	default:
		st.comeBack(now, s, fx)
	}
	st.settle(now, fx)
}

// unfit says why s, which is not idle, must not serve again.
func (st *state) unfit(now time.Duration, s *slot) Reason {
	switch {
	case st.phase == closing, st.phase == draining && s.bound && st.queues[s.tenant] == nil:
		return ReasonShutdown
	case s.generation != st.generation:
		return ReasonGeneration
	case s.uses >= s.maxUses:
		return ReasonMaxUses
	case now >= s.ends:
		return ReasonLifetime
	}
	return ""
}

// comeBack finds the next use for a worker that is armed and has none: its
// tenant's line, any line if it is unbound, else the stack of idle ones.
func (st *state) comeBack(now time.Duration, s *slot, fx *effects) {
	if reason := st.unfit(now, s); reason != "" {
		st.retire(now, s, reason, nil, fx)
		return
	}
	q := st.queues[s.tenant]
	if !s.bound {
		q = st.ring.first
		for q != nil && !st.entitled(now, q.tenant, st.armed+1) {
			q = q.next
		}
	}
	switch {
	case q == nil:
		st.enter(now, s, idle)
		st.idle = append(st.idle, s)
		st.due(after(now, st.cfg.maxIdle))
	case s.bound && st.yields(now, s, q):
		st.retire(now, s, ReasonTenant, nil, fx)
		st.ring.remove(q) // this was q's turn, or q would get the successor
		st.ring.push(q)
	default:
		st.serve(now, s, q, fx)
	}
}

// retire tells a worker to die.
func (st *state) retire(now time.Duration, s *slot, reason Reason, err error, fx *effects) {
	st.ended(now, s, reason, err, true, fx)
	st.enter(now, s, dying)
}

// ended counts and reports the end of a worker, and takes it from its tenant
// and from the stack.
func (st *state) ended(now time.Duration, s *slot, reason Reason, err error, alive bool, fx *effects) {
	st.counters.Killed[reason]++
	fx.end = append(fx.end, end{s, s.worker, reason, err, s.tenant, s.uses, now - s.armedAt, alive})
	st.unbind(s)
	if s.state == idle {
		for i := range st.idle {
			if st.idle[i] == s {
				st.unstack(i)
				break
			}
		}
	}
}

// died takes in the news that the worker of s is dead.
func (st *state) died(now time.Duration, s *slot, fx *effects) {
	switch s.state {
	case idle:
		if s.uses == 0 && now-s.armedAt < infancy {
			st.isStillborn(now)
		}
		st.ended(now, s, ReasonDied, nil, false, fx)
	case leased:
		st.ended(now, s, ReasonError, nil, false, fx)
	case resetting:
		st.ended(now, s, ReasonReset, nil, false, fx)
	}
	st.remove(now, s)
	st.settle(now, fx)
}

func (st *state) isStillborn(now time.Duration) {
	if now-st.stillbornAt > time.Minute {
		st.stillborn = 0
	}
	st.stillborn++
	st.stillbornAt = now
	if st.stillborn >= stillbornLimit {
		st.backOff(now, fmt.Errorf("%d workers in a row died within %v of being armed, unused", st.stillborn, infancy))
	}
}

// remove frees the slot.
func (st *state) remove(now time.Duration, s *slot) {
	st.tally(s, -1)
	s.state, s.since = gone, now
	for i := range st.slots {
		if st.slots[i] == s {
			last := len(st.slots) - 1
			st.slots[i] = st.slots[last]
			st.slots[last] = nil
			st.slots = st.slots[:last]
			break
		}
	}
}
