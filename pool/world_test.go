package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// world is what surrounds the pool in the model-based test: it spawns nothing,
// answers no Reset and buries no dead unless the test tells it to, so that the
// test decides what happens when. Unlike the pool it does not decide anything:
// all it knows is what it sees of the pool from outside.
type world struct {
	mu       sync.Mutex
	auto     bool // everything succeeds at once from now on
	stubborn bool // a Spawn that begins does not notice the end of its context
	spawns   []*spawnCall
	workers  []*worker // every one that Spawn returned, in that order
	calls    []*call   // every Acquire and TryAcquire, in that order
	bumps    int       // calls of Pool.Reset
}

// spawnCall is one Spawn that has not returned.
type spawnCall struct {
	answer     chan error
	generation int
	stubborn   bool
}

// worker is a worker under the test's control.
type worker struct {
	world *world
	done  chan struct{}
	born  time.Time

	// Guarded by world.mu.
	generation int
	killed     string // why the pool killed it
	killedAt   time.Time
	dead       bool
	diedAs     pool.Reason // how its death must be counted if nobody killed it
	tenant     string      // of its first lease
	boundAt    time.Time
	uses       int
	lease      *call
	pending    chan error // a Reset in progress
	resetSince time.Time
	failed     bool // its Reset was answered with an error
	deaf       bool // its Reset does not notice the end of its context
	memory     int64
	idleStep   int // the step after which it was first seen idle; 0 while it is not
	idleSince  time.Time
}

// call is one Acquire or TryAcquire.
type call struct {
	tenant string
	cancel context.CancelFunc
	since  time.Time
	try    bool

	// Guarded by world.mu.
	over    bool
	checked bool
	fresh   bool // the first to have its worker
	until   time.Time
	lease   *pool.Lease[*worker] // nil again when it was given back
	err     error
}

var errScripted = errors.New("the script says so")

func (w *world) spawn(ctx context.Context) (*worker, error) {
	c := &spawnCall{answer: make(chan error, 1)}
	w.mu.Lock()
	c.generation, c.stubborn = w.bumps, w.stubborn
	w.spawns = append(w.spawns, c)
	if w.auto {
		c.answer <- nil
	}
	w.mu.Unlock()
	end := ctx.Done()
	if c.stubborn {
		end = nil
	}
	var err error
	select {
	case err = <-c.answer:
	case <-end:
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spawns = slices.DeleteFunc(w.spawns, func(o *spawnCall) bool { return o == c })
	if err != nil {
		return nil, err
	}
	k := &worker{world: w, done: make(chan struct{}), born: time.Now(), generation: c.generation}
	w.workers = append(w.workers, k)
	return k, nil
}

func (k *worker) Done() <-chan struct{} { return k.done }

func (k *worker) Kill(reason string) {
	k.world.mu.Lock()
	defer k.world.mu.Unlock()
	if k.killed != "" || k.dead {
		return
	}
	k.killed, k.killedAt = reason, time.Now()
	if k.world.auto {
		k.bury()
	}
}

// bury makes the worker dead. Called with world.mu.
func (k *worker) bury() {
	if !k.dead {
		k.dead = true
		close(k.done)
	}
}

func (k *worker) Memory() (int64, bool) {
	k.world.mu.Lock()
	defer k.world.mu.Unlock()
	return k.memory, true
}

func (k *worker) Reset(ctx context.Context) error {
	answer := make(chan error, 1)
	k.world.mu.Lock()
	if k.world.auto {
		k.world.mu.Unlock()
		return nil
	}
	k.pending, k.resetSince = answer, time.Now()
	deaf := k.deaf
	k.world.mu.Unlock()
	var err error
	if deaf {
		select {
		case err = <-answer:
		case <-k.done:
			err = errScripted
		}
	} else {
		select {
		case err = <-answer:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	k.world.mu.Lock()
	defer k.world.mu.Unlock()
	k.pending = nil
	k.failed = err != nil
	return err
}

func (k *worker) alive() bool     { return !k.dead && k.killed == "" }
func (k *worker) leased() bool    { return k.alive() && k.lease != nil }
func (k *worker) resetting() bool { return k.alive() && k.pending != nil }
func (k *worker) idle() bool      { return k.alive() && k.lease == nil && k.pending == nil }
func (k *worker) dying() bool     { return !k.dead && k.killed != "" }

// reason is how its end must be counted; empty while it lives.
func (k *worker) reason() pool.Reason {
	if k.killed != "" {
		r, _, _ := strings.Cut(k.killed, ":")
		return pool.Reason(r)
	}
	return k.diedAs
}

// which returns the workers for whom f holds. Called with world.mu.
func (w *world) which(f func(*worker) bool) []*worker {
	var found []*worker
	for _, k := range w.workers {
		if f(k) {
			found = append(found, k)
		}
	}
	return found
}

// waiting returns the calls that are in line. Called with world.mu.
func (w *world) waiting() []*call {
	var found []*call
	for _, c := range w.calls {
		if !c.over {
			found = append(found, c)
		}
	}
	return found
}

// leases returns the calls whose lease is not given back. Called with world.mu.
func (w *world) leases() []*call {
	var found []*call
	for _, c := range w.calls {
		if c.lease != nil {
			found = append(found, c)
		}
	}
	return found
}

// finish notes how a call ended, and what that says about its worker.
func (w *world) finish(c *call, l *pool.Lease[*worker], err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.over, c.until, c.lease, c.err = true, time.Now(), l, err
	if l == nil {
		return
	}
	k := l.Worker()
	if k.uses == 0 {
		k.tenant, k.boundAt, c.fresh = c.tenant, time.Now(), true
	}
	k.uses++
	k.lease = c
}

// answer answers, unless there is an answer already.
func answer(to chan error, err error) {
	select {
	case to <- err:
	default:
	}
}

// coming returns the spawns that the pool has not given up. Called with world.mu.
func (w *world) coming() int {
	n := 0
	for _, s := range w.spawns {
		if s.generation == w.bumps {
			n++
		}
	}
	return n
}

// relax lets everything succeed at once from now on, and what is pending too.
func (w *world) relax() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.auto = true
	for _, s := range w.spawns {
		answer(s.answer, nil)
	}
	for _, k := range w.workers {
		if k.pending != nil {
			answer(k.pending, nil)
		}
		if k.dying() {
			k.bury()
		}
	}
}
