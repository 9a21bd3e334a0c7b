package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// shared is a fake whose users check that they are alone, and all of one tenant.
type shared struct {
	*fake
	users  atomic.Int32
	tenant atomic.Pointer[string]
}

func (s *shared) use(t *testing.T, tenant string) {
	if s.users.Add(1) != 1 {
		t.Error("a worker has two leases")
	}
	if old := s.tenant.Swap(&tenant); old != nil && *old != tenant {
		t.Errorf("a worker of %q was lent to %q", *old, tenant)
	}
	runtime.Gosched()
	s.users.Add(-1)
}

// TestStress is 64 callers of 8 tenants, with everything that can go wrong going
// wrong all the time, in real time.
func TestStress(t *testing.T) {
	executions := int64(50_000)
	if testing.Short() || raceEnabled {
		executions = 10_000
	}
	var workers sync.Map
	var events atomic.Int64
	p, err := pool.New(pool.Config[*shared]{
		MaxWorkers: 4, MaxUses: 20, MaxLifetime: 100 * time.Millisecond, MaxIdleTime: 5 * time.Millisecond,
		HealthCheckTimeout: 20 * time.Millisecond, MaxQueue: 48, MaxQueuePerTenant: 12, MaxQueueWait: time.Second,
		Spawn: func(ctx context.Context) (*shared, error) {
			if rand.IntN(50) == 0 {
				return nil, errNoExec
			}
			w := &shared{fake: newFake()}
			w.reset = func(ctx context.Context) error {
				if w.users.Load() != 0 {
					t.Error("Reset during a lease")
				}
				switch rand.IntN(500) {
				case 0:
					return errors.New("no")
				case 1:
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
			workers.Store(w, nil)
			return w, nil
		},
		Observer: observerFunc(func(pool.Event) { events.Add(1) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var side, callers sync.WaitGroup
	side.Go(func() { // the killer from outside, and other things that happen now and then
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			workers.Range(func(w, _ any) bool {
				select {
				case <-w.(*shared).Done():
					workers.Delete(w)
				default:
					if rand.IntN(20) == 0 {
						w.(*shared).Kill("from outside")
					}
				}
				return true
			})
			switch rand.IntN(20) {
			case 0:
				p.Reset()
			case 1:
				runtime.GC()
			case 2:
				_, _ = p.PreWarm(ended())
			}
			if err := balance(p.Stats()); err != nil {
				t.Error(err)
			}
		}
	})
	var served, dropped atomic.Int64
	for i := range 64 {
		tenant := string(rune('a' + i%8))
		callers.Go(func() {
			for served.Load() < executions {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(20_000))*time.Microsecond)
				l, err := p.Acquire(ctx, tenant)
				cancel()
				var overloaded *pool.OverloadedError
				var spawn *pool.SpawnError
				switch {
				case err == nil:
				case errors.Is(err, context.DeadlineExceeded), errors.As(err, &spawn), errors.As(err, &overloaded):
					time.Sleep(100 * time.Microsecond)
					continue
				default:
					t.Error(err)
					return
				}
				l.Worker().use(t, tenant)
				served.Add(1)
				switch rand.IntN(200) {
				case 0:
					l.Discard(errors.New("broken"))
				case 1:
					dropped.Add(1) // not released at all
				case 2:
					l.Release()
					go l.Release()
					l.Discard(nil)
				default:
					l.Release()
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	side.Wait()
	deadline := time.Now().Add(time.Minute)
	for p.Stats().Held > 0 && time.Now().Before(deadline) {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	workers.Range(func(w, _ any) bool {
		select {
		case <-w.(*shared).Done():
		default:
			t.Error("a worker lives on after Close")
			return false
		}
		return true
	})
	s := p.Stats()
	t.Logf("%d events, %+v", events.Load(), s)
	if err := balance(s); err != nil {
		t.Error(err)
	}
	if s.Workers != 0 || s.Held != 0 || s.Waiting != 0 || s.Dropped != uint64(dropped.Load()) || int64(s.Acquired) != served.Load() {
		t.Errorf("served %d, dropped %d", served.Load(), dropped.Load())
	}
}

type observerFunc func(pool.Event)

func (f observerFunc) Observe(_ context.Context, e pool.Event) { f(e) }

// TestAcquireAllocatesTheLease: and nothing else.
func TestAcquireAllocatesTheLease(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	p := mustNew(t, pool.Config[*fake]{MinWorkers: 200, MinIdle: -1, MaxWorkers: 200})
	if _, err := p.PreWarm(t.Context()); err != nil {
		t.Fatal(err)
	}
	var leases [200]*pool.Lease[*fake]
	for i := range leases { // have all of them bound, and the pool's slices grown
		leases[i] = mustAcquire(t, p, "a")
	}
	for i := range leases {
		leases[i].Release()
	}
	for deadline := time.Now().Add(time.Minute); p.Stats().Idle < len(leases); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", p.Stats())
		}
	}
	ctx := context.Background()
	i := 0
	if n := testing.AllocsPerRun(len(leases)-2, func() {
		leases[i], _ = p.Acquire(ctx, "a")
		i++
	}); n != 1 {
		t.Errorf("Acquire allocates %v times", n)
	}
	_ = p.Close(ended())
	runtime.KeepAlive(leases)
}
