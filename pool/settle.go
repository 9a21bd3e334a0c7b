package pool

import "time"

// settle brings the pool to what it should be after an event: it reaps what is
// surplus, spawns what is missing, replaces what those who wait cannot use, and turns away
// those whom waiting cannot help. Every transition ends with it.
func (st *state) settle(now time.Duration, fx *effects) {
	if st.phase == running {
		st.reap(now, fx)
	} else {
		st.windDown(now, fx)
	}
	if st.cfg.reserve > 0 && st.waiting > 0 && len(st.idle) > 0 {
		st.handOut(now, fx)
	}
	if n := st.shortage(now); n > 0 {
		st.refill(now, n, fx)
	}
	if st.waiting+st.probes > 0 && len(st.idle) > 0 {
		st.replace(now, fx)
	}
	if st.waiting > 0 && st.failing(now) {
		st.turnAway(now, fx)
	}
	if len(st.warmers) > 0 {
		st.warm(now, fx)
	}
}

// missing is how many workers more there should be to have the minima, without
// those who wait.
func (st *state) missing() int {
	if st.phase != running {
		return 0
	}
	serving := st.count[idle] + st.count[leased] + st.count[resetting] - st.spent
	return max(st.cfg.minWorkers-serving, st.cfg.minIdle-st.armed) - st.coming()
}

// shortage is how many workers must be spawned now.
func (st *state) shortage(now time.Duration) int {
	n := st.missing()
	if wanted := st.waiting + st.probes; wanted > 0 {
		// Whoever waits takes an unbound worker: the minimum comes on top.
		wanted -= st.coming()
		if st.phase == running {
			wanted += st.cfg.minIdle - st.armed
		}
		n = max(n, wanted)
	}
	n = min(n, st.cfg.maxWorkers-len(st.slots))
	switch {
	case now < st.retryAt:
		return 0
	case st.failures > 0:
		return min(n, 1-st.coming()) // one attempt at a time until one succeeds
	}
	return n
}

func (st *state) refill(now time.Duration, n int, fx *effects) {
	for range n {
		st.serial++
		s := &slot{id: st.serial, state: spawning, since: now, generation: st.generation}
		st.slots = append(st.slots, s)
		st.tally(s, 1)
		fx.spawn = append(fx.spawn, s)
	}
}

// reap retires idle workers that are surplus or too old.
func (st *state) reap(now time.Duration, fx *effects) {
	for i := 0; i < len(st.idle) && after(st.idle[i].since, st.cfg.maxIdle) <= now; {
		s := st.idle[i]
		serving := st.count[idle] + st.count[leased] + st.count[resetting] - st.spent
		if !s.spent && serving > st.cfg.minWorkers && (s.bound || st.armed > st.cfg.minIdle) {
			st.retire(now, s, ReasonIdle, nil, fx)
		} else {
			i++
		}
	}
	if st.spent == 0 {
		return
	}
	// Idle and spent means too old. Such a worker may go when the pool has what
	// it needs without it. At MaxWorkers no successor can come before that, so
	// they go one by one, unless nothing can be spawned anyway.
	for i := 0; i < len(st.idle); {
		s := st.idle[i]
		full := len(st.slots) >= st.cfg.maxWorkers && st.count[spawning]+st.count[dying] == 0 && now >= st.retryAt
		if s.spent && (full || st.missing() <= 0 && st.coming() == 0) {
			st.retire(now, s, ReasonLifetime, nil, fx)
		} else {
			i++
		}
	}
}

// incoming is how many slots are free or unbound before long.
func (st *state) incoming() int { return st.coming() + st.count[dying] }

// handOut gives what is armed to those in line who were not entitled to it when
// it came, and are now: they hold nothing any more, or spawning has failed.
func (st *state) handOut(now time.Duration, fx *effects) {
	for q := st.ring.first; q != nil; {
		s := st.pop(now, q.tenant)
		if s == nil {
			q = q.next
			continue
		}
		st.serve(now, s, q, fx)
		q = st.ring.first
	}
}

// replace ends the workers that have been idle longest in favour of waiters
// whom no worker that exists can serve. Called when somebody waits, so what is
// idle is bound to tenants of whom nobody does, or held in reserve.
func (st *state) replace(now time.Duration, fx *effects) {
	if len(st.slots) < st.cfg.maxWorkers || now < st.retryAt {
		return
	}
	most := st.cfg.maxWorkers
	if st.failures > 0 {
		most = 1
	}
	// First one for each tenant that has none, at once.
	wanted := 0
	if st.probes > 0 && st.held[st.prober] == 0 {
		wanted++
	}
	for q := st.ring.first; q != nil; q = q.next {
		if st.held[q.tenant] == 0 {
			wanted++
		}
	}
	for i := 0; i < len(st.idle) && min(wanted, most) > st.incoming(); {
		if s := st.idle[i]; s.bound {
			st.retire(now, s, ReasonTenant, nil, fx)
		} else {
			i++
		}
	}
	// Then the others, who do not get what is in reserve, if there can be more.
	reserve := st.reserve(now)
	if len(st.idle)+st.incoming()-wanted <= reserve {
		return
	}
	wanted += reserve - st.armed
	if st.probes > 0 && st.held[st.prober] > 0 {
		wanted++
		st.claim(now, st.prober, min(wanted, most), fx)
	}
	for q := st.ring.first; q != nil; q = q.next {
		n := q.waiters.len
		if st.held[q.tenant] == 0 {
			n--
		} else if since := q.waiters.first.since; now-since < patience {
			// A worker of theirs that is being reset is here sooner than a
			// new one; but not for ever.
			for _, s := range st.slots {
				if n > 0 && s.state == resetting && s.bound && s.tenant == q.tenant && !s.spent {
					n--
					st.due(since + patience)
				}
			}
		}
		if wanted += n; n > 0 {
			st.claim(now, q.tenant, min(wanted, most), fx)
		}
	}
}

// claim ends idle workers of other tenants until wanted come. One whose tenant
// has no more of them than the one who claims is left alone for a while.
func (st *state) claim(now time.Duration, tenant string, wanted int, fx *effects) {
	for i := 0; i < len(st.idle) && wanted > st.incoming(); {
		s := st.idle[i]
		ripe := after(s.since, keep)
		switch {
		case !s.bound:
			i++
		case now >= ripe || st.held[s.tenant] > st.held[tenant]+1:
			st.retire(now, s, ReasonTenant, nil, fx)
		default:
			st.due(ripe)
			i++
		}
	}
}

// yields says whether s, which could serve its own tenant's line, should be
// replaced for the sake of another tenant.
func (st *state) yields(now time.Duration, s *slot, own *queue) bool {
	if len(st.slots) < st.cfg.maxWorkers || now < st.retryAt {
		return false
	}
	if n := st.reserve(now); n > 0 && st.held[s.tenant] > 1 {
		for q := st.ring.first; q != nil; q = q.next {
			if st.held[q.tenant] == 0 {
				n++
			}
		}
		if n > st.armed+st.incoming() {
			return true
		}
	}
	if st.ring.len < 2 || now-s.boundAt < patience {
		return false
	}
	starving := 0
	for q := st.ring.first; q != nil; q = q.next {
		if q != own && now-q.waiters.first.since >= patience && st.held[q.tenant] < st.held[s.tenant] {
			starving++
		}
	}
	return starving > st.incoming()
}

// failing says whether no worker can be expected from Spawn for a while.
func (st *state) failing(now time.Duration) bool { return now < st.retryAt && st.coming() == 0 }

// returning says whether the tenant has a worker that will come back to it.
func (st *state) returning(tenant string) bool {
	if st.held[tenant] == 0 {
		return false
	}
	for _, s := range st.slots {
		if (s.state == leased || s.state == resetting) && s.bound && s.tenant == tenant && !s.spent && s.generation == st.generation {
			return true
		}
	}
	return false
}

// turnAway refuses those whom only a spawn could serve, while spawning fails.
func (st *state) turnAway(now time.Duration, fx *effects) {
	for q := st.ring.first; q != nil; {
		next := q.next
		if !st.returning(q.tenant) {
			st.counters.RefusedSpawn += uint64(q.waiters.len)
			st.refuse(now, q, st.spawnError(now), fx)
		}
		q = next
	}
}

// warm answers the callers of PreWarm, if there is an answer.
func (st *state) warm(now time.Duration, fx *effects) {
	var err error
	full := len(st.slots) >= st.cfg.maxWorkers && st.count[dying] == 0
	switch {
	case st.phase != running:
		err = ErrClosed
	case st.count[spawning] == 0 && (st.missing() <= 0 || full):
	case st.failing(now):
		err = st.spawnError(now)
	default:
		return
	}
	for _, w := range st.warmers {
		w.idle, w.err = st.count[idle], err
	}
	fx.warmed = append(fx.warmed, st.warmers...)
	st.warmers = nil
}

// tick does what time demands, and finds out when it must be called next.
func (st *state) tick(now time.Duration, fx *effects) {
	st.wake = forever
	for _, s := range st.slots {
		switch {
		case s.state == resetting && after(s.since, st.cfg.health) <= now:
			st.retire(now, s, ReasonReset, errResetTimeout, fx)
		case s.state != spawning && s.state != dying && s.ends <= now && !s.spent:
			st.setSpent(s, true)
		}
	}
	st.settle(now, fx)
	for _, s := range st.slots {
		switch s.state {
		case resetting:
			st.due(after(s.since, st.cfg.health))
		case idle:
			// One that is kept for the minimum is past its time; the event
			// that makes it surplus will reap it.
			if t := after(s.since, st.cfg.maxIdle); t > now {
				st.due(t)
			}
		}
		if s.state != spawning && s.state != dying && !s.spent {
			st.due(s.ends)
		}
	}
	if st.retryAt > now {
		st.due(st.retryAt)
	}
}

// bump begins a new generation: what is idle is replaced at once, what is
// leased or being reset when it comes back.
func (st *state) bump(now time.Duration, fx *effects) {
	if st.phase == closing {
		return
	}
	st.generation++
	for len(st.idle) > 0 {
		st.retire(now, st.idle[len(st.idle)-1], ReasonGeneration, nil, fx)
	}
	for _, s := range st.slots {
		if s.state == spawning {
			st.abandon(s, ReasonGeneration, fx)
		}
	}
	st.settle(now, fx)
}

// abandon gives up a spawn that nobody wants any more.
func (st *state) abandon(s *slot, reason Reason, fx *effects) {
	if !s.spent {
		st.setSpent(s, true)
		fx.end = append(fx.end, end{slot: s, reason: reason, alive: true})
	}
}

// shut goes on to phase p.
func (st *state) shut(now time.Duration, p phase, fx *effects) {
	st.phase = max(st.phase, p)
	st.settle(now, fx)
}

// windDown does away with what a pool that drains or closes has no use for.
func (st *state) windDown(now time.Duration, fx *effects) {
	if st.phase == closing {
		for st.ring.first != nil {
			st.counters.RefusedClosed += uint64(st.ring.first.waiters.len)
			st.refuse(now, st.ring.first, ErrClosed, fx)
		}
	}
	for len(st.idle) > 0 {
		st.retire(now, st.idle[0], ReasonShutdown, nil, fx)
	}
	surplus := st.coming() - st.waiting
	for _, s := range st.slots {
		switch {
		case s.state == resetting && st.unfit(now, s) == ReasonShutdown:
			st.retire(now, s, ReasonShutdown, nil, fx)
		case s.state == spawning && surplus > 0 && !s.spent:
			st.abandon(s, ReasonShutdown, fx)
			surplus--
		}
	}
}

// cut kills what is leased. It returns how many leases that cuts short.
func (st *state) cut(now time.Duration, fx *effects) int {
	st.shut(now, closing, fx)
	n := 0
	for _, s := range st.slots {
		if s.state == leased {
			st.retire(now, s, ReasonShutdown, nil, fx)
			n++
		}
	}
	return n
}

// over says that the pool has come to its end.
func (st *state) over() bool {
	return st.phase != running && len(st.slots) == 0 && st.waiting == 0
}
