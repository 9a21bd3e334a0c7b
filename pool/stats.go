package pool

import (
	"maps"
	"slices"
	"time"
)

// Reason is why a worker ended. The set is closed; Reasons lists it.
type Reason string

// The reasons. A worker that dies by itself is counted by what it was doing.
const (
	ReasonMaxUses    Reason = "max_uses"   // it served MaxUses leases
	ReasonLifetime   Reason = "lifetime"   // it grew older than MaxLifetime
	ReasonIdle       Reason = "idle"       // idle longer than MaxIdleTime, and not needed
	ReasonError      Reason = "error"      // discarded by its lease, or died during it
	ReasonDropped    Reason = "dropped"    // its lease became garbage without an end
	ReasonReset      Reason = "reset"      // Reset failed or took too long, or the worker died in it
	ReasonDied       Reason = "died"       // died while it was idle
	ReasonTenant     Reason = "tenant"     // bound to a tenant; replaced in favour of another one
	ReasonGeneration Reason = "generation" // older than the last Pool.Reset
	ReasonMemory     Reason = "memory"     // above MaxWorkerMemory after a Reset
	ReasonShutdown   Reason = "shutdown"   // Drain or Close
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{ReasonMaxUses, ReasonLifetime, ReasonIdle, ReasonError, ReasonDropped, ReasonReset,
		ReasonDied, ReasonTenant, ReasonGeneration, ReasonMemory, ReasonShutdown}
}

// Stats is a consistent snapshot of a pool: all of it is read at one moment.
// These hold in every snapshot:
//
//	Spawned  = Idle + Leased + Resetting + the sum of Killed
//	Acquired = Held + Released + Discarded + Dropped
//	Workers  = Idle + Leased + Resetting + Spawning + Dying ≤ MaxWorkers
type Stats struct {
	// Gauges.
	Workers   int // slots in use: what MaxWorkers bounds
	Idle      int // armed and waiting for a lease
	Armed     int // those of Idle that any tenant may have: what MinIdle counts
	Leased    int // lent, and alive
	Resetting int // between two leases
	Spawning  int // Spawn has not returned
	Dying     int // killed, and not yet dead
	Waiting   int // callers in line
	Held      int // leases that were not given back yet; above Leased where workers died under them

	// Generation is how often Pool.Reset was called.
	Generation uint64

	// Counters since New.
	Spawned       uint64 // workers that Spawn returned
	SpawnFailures uint64 // Spawns that failed; those that the pool itself gave up are not counted
	Acquired      uint64 // leases given out
	Reused        uint64 // those of Acquired whose worker had served before
	Released      uint64 // leases that ended with Release
	Discarded     uint64 // leases that ended with Discard
	Dropped       uint64 // leases that became garbage without an end
	Killed        map[Reason]uint64

	// Callers that got no lease.
	CancelledWaits    uint64 // their context ended
	RefusedQueue      uint64 // MaxQueue
	RefusedTenant     uint64 // MaxQueuePerTenant
	RefusedWait       uint64 // MaxQueueWait
	RefusedTry        uint64 // TryAcquire found no idle worker
	RefusedSpawn      uint64 // got a SpawnError
	RefusedClosed     uint64 // got ErrClosed
	ConsecutiveFailed int    // failed spawns since the last success
	RetrySpawnIn      time.Duration

	// Wait is the time that those of Acquired who had to wait did so. The rest
	// were served at once and are not in it.
	Wait Histogram
}

// Histogram counts durations by size.
type Histogram struct {
	Bounds []time.Duration // upper bounds, inclusive, ascending
	Counts []uint64        // one more than Bounds; the last is what was above all of them. Not cumulative.
	Count  uint64          // the sum of Counts
	Sum    time.Duration
}

// waitBounds must not be changed after initialisation; Stats hands out copies.
var waitBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

// waits is a Histogram in the making.
type waits struct {
	counts [len(waitBounds) + 1]uint64
	sum    time.Duration
}

func (w *waits) bucket(d time.Duration) *uint64 {
	i, _ := slices.BinarySearch(waitBounds[:], d)
	return &w.counts[i]
}

func (w *waits) add(d time.Duration)    { *w.bucket(d)++; w.sum += d }
func (w *waits) remove(d time.Duration) { *w.bucket(d)--; w.sum -= d }

func (w *waits) histogram() Histogram {
	h := Histogram{Bounds: slices.Clone(waitBounds[:]), Counts: slices.Clone(w.counts[:]), Sum: w.sum}
	for _, n := range h.Counts {
		h.Count += n
	}
	return h
}

// stats takes the snapshot.
func (st *state) stats(now time.Duration) Stats {
	s := st.counters
	s.Workers = len(st.slots)
	s.Idle, s.Leased, s.Resetting = st.count[idle], st.count[leased], st.count[resetting]
	s.Spawning, s.Dying, s.Waiting = st.count[spawning], st.count[dying], st.waiting
	s.Armed, s.Held, s.Generation = st.armed, st.leases, st.generation
	s.ConsecutiveFailed, s.RetrySpawnIn = st.failures, max(0, st.retryAt-now)
	s.Killed = maps.Clone(st.counters.Killed)
	s.Wait = st.waits.histogram()
	return s
}
