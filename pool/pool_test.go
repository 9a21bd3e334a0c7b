package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/autoclave-run/autoclave/pool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfigIsRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  pool.Config[*fake]
		want []string
	}{
		{"no spawn", pool.Config[*fake]{}, []string{"Spawn"}},
		{"min above max", pool.Config[*fake]{Spawn: spawnFake, MinWorkers: 5, MaxWorkers: 4}, []string{"MinWorkers is 5", "MaxWorkers", "4"}},
		{"min above the default", pool.Config[*fake]{Spawn: spawnFake, MinWorkers: 20}, []string{"MinWorkers is 20", "8 (the default)"}},
		{"idle above max", pool.Config[*fake]{Spawn: spawnFake, MinIdle: 3, MaxWorkers: 2}, []string{"MinIdle is 3", "MaxWorkers", "2"}},
		{"a tenant above all", pool.Config[*fake]{Spawn: spawnFake, MaxQueue: 10, MaxQueuePerTenant: 11}, []string{"MaxQueuePerTenant is 11", "MaxQueue", "10"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := pool.New(test.cfg)
			if err == nil {
				mustClose(t, p)
				t.Fatal("New accepted it")
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q: %v", w, err)
				}
			}
		})
	}
}

func TestConfigIsAccepted(t *testing.T) {
	for _, cfg := range []pool.Config[*fake]{
		{},
		{MaxWorkers: 1}, // the default of MinWorkers is more than that
		{MinWorkers: -1, MinIdle: -1, MaxWorkers: -1, MaxIdleTime: -1, MaxUses: -1, MaxLifetime: -1, HealthCheckTimeout: -1,
			SpawnTimeout: -1, MaxQueue: -1, MaxQueuePerTenant: -1, MaxQueueWait: -1, MaxWorkerMemory: -1},
		{MaxQueue: 1},
	} {
		p := mustNew(t, cfg)
		mustAcquire(t, p, "a").Release()
		mustClose(t, p)
	}
}

// TestDefaults looks at the defaults from outside.
func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{})
		synctest.Wait()
		if s := p.Stats(); s.Idle != 2 || s.Armed != 2 || s.Workers != 2 {
			t.Errorf("MinWorkers: %+v", s)
		}
		var leases []*pool.Lease[*fake]
		for i := range 8 {
			leases = append(leases, mustAcquire(t, p, "a"))
			synctest.Wait()
			if s := p.Stats(); i < 7 && s.Armed < 1 {
				t.Errorf("MinIdle, with %d leases: %+v", i+1, s)
			}
		}
		if s := p.Stats(); s.Workers != 8 {
			t.Errorf("MaxWorkers: %+v", s)
		}
		for _, l := range leases {
			l.Release()
		}
		time.Sleep(59 * time.Second)
		if s := p.Stats(); s.Idle != 8 {
			t.Errorf("after 59 s: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := p.Stats(); s.Workers != 2 || s.Armed != 1 || s.Killed[pool.ReasonIdle] != 7 {
			// One that is bound to the tenant, and one that nobody is bound to.
			t.Errorf("after 60 s: %+v", s)
		}
		mustClose(t, p)
	})
}

func TestNothingIsSpawnedUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, MinIdle: -1, MaxIdleTime: 1})
		synctest.Wait()
		if s := p.Stats(); s.Spawned != 0 {
			t.Errorf("%+v", s)
		}
		for i := range 3 {
			l := mustAcquire(t, p, "a")
			if l.Reused() || l.Uses() != 1 {
				t.Errorf("use %d: reused %v, uses %d", i, l.Reused(), l.Uses())
			}
			l.Release()
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if s := p.Stats(); s.Workers != 0 || s.Killed[pool.ReasonIdle] != uint64(i+1) {
				t.Errorf("MaxIdleTime of 1 ns: %+v", s)
			}
		}
		mustClose(t, p)
	})
}

// TestFreshWorkerForEachLease is the paranoid mode: MaxUses 1. A spawn takes
// 10 ms here; no caller who comes more seldom than that sees it.
func TestFreshWorkerForEachLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxUses: 1, Spawn: func(context.Context) (*fake, error) {
			time.Sleep(10 * time.Millisecond)
			return newFake(), nil
		}})
		if _, err := p.PreWarm(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen := map[*fake]bool{}
		for range 100 {
			l := mustAcquire(t, p, "a")
			if seen[l.Worker()] || l.Reused() || l.Waited() != 0 {
				t.Fatalf("seen before %v, reused %v, waited %v", seen[l.Worker()], l.Reused(), l.Waited())
			}
			seen[l.Worker()] = true
			time.Sleep(time.Millisecond)
			l.Release()
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if s := p.Stats(); s.Killed[pool.ReasonMaxUses] != 100 || s.Reused != 0 {
			t.Errorf("%+v", s)
		}
		mustClose(t, p)
	})
}

func TestMaxWorkersOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := pool.NewExact(pool.Config[*fake]{Spawn: spawnFake, MaxWorkers: 1, MaxUses: 3})
		for i := range 9 {
			l := mustAcquire(t, p, "a")
			if l.Uses() != i%3+1 {
				t.Errorf("lease %d is use %d", i, l.Uses())
			}
			l.Release()
		}
		l := mustAcquire(t, p, "b")
		if l.Reused() {
			t.Error("a worker of a went to b")
		}
		l.Release()
		synctest.Wait()
		if s := p.Stats(); s.Killed[pool.ReasonMaxUses] != 3 || s.Workers != 1 {
			t.Errorf("%+v", s)
		}
		mustClose(t, p)
	})
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MinWorkers: 200, MinIdle: -1, MaxWorkers: 200, MaxUses: 50, MaxLifetime: time.Hour})
		synctest.Wait()
		time.Sleep(54*time.Minute - time.Nanosecond)
		if s := p.Stats(); s.Killed[pool.ReasonLifetime] != 0 {
			t.Errorf("before 54 min: %v", s.Killed)
		}
		time.Sleep(6 * time.Minute)
		if n := p.Stats().Killed[pool.ReasonLifetime]; n < 50 || n > 150 {
			t.Errorf("%d of 200 workers were retired in the first half of the spread", n)
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := p.Stats().Killed[pool.ReasonLifetime]; n < 200 {
			t.Errorf("%d of 200 workers were retired by 66 min", n)
		}
		mustClose(t, p)

		uses := map[int]int{}
		p = mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxUses: 50})
		for last := 0; len(uses) < 5; {
			l := mustAcquire(t, p, "")
			if l.Uses() < last {
				uses[last]++
				if last < 45 || last > 55 {
					t.Fatalf("a worker was used %d times", last)
				}
			}
			last = l.Uses()
			l.Release()
		}
		mustClose(t, p)
	})
}

// TestOldWorkerGoesWhenItsSuccessorIsThere: below MaxWorkers a worker that is too
// old stays until the next one is armed.
func TestOldWorkerGoesWhenItsSuccessorIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := pool.NewExact(pool.Config[*fake]{MinWorkers: 1, MaxLifetime: time.Minute, Spawn: func(context.Context) (*fake, error) {
			time.Sleep(time.Second)
			return newFake(), nil
		}})
		time.Sleep(61*time.Second + 500*time.Millisecond)
		synctest.Wait()
		if s := p.Stats(); s.Idle != 1 || s.Spawning != 1 {
			t.Errorf("half a second after its time: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := p.Stats(); s.Idle != 1 || s.Spawning != 0 || s.Killed[pool.ReasonLifetime] != 1 {
			t.Errorf("when its successor is there: %+v", s)
		}
		mustClose(t, p)
	})
}

// TestSuccessorDuringTheLastLease: the next worker is spawned while the used-up
// one still serves.
func TestSuccessorDuringTheLastLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := pool.NewExact(pool.Config[*fake]{Spawn: spawnFake, MinWorkers: 1, MinIdle: -1, MaxWorkers: 2, MaxUses: 2})
		mustAcquire(t, p, "a").Release()
		synctest.Wait()
		l := mustAcquire(t, p, "a")
		synctest.Wait()
		if s := p.Stats(); l.Uses() != 2 || s.Leased != 1 || s.Idle != 1 {
			t.Errorf("use %d: %+v", l.Uses(), s)
		}
		l.Release()
		mustClose(t, p)
	})
}

func TestDeathIsNoticedWhenItHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last *fake
		p := mustNew(t, pool.Config[*fake]{MinWorkers: 1, Spawn: func(context.Context) (*fake, error) {
			last = newFake()
			return last, nil
		}})
		time.Sleep(time.Minute)
		synctest.Wait()
		victim := last
		victim.Kill("from outside")
		synctest.Wait()
		if s := p.Stats(); s.Idle != 1 || s.Spawned != 2 || s.Killed[pool.ReasonDied] != 1 {
			t.Errorf("%+v", s)
		}
		if l := mustAcquire(t, p, "a"); l.Worker() == victim {
			t.Error("a dead worker was lent")
		} else {
			l.Release()
		}
		mustClose(t, p)
	})
}

func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, Spawn: func(context.Context) (*fake, error) {
			f := newFake()
			var size int64 = 16 << 20
			f.memory = func() (int64, bool) { size += 8 << 20; return size, true }
			return f, nil
		}})
		for i := range 6 {
			l := mustAcquire(t, p, "")
			if want := i%3 + 1; l.Uses() != want { // 24, 32, 40 MiB
				t.Errorf("lease %d is use %d, want %d", i, l.Uses(), want)
			}
			l.Release()
		}
		synctest.Wait()
		if s := p.Stats(); s.Killed[pool.ReasonMemory] != 2 {
			t.Errorf("%+v", s.Killed)
		}
		mustClose(t, p)
	})
}

func TestResetFailsOrHangs(t *testing.T) {
	for name, reset := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("no") },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, Spawn: func(context.Context) (*fake, error) {
					f := newFake()
					f.reset = reset
					return f, nil
				}})
				l := mustAcquire(t, p, "")
				f := l.Worker()
				l.Release()
				begin := time.Now()
				l = mustAcquire(t, p, "")
				if d := time.Since(begin); name == "hangs" && d != 500*time.Millisecond {
					t.Errorf("the next one came after %v", d)
				}
				if l.Worker() == f || !strings.HasPrefix(f.reason, "reset: ") {
					t.Errorf("same worker %v, killed for %q", l.Worker() == f, f.reason)
				}
				l.Release()
				mustClose(t, p)
			})
		})
	}
}

func TestGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var generation atomic.Int32
		p := mustNew(t, pool.Config[*fake]{MinWorkers: 3, MaxWorkers: 3, Spawn: func(ctx context.Context) (*fake, error) {
			f := newFake()
			f.id = int(generation.Load())
			select {
			case <-time.After(time.Second):
				return f, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}})
		old := mustAcquire(t, p, "a")
		generation.Add(1)
		p.Reset()
		var others []*pool.Lease[*fake]
		for range 2 {
			others = append(others, mustAcquire(t, p, "a"))
		}
		for _, l := range others {
			if l.Worker().id != 1 {
				t.Error("a worker of the old generation was lent")
			}
			l.Release()
		}
		if old.Worker().reason != "" {
			t.Error("a lease was cut short")
		}
		old.Release()
		synctest.Wait()
		if s := p.Stats(); s.Killed[pool.ReasonGeneration] != 3 || s.Generation != 1 {
			t.Errorf("%+v", s)
		}
		generation.Add(1)
		time.Sleep(500 * time.Millisecond) // a spawn is under way
		p.Reset()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for range 3 {
			if l := mustAcquire(t, p, "a"); l.Worker().id != 2 {
				t.Error("a spawn of the old generation was let in")
			}
		}
		_ = p.Close(ended())
	})
}

func TestLeaseEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxUses: -1})
		first := mustAcquire(t, p, "a")
		first.Release()
		first.Release()
		second := mustAcquire(t, p, "a")
		first.Discard(errors.New("too late"))
		first.Release()
		synctest.Wait()
		if s := p.Stats(); s.Leased != 1 || s.Released != 1 || s.Discarded != 0 || second.Worker().reason != "" {
			t.Errorf("the old lease ended the new one: %+v", s)
		}
		second.Discard(errors.New("broken"))
		second.Release()
		if got := second.Worker().reason; got != "error: broken" {
			t.Errorf("killed for %q", got)
		}
		synctest.Wait()
		if err := balance(p.Stats()); err != nil {
			t.Error(err)
		}
		mustClose(t, p)
	})
}

func TestPreWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) (*fake, error) {
			select {
			case <-time.After(time.Second):
				return newFake(), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		p := mustNew(t, pool.Config[*fake]{Spawn: slow, MinWorkers: 3, MinIdle: 4, MaxWorkers: 6})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if n, err := p.PreWarm(ctx); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("PreWarm with 1 ms: %d, %v", n, err)
		}
		if n, err := p.PreWarm(t.Context()); n != 4 || err != nil {
			t.Errorf("PreWarm: %d, %v", n, err)
		}
		if n, err := p.PreWarm(t.Context()); n != 4 || err != nil {
			t.Errorf("PreWarm of a warm pool: %d, %v", n, err)
		}
		mustClose(t, p)
		if _, err := p.PreWarm(t.Context()); err != pool.ErrClosed {
			t.Errorf("PreWarm of a closed pool: %v", err)
		}
		cause := errors.New("exec format error")
		p = mustNew(t, pool.Config[*fake]{Spawn: func(context.Context) (*fake, error) { return nil, cause }})
		var spawn *pool.SpawnError
		if _, err := p.PreWarm(t.Context()); !errors.As(err, &spawn) || !errors.Is(err, cause) {
			t.Errorf("PreWarm without spawns: %v", err)
		}
		mustClose(t, p)
	})
}

type recorder struct{ events chan pool.Event }

func (r recorder) Observe(_ context.Context, e pool.Event) { r.events <- e }

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{make(chan pool.Event, 100)}
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, MinIdle: -1, MaxWorkers: 1, Observer: r})
		l := mustAcquire(t, p, "a")
		time.Sleep(time.Second)
		l.Release()
		synctest.Wait()
		l = mustAcquire(t, p, "a")
		_, _ = p.TryAcquire("a")
		_, _ = p.Acquire(ended(), "b")
		l.Discard(errors.New("broken"))
		synctest.Wait()
		mustClose(t, p)
		close(r.events)
		var got []string
		for e := range r.events {
			text := fmt.Sprint(e.Kind, " ", e.Tenant, e.Uses)
			if e.Reason != "" {
				text += " " + string(e.Reason)
			}
			got = append(got, text)
			if e.Kind == pool.EventReleased && e.Duration != time.Second {
				t.Errorf("the lease took %v", e.Duration)
			}
		}
		want := "spawned 0, acquired a1, released a1, reset 1, acquired a2, refused a0, cancelled b0, killed a2 error"
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	})
}
