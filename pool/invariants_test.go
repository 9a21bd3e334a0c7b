package pool_test

import (
	"errors"
	"fmt"
	"maps"
	"testing/synctest"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// check waits until nothing moves and then compares the pool with the world.
func (m *model) check(what string) error {
	synctest.Wait()
	s := m.pool.Stats()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retryIn = s.RetrySpawnIn
	for _, k := range m.workers {
		if !k.idle() {
			k.idleStep = 0
		} else if k.idleStep == 0 {
			k.idleStep, k.idleSince = m.step+1, time.Now()
		}
	}
	if m.tracing {
		m.log("      %s", m.describe(s))
	}
	for _, f := range []func(pool.Stats) error{
		balance, m.checkGauges, m.checkKills, m.checkTurns, m.checkLines, m.checkMinima, m.checkAge, m.checkReplacement, m.checkFailing,
		func(s pool.Stats) error { return m.checkStep(what, s) },
		func(pool.Stats) error { return m.pool.Audit() },
	} {
		if err := f(s); err != nil {
			return fmt.Errorf("after %q: %w\n%+v", what, err, s)
		}
	}
	m.last = s
	return nil
}

func (m *model) describe(s pool.Stats) string {
	text := fmt.Sprintf("spawning %d, waiting", s.Spawning)
	for _, c := range m.waiting() {
		text += " " + c.tenant
	}
	for i, k := range m.workers {
		state := "idle"
		switch {
		case k.dead:
			continue
		case k.dying():
			state = "dying"
		case k.leased():
			state = "leased"
		case k.resetting():
			state = "resetting"
		}
		text += fmt.Sprintf(", %d%s %s", i, k.tenant, state)
	}
	return text
}

// checkGauges: the pool sees its workers as they are.
func (m *model) checkGauges(s pool.Stats) error {
	for _, g := range []struct {
		name      string
		got, want int
	}{
		{"Spawning", s.Spawning, len(m.spawns)},
		{"Idle", s.Idle, len(m.which((*worker).idle))},
		{"Armed", s.Armed, len(m.which(m.armed))},
		{"Leased", s.Leased, len(m.which((*worker).leased))},
		{"Resetting", s.Resetting, len(m.which((*worker).resetting))},
		{"Dying", s.Dying, len(m.which((*worker).dying))},
		{"Waiting", s.Waiting, len(m.waiting())},
		{"Held", s.Held, len(m.leases())},
		{"Generation", int(s.Generation), m.bumps},
		{"Spawned", int(s.Spawned), len(m.workers)},
	} {
		if g.got != g.want {
			return fmt.Errorf("%s is %d, want %d", g.name, g.got, g.want)
		}
	}
	if s.Workers > m.cfg.MaxWorkers {
		return errors.New("more workers than MaxWorkers")
	}
	return nil
}

// checkKills: each end has its reason, and the reason is true.
func (m *model) checkKills(s pool.Stats) error {
	want := map[pool.Reason]uint64{}
	for _, r := range pool.Reasons() {
		want[r] = 0
	}
	for i, k := range m.workers {
		if k.reason() == "" {
			switch {
			case m.cfg.MaxUses > 0 && (k.uses > m.cfg.MaxUses || k.uses == m.cfg.MaxUses && k.lease == nil):
				return fmt.Errorf("worker %d lives after %d uses", i, k.uses)
			case k.idle() && k.generation != m.bumps:
				return fmt.Errorf("worker %d of an old generation idles", i)
			case k.idle() && k.memory > 32<<20:
				return fmt.Errorf("worker %d idles with too much memory", i)
			case k.resetting() && m.cfg.MaxLifetime > 0 && k.resetSince.Sub(k.born) >= m.cfg.MaxLifetime:
				return fmt.Errorf("worker %d came back too old and lives", i)
			case k.resetting() && time.Since(k.resetSince) >= 500*time.Millisecond:
				return fmt.Errorf("worker %d has been resetting for %v", i, time.Since(k.resetSince))
			}
			continue
		}
		if k.dead && k.pending != nil {
			return fmt.Errorf("worker %d is dead, and nobody told its Reset", i)
		}
		want[k.reason()]++
		if k.killed == "" {
			continue
		}
		ok := true
		switch k.reason() {
		case pool.ReasonMaxUses:
			ok = k.uses == m.cfg.MaxUses
		case pool.ReasonLifetime:
			ok = k.killedAt.Sub(k.born) >= m.cfg.MaxLifetime
		case pool.ReasonIdle:
			ok = k.killedAt.Sub(k.idleSince) >= m.cfg.MaxIdleTime
		case pool.ReasonTenant:
			ok = k.uses > 0 && m.wanted(k)
		case pool.ReasonGeneration:
			ok = k.generation < m.bumps
		case pool.ReasonReset:
			ok = k.failed || k.killedAt.Sub(k.resetSince) >= 500*time.Millisecond
		case pool.ReasonMemory:
			ok = k.memory > 32<<20
		case pool.ReasonShutdown:
			ok = m.ending > 0
		case pool.ReasonError:
			ok = k.uses > 0
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("worker %d was killed for %q, which is not true", i, k.killed)
		}
	}
	if !maps.Equal(want, s.Killed) {
		return fmt.Errorf("Killed is %v, want %v", s.Killed, want)
	}
	return nil
}

// wanted says whether another tenant wanted a worker when k was killed; and if
// k's own tenant did too, whether the other had waited, and k served, long enough.
func (m *model) wanted(k *worker) bool {
	var least time.Duration
	for _, c := range m.waiting() {
		if c.tenant == k.tenant && c.since.Before(k.killedAt) {
			least = 50 * time.Millisecond
		}
	}
	if k.killedAt.Sub(k.boundAt) < least && m.cfg.Reserve <= 0 {
		return false
	}
	for _, c := range m.calls {
		own := c.tenant == k.tenant
		if m.cfg.Reserve > 0 && own {
			own = false // to have the reserve again, a line of one's own will do
		} else if k.killedAt.Sub(c.since) < least {
			continue
		}
		if !own && !c.since.After(k.killedAt) && (!c.over || !c.until.Before(k.killedAt)) {
			return true
		}
	}
	return false
}

// checkLines: nobody waits while a worker idles that he could have; first come,
// first served; no worker serves two tenants; the bounds of the queue hold.
func (m *model) checkLines(pool.Stats) error {
	waiting := m.waiting()
	for _, c := range waiting {
		if m.best(c.tenant) != nil {
			return fmt.Errorf("%q waits while a worker idles", c.tenant)
		}
		if m.cfg.MaxQueueWait > 0 && time.Since(c.since) >= m.cfg.MaxQueueWait {
			return fmt.Errorf("%q has been waiting for %v", c.tenant, time.Since(c.since))
		}
	}
	if len(waiting) > m.cfg.MaxQueue {
		return errors.New("more in line than MaxQueue")
	}
	for i, c := range m.calls {
		if !c.over || c.checked {
			continue
		}
		c.checked = true
		if c.err != nil || c.try {
			continue
		}
		for _, before := range m.calls[:i] {
			if !before.over && before.tenant == c.tenant {
				return fmt.Errorf("%q was served out of turn", c.tenant)
			}
		}
	}
	for i, k := range m.workers {
		if k.lease != nil && k.lease.tenant != k.tenant {
			return fmt.Errorf("worker %d served %q and then %q", i, k.tenant, k.lease.tenant)
		}
	}
	return nil
}

// checkTurns: a new worker is not given to one tenant twice while another one
// stands in line. (A tenant whose own worker was taken from its line had its turn.)
func (m *model) checkTurns(s pool.Stats) error {
	if s.Killed[pool.ReasonTenant] != m.last.Killed[pool.ReasonTenant] {
		clear(m.passed)
	}
	// The tenants in line who were not served just now; of those who were, who
	// came first is not known.
	line := map[string]bool{}
	for _, c := range m.waiting() {
		line[c.tenant] = true
	}
	for _, c := range m.calls {
		if c.over && !c.checked {
			delete(line, c.tenant)
		}
	}
	for pair := range m.passed {
		if !line[pair[0]] || m.cfg.Reserve > 0 && m.held(pair[0]) > 0 {
			delete(m.passed, pair)
		}
	}
	for _, c := range m.calls {
		if c.checked || !c.over || !c.fresh || c.try {
			continue
		}
		for other := range line {
			if m.cfg.Reserve > 0 && m.held(other) > 0 {
				continue // may not have what is in reserve
			}
			pair := [2]string{other, c.tenant}
			if m.passed[pair]++; m.passed[pair] > 1 {
				return fmt.Errorf("%q got a new worker again while %q stands in line", c.tenant, other)
			}
		}
	}
	return nil
}

// checkStep: what one step may do to the pool.
func (m *model) checkStep(what string, s pool.Stats) error {
	replaced := s.Killed[pool.ReasonTenant] - m.last.Killed[pool.ReasonTenant]
	failing := m.last.ConsecutiveFailed > 0 && s.ConsecutiveFailed > 0
	wanted := max(1, len(m.waiting())) + m.cfg.Reserve
	if what == "try" {
		wanted++ // it counts as one in line, just then
	}
	stillborn := m.which(func(k *worker) bool { return k.diedAs == pool.ReasonDied })
	for _, c := range m.spawns {
		if c.generation != m.bumps && !c.stubborn {
			return errors.New("a Spawn of an old generation was not told")
		}
	}
	switch {
	case what == "clock" || m.raced: // several things happened at once
	case replaced > 0 && m.last.RetrySpawnIn > 0 && s.RetrySpawnIn > 0:
		return errors.New("a worker was replaced while no other can be spawned")
	case replaced > 0 && m.coming()+s.Dying > wanted:
		return fmt.Errorf("%d workers come for %d in line, and still one was replaced", m.coming()+s.Dying, len(m.waiting()))
	case failing && m.coming() > max(1, m.last.Spawning):
		return errors.New("several attempts to spawn while spawning fails")
	case s.Spawned > m.last.Spawned && s.SpawnFailures == m.last.SpawnFailures && s.ConsecutiveFailed > 0 && len(stillborn) < 5:
		return errors.New("a spawn succeeded, but the pool still counts failures")
	}
	return nil
}

func (m *model) tooOld(k *worker) bool {
	return m.cfg.MaxLifetime > 0 && time.Since(k.born) >= m.cfg.MaxLifetime
}

// serving says whether k counts towards MinWorkers.
func (m *model) serving(k *worker) bool {
	lastUse := k.leased() && k.uses == m.cfg.MaxUses
	return k.alive() && !lastUse && !m.tooOld(k)
}

func (m *model) armed(k *worker) bool { return k.idle() && k.uses == 0 && !m.tooOld(k) }

// checkMinima: while there is room and nothing fails, what is missing is coming.
func (m *model) checkMinima(s pool.Stats) error {
	if m.ending > 0 {
		if s.Idle > 0 || m.ending == 2 && s.Waiting > 0 {
			return errors.New("the pool ends, but somebody idles or waits")
		}
		return nil
	}
	serving := len(m.which(m.serving))
	coming := m.coming()
	switch {
	case s.Workers == m.cfg.MaxWorkers || s.RetrySpawnIn > 0 || s.ConsecutiveFailed > 0 && coming > 0:
	case serving+coming < m.min.workers:
		return fmt.Errorf("%d workers serve and %d come, fewer than MinWorkers", serving, coming)
	case s.Armed+coming < m.min.idle+len(m.waiting()):
		return fmt.Errorf("%d workers are armed and %d come, for %d in line and MinIdle", s.Armed, coming, len(m.waiting()))
	}
	return nil
}

// checkAge: what is surplus or too old does not linger.
func (m *model) checkAge(s pool.Stats) error {
	serving := len(m.which(m.serving))
	for i, k := range m.workers {
		switch {
		case !k.idle():
		case m.tooOld(k):
			if s.Spawning+s.Dying == 0 && s.RetrySpawnIn == 0 {
				return fmt.Errorf("worker %d is too old, and nobody comes in its place", i)
			}
		case m.cfg.MaxIdleTime > 0 && time.Since(k.idleSince) >= m.cfg.MaxIdleTime:
			if serving > m.min.workers && (k.uses > 0 || s.Armed > m.min.idle) {
				return fmt.Errorf("worker %d has been idle for %v, and is not needed", i, time.Since(k.idleSince))
			}
		}
	}
	return nil
}

// checkReplacement: at MaxWorkers, no bound worker idles while a tenant that has
// none waits and nothing is under way; and where one waits that has some, no
// worker that has been idle for 250 ms, or whose tenant has more.
func (m *model) checkReplacement(s pool.Stats) error {
	if s.Workers < m.cfg.MaxWorkers || s.Idle == 0 || s.RetrySpawnIn > 0 {
		return nil
	}
	lines := map[string][]*call{}
	for _, c := range m.waiting() {
		lines[c.tenant] = append(lines[c.tenant], c)
	}
	idle := m.which(func(k *worker) bool { return k.idle() && k.uses > 0 })
	bound := func(n int) int {
		if s.ConsecutiveFailed > 0 {
			n = min(n, 1)
		}
		return n
	}
	coming, without := m.coming()+s.Dying, 0
	for tenant := range lines {
		if m.held(tenant) == 0 {
			without++
		}
	}
	if bound(without) > coming && len(idle) > 0 {
		return fmt.Errorf("%d tenants in line have no worker, %d come, and others idle", without, coming)
	}
	if s.Idle+coming-without <= m.reserve() {
		return nil // there would be nothing for those who hold one
	}
	without += m.reserve() - s.Armed
	for tenant, line := range lines {
		n := len(line)
		if m.held(tenant) == 0 {
			n--
		} else if time.Since(line[0].since) < 50*time.Millisecond {
			n -= len(m.which(func(k *worker) bool { return k.resetting() && k.tenant == tenant && m.serving(k) }))
		}
		for _, k := range idle {
			ripe := time.Since(k.idleSince) >= 250*time.Millisecond || m.held(k.tenant) > m.held(tenant)+1
			if n > 0 && ripe && bound(without+n) > coming {
				return fmt.Errorf("%d of %q in line need a worker, %d come, and one of %q idles", n, tenant, coming, k.tenant)
			}
		}
	}
	return nil
}

// checkFailing: nobody waits for what is known to fail.
func (m *model) checkFailing(s pool.Stats) error {
	if s.RetrySpawnIn == 0 || m.coming() > 0 {
		return nil
	}
	for _, c := range m.waiting() {
		own := m.which(func(k *worker) bool {
			return (k.leased() || k.resetting()) && k.tenant == c.tenant && m.serving(k) && k.generation == m.bumps
		})
		if len(own) == 0 {
			return fmt.Errorf("%q waits for a spawn that is not made for %v", c.tenant, s.RetrySpawnIn)
		}
	}
	return nil
}
