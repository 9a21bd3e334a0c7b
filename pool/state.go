package pool

import (
	"context"
	"errors"
	"time"
)

const (
	// patience is how long a tenant waits before a busy worker of another one
	// is replaced for it, and how long a worker is left to the tenant it was
	// just bound to.
	patience = 50 * time.Millisecond

	// keep is how long an idle worker is left to its tenant while one waits who
	// has no fewer: who works in a loop has one again before that.
	keep = 250 * time.Millisecond

	// The pause after the first failed spawn, and the longest one.
	backOffMin, backOffMax = 25 * time.Millisecond, 10 * time.Second

	// A worker that dies idle, unused and younger than infancy is stillborn;
	// so many of them in a row count as a failed spawn.
	infancy        = time.Second
	stillbornLimit = 5
)

var (
	errResetTimeout = errors.New("no answer to Reset within HealthCheckTimeout")
	errDropped      = errors.New("the lease was dropped: neither Release nor Discard was called")
)

// phase is how far the pool is on its way to the end. It only grows.
type phase uint8

const (
	running  phase = iota
	draining       // no new callers; those in line are still served
	closing        // nobody is served; leases may still run
)

// slotState is where a slot is in its life:
//
//	spawning ─→ idle ⇄ leased ─→ resetting ─→ idle
//	   │          └───────┴──────────┴──→ dying ─→ gone
//	   └──────────────────────────────────────────→ gone
//
// A worker that dies unasked goes to gone from wherever it is.
type slotState uint8

const (
	spawning  slotState = iota // Spawn has not returned
	idle                       // armed; in state.idle
	leased                     // a lease has it
	resetting                  // Reset has not returned
	dying                      // was told to die; Done is not closed
	gone                       // in no list any more
)

// slot is one place for a worker, from the decision to spawn it until its death.
type slot struct {
	id         uint64
	state      slotState
	since      time.Duration // when it entered its state
	generation uint64

	bound   bool // to tenant, at boundAt
	tenant  string
	boundAt time.Duration

	uses, maxUses int
	armedAt, ends time.Duration
	// spent: this worker will not serve again (its last lease runs, it is too
	// old, or it is spawning and not wanted any more). It does not count
	// towards any minimum, so its successor is on the way.
	spent bool

	// What the plumbing keeps here; the state machine only hands it on.
	worker Worker          // set once, when the slot leaves spawning
	ctx    context.Context // ends with the worker; set once, when the slot is made
	cancel func()
	guard  *guard // nil while a lease or a waiter has it
}

// state is the state machine of a pool: plain data, changed by one method an
// event. A method is given the time, and notes in effects what shall be done
// about the event once the lock is released. Nothing here blocks, starts a
// goroutine or reads a clock. All of it is guarded by Pool.mu.
type state struct {
	cfg  limits
	rand func(n int64) int64 // uniform in [0, n)

	phase      phase
	generation uint64
	serial     uint64

	slots []*slot // all that are not gone
	idle  []*slot // by the time they became idle: the last is taken, the first is reaped
	count [gone]int
	armed int            // idle, unbound and not spent
	spent int            // idle, leased or resetting, and spent
	lost  int            // spawning and spent
	held  map[string]int // workers bound to a tenant

	queues  map[string]*queue
	ring    list[queue, *queue] // those of queues, the one that was served longest ago first
	waiting int
	probes  int    // callers of TryAcquire in this very transition who would have waited
	prober  string // their tenant

	failures    int           // attempts to spawn that failed since the last success
	failedAt    time.Duration // when the last of them did
	retryAt     time.Duration // no spawn before that
	lastErr     error
	stillborn   int
	stillbornAt time.Duration

	wake    time.Duration // when tick must be called next
	warmers []*warmer

	leases   int           // given out and not given back
	leaseAvg time.Duration // moving average of how long leases are held
	waits    waits
	counters Stats // only its counters are in use
}

// effects are what a transition wants done outside the lock.
type effects struct {
	spawn  []*slot // call Spawn
	reset  *slot   // call Reset
	end    []end   // cancel, Kill, log, observe
	woken  []*waiter
	warmed []*warmer
}

// end is the end of a worker.
type end struct {
	slot   *slot
	worker Worker // nil where a spawn is given up
	reason Reason
	err    error
	tenant string
	uses   int
	age    time.Duration
	alive  bool // false where it died by itself
}

// warmer is a caller of PreWarm.
type warmer struct {
	idle  int
	err   error
	ready chan struct{}
}

func newState(cfg limits, rand func(int64) int64) *state {
	st := &state{cfg: cfg, rand: rand, wake: forever, held: map[string]int{}, queues: map[string]*queue{}}
	st.counters.Killed = map[Reason]uint64{}
	for _, r := range Reasons() {
		st.counters.Killed[r] = 0
	}
	return st
}

// tally adds s to the counts (by 1), or takes it out of them (by -1). Whoever
// changes a field that the counts depend on does so between the two.
func (st *state) tally(s *slot, by int) {
	st.count[s.state] += by
	switch s.state {
	case spawning:
		if s.spent {
			st.lost += by
		}
	case idle, leased, resetting:
		if s.spent {
			st.spent += by
		} else if s.state == idle && !s.bound {
			st.armed += by
		}
	}
}

// enter moves s to another state.
func (st *state) enter(now time.Duration, s *slot, to slotState) {
	st.tally(s, -1)
	s.state, s.since = to, now
	st.tally(s, 1)
}

func (st *state) setSpent(s *slot, spent bool) {
	st.tally(s, -1)
	s.spent = spent
	st.tally(s, 1)
}

func (st *state) bind(now time.Duration, s *slot, tenant string) {
	st.tally(s, -1)
	s.bound, s.tenant, s.boundAt = true, tenant, now
	st.tally(s, 1)
	st.held[tenant]++
}

func (st *state) unbind(s *slot) {
	if !s.bound {
		return
	}
	st.tally(s, -1)
	s.bound = false
	st.tally(s, 1)
	if st.held[s.tenant]--; st.held[s.tenant] == 0 {
		delete(st.held, s.tenant)
	}
	s.tenant = ""
}

// reserve is how many armed workers are for tenants that hold none.
func (st *state) reserve(now time.Duration) int {
	if st.phase != running || st.failing(now) {
		return 0
	}
	return st.cfg.reserve
}

// entitled says whether tenant may have an unbound worker where armed of them
// are there, that one included.
func (st *state) entitled(now time.Duration, tenant string, armed int) bool {
	reserve := st.reserve(now)
	return reserve == 0 || armed > reserve || st.held[tenant] == 0
}

// coming is how many workers are being spawned and wanted.
func (st *state) coming() int { return st.count[spawning] - st.lost }

// due makes sure that tick is called at t.
func (st *state) due(t time.Duration) { st.wake = min(st.wake, t) }

// after is t+d without overflow.
func after(t, d time.Duration) time.Duration {
	if d >= forever-t {
		return forever
	}
	return t + d
}
