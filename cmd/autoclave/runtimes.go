package main

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/pool"
)

// runtimes runs programs in the newest of several Runtimes, each with its pool.
// Those before it end when the last of their programs has.
type runtimes struct {
	mu     sync.Mutex
	now    *generation
	closed bool
	ending sync.WaitGroup // one for each generation that is not the newest
	// stop ends the programs of old generations; closed by Close when its
	// patience is over.
	stop     context.Context
	stopThem context.CancelFunc
}

type generation struct {
	*autoclave.Runtime
	wall    time.Duration // its limit
	running sync.WaitGroup
}

func newRuntimes(rt *autoclave.Runtime, limits autoclave.Limits) *runtimes {
	r := &runtimes{now: &generation{Runtime: rt, wall: wall(limits)}}
	r.stop, r.stopThem = context.WithCancel(context.Background())
	return r
}

// Execute implements gateway.Runtime.
func (r *runtimes) Execute(ctx context.Context, p autoclave.Program, host autoclave.Host) (*autoclave.Result, error) {
	r.mu.Lock()
	g := r.now
	g.running.Add(1)
	r.mu.Unlock()
	defer g.running.Done()
	if p.Limits.Wall > g.wall {
		p.Limits.Wall = 0 // it was asked for under other limits, a moment ago
	}
	return g.Runtime.Execute(ctx, p, host)
}

func (r *runtimes) current() *autoclave.Runtime {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.Runtime
}

// Stats is that of the newest pool.
func (r *runtimes) Stats() pool.Stats { return r.current().Stats() }

var errRuntimesClosed = errors.New("it is shutting down")

// replace has later programs run in rt. It owns rt where it returns nil.
func (r *runtimes) replace(rt *autoclave.Runtime, limits autoclave.Limits) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errRuntimesClosed
	}
	old := r.now
	r.now = &generation{Runtime: rt, wall: wall(limits)}
	r.ending.Go(func() {
		done := make(chan struct{})
		go func() {
			old.running.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-r.stop.Done():
		}
		_ = old.Close(r.stop)
		<-done
	})
	return nil
}

func wall(limits autoclave.Limits) time.Duration {
	return cmp.Or(limits.Wall, autoclave.DefaultLimits().Wall)
}

// Close closes all of them: it waits for programs until ctx ends.
func (r *runtimes) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	now := r.now
	r.mu.Unlock()
	defer r.stopThem()
	defer context.AfterFunc(ctx, r.stopThem)()
	err := now.Close(ctx)
	r.ending.Wait()
	return err
}
