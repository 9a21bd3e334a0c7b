package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// inLine starts so many callers one after the other; each reports in served when
// it has its lease, holds it for hold, and releases it.
func inLine(t *testing.T, p *pool.Pool[*fake], tenant string, n int, hold time.Duration, served chan<- string) {
	for i := range n {
		go func() {
			l, err := p.Acquire(t.Context(), tenant)
			if err != nil {
				served <- err.Error()
				return
			}
			served <- fmt.Sprint(tenant, i)
			time.Sleep(hold)
			l.Release()
		}()
		synctest.Wait()
	}
}

func drain(served chan string) []string {
	var all []string
	for {
		select {
		case s := <-served:
			all = append(all, s)
		default:
			return all
		}
	}
}

// TestRoundRobin: new workers go to the tenants in turn, and within a tenant
// to whoever came first.
func TestRoundRobin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spawn := make(chan struct{})
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, MinIdle: -1, MaxWorkers: 1, MaxUses: 1, Spawn: func(context.Context) (*fake, error) {
			<-spawn
			return newFake(), nil
		}})
		served := make(chan string, 100)
		inLine(t, p, "a", 3, 0, served)
		inLine(t, p, "b", 2, 0, served)
		inLine(t, p, "c", 1, 0, served)
		for range 6 {
			spawn <- struct{}{}
			synctest.Wait()
		}
		if got, want := fmt.Sprint(drain(served)), "[a0 b0 c0 a1 b1 a2]"; got != want {
			t.Errorf("served %v, want %v", got, want)
		}
		mustClose(t, p)
	})
}

// TestPatience: a burst of one tenant keeps its worker for 50 ms while another
// waits; the other one does not wait much longer than that.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxUses: -1, Spawn: func(context.Context) (*fake, error) {
			time.Sleep(4 * time.Millisecond)
			return newFake(), nil
		}})
		if _, err := p.PreWarm(t.Context()); err != nil {
			t.Fatal(err)
		}
		served := make(chan string, 1000)
		inLine(t, p, "a", 100, time.Millisecond, served)
		begin := time.Now()
		l := mustAcquire(t, p, "b")
		if d := time.Since(begin); d < 50*time.Millisecond || d > 60*time.Millisecond {
			t.Errorf("b waited %v", d)
		}
		if n := len(drain(served)); n < 49 || n > 52 {
			t.Errorf("%d of a were served meanwhile", n)
		}
		if s := p.Stats(); s.Killed[pool.ReasonTenant] != 1 {
			t.Errorf("%+v", s)
		}
		l.Release()
		time.Sleep(time.Second)
		if s := p.Stats(); s.Waiting != 0 || s.Acquired != 101 || s.Killed[pool.ReasonTenant] != 2 {
			t.Errorf("%+v", s)
		}
		mustClose(t, p)
	})
}

// TestTurns: three tenants with endless lines share one worker in slices, and
// no worker is killed more often than that.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxUses: -1, MaxQueue: -1})
		served := make(chan string, 4000)
		for _, tenant := range []string{"a", "b", "c"} {
			inLine(t, p, tenant, 1000, time.Millisecond, served)
		}
		drain(served)
		time.Sleep(900 * time.Millisecond)
		counts := map[byte]int{}
		for _, s := range drain(served) {
			counts[s[0]]++
		}
		for _, tenant := range "abc" {
			if n := counts[byte(tenant)]; n < 200 || n > 400 {
				t.Errorf("%c was served %d times in 900 ms", tenant, n)
			}
		}
		if n := p.Stats().Killed[pool.ReasonTenant]; n < 14 || n > 19 {
			t.Errorf("%d replacements in 900 ms", n)
		}
		_ = p.Close(ended())
		time.Sleep(time.Second) // whoever still sleeps
	})
}

// TestEqualSharesAreLeftAlone: two tenants with endless lines and a worker
// each do not take it from one another.
func TestEqualSharesAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 2, MaxUses: -1, MaxQueue: -1})
		synctest.Wait()
		served := make(chan string, 4000)
		inLine(t, p, "a", 1, time.Millisecond, served)
		inLine(t, p, "b", 1, time.Millisecond, served)
		inLine(t, p, "a", 500, 2*time.Millisecond, served)
		inLine(t, p, "b", 500, 2*time.Millisecond, served)
		time.Sleep(900 * time.Millisecond)
		if s := p.Stats(); s.Killed[pool.ReasonTenant] != 0 || s.Waiting == 0 {
			t.Errorf("%+v", s)
		}
		_ = p.Close(ended())
		time.Sleep(time.Second) // whoever still sleeps
	})
}

// TestPreference: own idle worker, then an unbound one, then a new one, then
// the one of another tenant that has been idle longest.
func TestPreference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MinWorkers: 1, MinIdle: -1, MaxWorkers: 3, MaxUses: -1})
		synctest.Wait()
		a := mustAcquire(t, p, "a") // the unbound one
		b := mustAcquire(t, p, "b") // a new one
		c := mustAcquire(t, p, "c") // a new one
		workers := map[string]*fake{"a": a.Worker(), "b": b.Worker(), "c": c.Worker()}
		if s := p.Stats(); s.Spawned != 3 {
			t.Errorf("%+v", s)
		}
		for _, l := range []*pool.Lease[*fake]{b, a, c} {
			l.Release()
			time.Sleep(time.Second)
		}
		for tenant, w := range workers {
			l := mustAcquire(t, p, tenant)
			if l.Worker() != w {
				t.Errorf("%s did not get its own worker", tenant)
			}
			defer l.Release()
		}
		_ = p.Close(ended())

		p = mustNew(t, pool.Config[*fake]{MinWorkers: 1, MinIdle: -1, MaxWorkers: 3, MaxUses: -1})
		a, b, c = mustAcquire(t, p, "a"), mustAcquire(t, p, "b"), mustAcquire(t, p, "c")
		for _, l := range []*pool.Lease[*fake]{b, a, c} {
			l.Release()
			time.Sleep(time.Second)
		}
		d := mustAcquire(t, p, "d")
		if b.Worker().reason != "tenant" || a.Worker().reason != "" || c.Worker().reason != "" {
			t.Errorf("killed: a %q, b %q, c %q; want b alone", a.Worker().reason, b.Worker().reason, c.Worker().reason)
		}
		d.Release()
		mustClose(t, p)
	})
}

// TestOwnWorkerIsWaitedFor: at MaxWorkers a tenant whose worker is being reset
// waits for it before another tenant's is killed, but not for ever.
func TestOwnWorkerIsWaitedFor(t *testing.T) {
	for _, test := range []struct {
		reset, wait time.Duration
		killed      uint64
	}{
		{20 * time.Millisecond, 20 * time.Millisecond, 0},
		{400 * time.Millisecond, 50 * time.Millisecond, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := mustNew(t, pool.Config[*fake]{MaxWorkers: 2, Spawn: func(context.Context) (*fake, error) {
				f := newFake()
				f.reset = func(context.Context) error { time.Sleep(test.reset); return nil }
				return f, nil
			}})
			synctest.Wait()
			mustAcquire(t, p, "b").Release()
			time.Sleep(time.Second)
			mustAcquire(t, p, "a").Release()
			l := mustAcquire(t, p, "a")
			if l.Waited() != test.wait || p.Stats().Killed[pool.ReasonTenant] != test.killed {
				t.Errorf("with a reset of %v: waited %v, %v", test.reset, l.Waited(), p.Stats().Killed)
			}
			l.Release()
			mustClose(t, p)
		})
	}
}

// TestStackLetsSurplusAge: with LIFO, what a burst left behind is reaped though
// the pool is in use all the time.
func TestStackLetsSurplusAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MinIdle: -1, MaxUses: -1})
		var burst []*pool.Lease[*fake]
		for range 8 {
			burst = append(burst, mustAcquire(t, p, "a"))
		}
		for _, l := range burst {
			l.Release()
		}
		for range 61 {
			time.Sleep(time.Second)
			mustAcquire(t, p, "a").Release()
		}
		synctest.Wait()
		if s := p.Stats(); s.Workers != 2 || s.Killed[pool.ReasonIdle] != 6 {
			t.Errorf("%+v", s)
		}
		mustClose(t, p)
	})
}

func TestQueueBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxQueue: 4, MaxQueuePerTenant: 3, MaxQueueWait: time.Second})
		l := mustAcquire(t, p, "a")
		served := make(chan string, 100)
		inLine(t, p, "a", 3, 0, served)
		var overloaded *pool.OverloadedError
		if _, err := p.Acquire(t.Context(), "a"); !errors.As(err, &overloaded) || overloaded.RetryAfter <= 0 {
			t.Errorf("the fourth of a: %v", err)
		}
		inLine(t, p, "b", 1, 0, served)
		if _, err := p.Acquire(t.Context(), "c"); !errors.As(err, &overloaded) || overloaded.RetryAfter <= 0 {
			t.Errorf("the fifth of all: %v", err)
		}
		if _, err := p.TryAcquire("a"); !errors.As(err, &overloaded) {
			t.Errorf("TryAcquire: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(drain(served)); n != 4 {
			t.Errorf("%d of 4 were refused after MaxQueueWait", n)
		}
		if s := p.Stats(); s.RefusedTenant != 1 || s.RefusedQueue != 1 || s.RefusedTry != 1 || s.RefusedWait != 4 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		l.Release()
		mustClose(t, p)
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spawn := make(chan struct{}, 10)
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, MinIdle: -1, MaxWorkers: 1, Spawn: func(ctx context.Context) (*fake, error) {
			<-spawn
			return newFake(), nil
		}})
		cause := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err := p.Acquire(ctx, "a")
		if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Errorf("Acquire: %v", err)
		}
		// The spawn outlives the caller, and serves the next one, of any tenant.
		spawn <- struct{}{}
		synctest.Wait()
		if s := p.Stats(); s.Armed != 1 || s.CancelledWaits != 1 {
			t.Errorf("%+v", s)
		}
		l := mustAcquire(t, p, "b")
		if l.Waited() != 0 || p.Stats().Spawned != 1 {
			t.Errorf("waited %v, %+v", l.Waited(), p.Stats())
		}
		l.Release()
		mustClose(t, p)
	})
}

// TestTryAcquireGetsThere: a caller who only tries still makes the pool spawn, and
// replace a worker of another tenant.
func TestTryAcquireGetsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, MinIdle: -1, MaxWorkers: 1})
		for _, tenant := range []string{"a", "b"} {
			// The first attempt makes room at most, the second one spawns.
			l, err := p.TryAcquire(tenant)
			if err == nil {
				t.Errorf("%s got a worker that cannot be there", tenant)
			}
			for range 2 {
				if synctest.Wait(); err != nil {
					l, err = p.TryAcquire(tenant)
				}
			}
			if err != nil {
				t.Errorf("%s: %v", tenant, err)
				break
			}
			if _, err := p.TryAcquire(tenant); err == nil {
				t.Error("two leases of one worker")
			}
			l.Release()
			synctest.Wait()
		}
		if s := p.Stats(); s.Spawned != 2 || s.Killed[pool.ReasonTenant] != 1 {
			t.Errorf("%+v", s)
		}
		mustClose(t, p)
	})
}

// TestLoopKeepsItsWorker: a tenant that comes back soon keeps its idle worker
// while another one, who has as many, stands in line; one who does not come back
// loses it.
func TestLoopKeepsItsWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 2, MaxUses: -1, MaxQueue: -1})
		synctest.Wait()
		served := make(chan string, 4000)
		mustAcquire(t, p, "b").Release()
		inLine(t, p, "a", 1000, 10*time.Millisecond, served)
		for range 20 {
			time.Sleep(200 * time.Millisecond)
			l := mustAcquire(t, p, "b")
			if l.Waited() != 0 {
				t.Errorf("b waited %v", l.Waited())
			}
			time.Sleep(10 * time.Millisecond)
			l.Release()
		}
		if n := p.Stats().Killed[pool.ReasonTenant]; n != 0 {
			t.Errorf("%d replacements", n)
		}
		drain(served)
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if s := p.Stats(); s.Killed[pool.ReasonTenant] != 1 || s.Leased != 2 {
			t.Errorf("when b is gone: %+v", s)
		}
		_ = p.Close(ended())
		time.Sleep(time.Second)
	})
}

// TestMoreGivesAtOnce: a tenant with two workers more than the one in line gives
// an idle one at once.
func TestMoreGivesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 4, MaxUses: -1})
		var leases []*pool.Lease[*fake]
		for range 3 {
			leases = append(leases, mustAcquire(t, p, "b"))
		}
		a := mustAcquire(t, p, "a")
		for _, l := range leases {
			l.Release()
		}
		synctest.Wait()
		l := mustAcquire(t, p, "a")
		if l.Waited() != 0 || p.Stats().Killed[pool.ReasonTenant] != 1 {
			t.Errorf("waited %v, %+v", l.Waited(), p.Stats())
		}
		l.Release()
		a.Release()
		mustClose(t, p)
	})
}

// TestReserve: with one in reserve, a tenant whose leases never end leaves a
// worker to each that comes, and has no more than its share of those.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 4, Reserve: 1, MaxUses: -1, MaxQueue: -1, Spawn: func(context.Context) (*fake, error) {
			time.Sleep(5 * time.Millisecond)
			return newFake(), nil
		}})
		served := make(chan string, 4000)
		inLine(t, p, "a", 2000, 20*time.Millisecond, served)
		time.Sleep(time.Second)
		if s := p.Stats(); s.Leased != 3 || s.Armed != 1 {
			t.Errorf("%+v", s)
		}
		if _, err := p.TryAcquire("a"); err == nil {
			t.Error("a got what is in reserve")
		}
		for _, tenant := range []string{"b", "c"} {
			l := mustAcquire(t, p, tenant)
			if l.Waited() != 0 {
				t.Errorf("%s waited %v", tenant, l.Waited())
			}
			time.Sleep(25*time.Millisecond + 5*time.Millisecond) // one of a's ends, and its successor starts
			defer l.Release()
		}
		if s := p.Stats(); s.Leased != 3 || s.Armed != 1 || s.Killed[pool.ReasonTenant] != 2 {
			t.Errorf("beside b and c: %+v", s)
		}
		d := mustAcquire(t, p, "d")
		if d.Waited() != 0 {
			t.Errorf("d waited %v", d.Waited())
		}
		// Three tenants hold one each, and a still has one.
		time.Sleep(time.Second)
		if n := len(drain(served)); n == 0 {
			t.Error("a gets nothing")
		}
		_ = p.Close(ended())
		time.Sleep(time.Second)
	})
}

// TestReserveIsNoTrap: what is in reserve is given out when its claimant has
// nothing left, while spawning fails, and while the pool drains.
func TestReserveIsNoTrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail atomic.Bool
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, MaxWorkers: 3, Reserve: 1, MaxUses: -1, Spawn: func(context.Context) (*fake, error) {
			if fail.Load() {
				return nil, errors.New("no more")
			}
			return newFake(), nil
		}})
		served := make(chan string, 10)
		expect := func(what, want string) {
			t.Helper()
			synctest.Wait()
			if got := fmt.Sprint(drain(served)); got != want {
				t.Errorf("%s: %s, want %s (%+v)", what, got, want, p.Stats())
			}
		}
		first, second := mustAcquire(t, p, "a"), mustAcquire(t, p, "a")
		synctest.Wait()
		inLine(t, p, "a", 1, time.Minute, served)
		expect("with two leases and one in reserve", "[]")
		fail.Store(true)
		first.Discard(errors.New("broken"))
		expect("when the successor cannot be spawned", "[a0]")
		fail.Store(false)
		time.Sleep(time.Second) // a spawn succeeds
		if s := p.Stats(); s.Armed != 1 || s.Leased != 2 {
			t.Errorf("%+v", s)
		}
		inLine(t, p, "a", 1, time.Minute, served)
		expect("with one in reserve again", "[]")
		done := make(chan error, 1)
		go func() { done <- p.Drain(t.Context()) }()
		expect("while the pool drains", "[a0]")
		second.Release()
		time.Sleep(3 * time.Minute)
		if err := <-done; err != nil {
			t.Error(err)
		}

		p = mustNew(t, pool.Config[*fake]{MinWorkers: -1, MaxWorkers: 2, Reserve: 1, MaxUses: -1})
		l := mustAcquire(t, p, "a")
		synctest.Wait()
		inLine(t, p, "a", 1, 0, served)
		expect("with one lease and one in reserve", "[]")
		l.Discard(errors.New("broken"))
		expect("when a has nothing left", "[a0]")
		mustClose(t, p)
	})
}
