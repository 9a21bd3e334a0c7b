package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// fake is a worker without substance. By default all it is asked to do succeeds
// at once.
type fake struct {
	id     int
	done   chan struct{}
	once   sync.Once
	reason string // why it was killed; read it after done is closed

	reset  func(ctx context.Context) error // nil: succeeds
	memory func() (int64, bool)            // nil: does not know
}

func newFake() *fake { return &fake{done: make(chan struct{})} }

func (f *fake) Reset(ctx context.Context) error {
	if f.reset == nil {
		return nil
	}
	return f.reset(ctx)
}

func (f *fake) Done() <-chan struct{} { return f.done }

func (f *fake) Kill(reason string) {
	f.once.Do(func() {
		f.reason = reason
		close(f.done)
	})
}

func (f *fake) Memory() (int64, bool) {
	if f.memory == nil {
		return 0, false
	}
	return f.memory()
}

func spawnFake(context.Context) (*fake, error) { return newFake(), nil }

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func mustNew(t testing.TB, cfg pool.Config[*fake]) *pool.Pool[*fake] {
	t.Helper()
	if cfg.Spawn == nil {
		cfg.Spawn = spawnFake
	}
	p, err := pool.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustClose(t testing.TB, p *pool.Pool[*fake]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func mustAcquire(t testing.TB, p *pool.Pool[*fake], tenant string) *pool.Lease[*fake] {
	t.Helper()
	l, err := p.Acquire(context.Background(), tenant)
	if err != nil {
		t.Fatalf("Acquire(%q): %v", tenant, err)
	}
	return l
}

// balance checks what Stats promises of every snapshot.
func balance(s pool.Stats) error {
	var killed uint64
	for _, n := range s.Killed {
		killed += n
	}
	switch {
	case s.Spawned != uint64(s.Idle+s.Leased+s.Resetting)+killed:
		return errors.New("Spawned is not Idle + Leased + Resetting + Killed")
	case s.Acquired != uint64(s.Held)+s.Released+s.Discarded+s.Dropped:
		return errors.New("Acquired is not Held + Released + Discarded + Dropped")
	case s.Workers != s.Idle+s.Leased+s.Resetting+s.Spawning+s.Dying:
		return errors.New("Workers is not the sum of the gauges")
	case s.Armed > s.Idle:
		return errors.New("Armed is more than Idle")
	case len(s.Killed) != len(pool.Reasons()):
		return errors.New("Killed does not have every reason")
	}
	return nil
}
