package pool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

var errNoExec = errors.New("exec: no such file")

// TestSpawnFails: attempts become seldom, callers hear of it at once, and all is
// well again when spawning is.
func TestSpawnFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		var attempts atomic.Int64
		fails.Store(true)
		p := mustNew(t, pool.Config[*fake]{Spawn: func(context.Context) (*fake, error) {
			attempts.Add(1)
			if fails.Load() {
				return nil, errNoExec
			}
			return newFake(), nil
		}})
		synctest.Wait()
		begin := time.Now()
		_, err := p.Acquire(t.Context(), "a")
		var spawn *pool.SpawnError
		if !errors.As(err, &spawn) || !errors.Is(err, errNoExec) || spawn.RetryAfter <= 0 || time.Since(begin) != 0 {
			t.Errorf("Acquire after %v: %v", time.Since(begin), err)
		}
		if _, err := p.TryAcquire("a"); !errors.As(err, &spawn) {
			t.Errorf("TryAcquire: %v", err)
		}
		time.Sleep(time.Minute)
		if n := attempts.Load(); n < 10 || n > 18 {
			t.Errorf("%d attempts in a minute", n)
		}
		fails.Store(false)
		time.Sleep(13 * time.Second)
		synctest.Wait()
		if s := p.Stats(); s.Idle != 2 || s.ConsecutiveFailed != 0 || s.RetrySpawnIn != 0 {
			t.Errorf("after recovery: %+v", s)
		}
		mustAcquire(t, p, "a").Release()
		mustClose(t, p)
	})
}

// TestSpawnFailsForSome: a caller whose tenant has a worker that will come back
// waits for it; only those whom nothing else could serve are turned away, and the
// first ones too when that worker does not come back.
func TestSpawnFailsForSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		p := mustNew(t, pool.Config[*fake]{MinWorkers: 1, MinIdle: -1, MaxWorkers: 2, Spawn: func(context.Context) (*fake, error) {
			time.Sleep(time.Millisecond)
			if fails.Load() {
				return nil, errNoExec
			}
			return newFake(), nil
		}})
		l := mustAcquire(t, p, "a")
		fails.Store(true)
		type result struct {
			l   *pool.Lease[*fake]
			err error
		}
		acquire := func(tenant string) chan result {
			c := make(chan result, 1)
			go func() {
				l, err := p.Acquire(t.Context(), tenant)
				c <- result{l, err}
			}()
			synctest.Wait()
			return c
		}
		a, b := acquire("a"), acquire("b")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		var spawn *pool.SpawnError
		if r := <-b; !errors.As(r.err, &spawn) {
			t.Errorf("b: %v", r.err)
		}
		l.Release()
		r := <-a
		if r.err != nil || !r.l.Reused() {
			t.Fatalf("a: %v", r.err)
		}
		a = acquire("a")
		r.l.Discard(errNoExec)
		if r := <-a; !errors.As(r.err, &spawn) {
			t.Errorf("a, when its only worker is gone: %v", r.err)
		}
		mustClose(t, p)
	})
}

func TestSpawnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MinWorkers: -1, Spawn: func(ctx context.Context) (*fake, error) {
			<-ctx.Done()
			return nil, errors.New("last words")
		}})
		begin := time.Now()
		_, err := p.Acquire(t.Context(), "a")
		if time.Since(begin) != 5*time.Second || err == nil || !strings.Contains(err.Error(), "SpawnTimeout") || !strings.Contains(err.Error(), "last words") {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		mustClose(t, p)
	})
}

// TestStillborn: workers that die as soon as they are armed do not make the pool
// spawn without a pause.
func TestStillborn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		var lives atomic.Bool
		p := mustNew(t, pool.Config[*fake]{Spawn: func(context.Context) (*fake, error) {
			attempts.Add(1)
			f := newFake()
			if !lives.Load() {
				time.AfterFunc(time.Millisecond, func() { f.Kill("no reason") })
			}
			return f, nil
		}})
		time.Sleep(time.Minute)
		if n := attempts.Load(); n < 10 || n > 40 {
			t.Errorf("%d attempts in a minute", n)
		}
		lives.Store(true)
		time.Sleep(13 * time.Second)
		mustAcquire(t, p, "a").Release()
		synctest.Wait()
		if s := p.Stats(); s.Idle < 2 || s.ConsecutiveFailed != 0 {
			t.Errorf("after recovery: %+v", s)
		}
		mustClose(t, p)
	})
}

func TestCloseWaitsThenKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1})
		l := mustAcquire(t, p, "a")
		waiter := make(chan error, 1)
		go func() { _, err := p.Acquire(t.Context(), "a"); waiter <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		closed := make(chan error, 2)
		begin := time.Now()
		for range 2 {
			go func() { closed <- p.Close(ctx) }()
		}
		if err := <-waiter; err != pool.ErrClosed || time.Since(begin) != 0 {
			t.Errorf("the caller in line, after %v: %v", time.Since(begin), err)
		}
		if _, err := p.Acquire(t.Context(), "a"); err != pool.ErrClosed {
			t.Errorf("a new caller: %v", err)
		}
		for range 2 {
			if err := <-closed; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 leases") {
				t.Errorf("Close: %v", err)
			}
		}
		if time.Since(begin) != time.Minute || l.Worker().reason != "shutdown" {
			t.Errorf("closed after %v, worker killed for %q", time.Since(begin), l.Worker().reason)
		}
		l.Release()
		p.Reset()
		if err := p.Close(t.Context()); err == nil {
			t.Error("a later Close says something else")
		}
		if s := p.Stats(); s.Workers != 0 || s.Held != 0 || balance(s) != nil {
			t.Errorf("%+v", s)
		}
	})
}

func TestCloseIsGraceful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{})
		l := mustAcquire(t, p, "a")
		time.AfterFunc(time.Second, l.Release)
		begin := time.Now()
		mustClose(t, p)
		if time.Since(begin) != time.Second || l.Worker().reason != "shutdown" {
			t.Errorf("closed after %v, worker killed for %q", time.Since(begin), l.Worker().reason)
		}
		mustClose(t, p)
	})
}

// TestDrain serves those in line, also those who need a new worker for it.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1})
		l := mustAcquire(t, p, "a")
		served := make(chan string, 100)
		inLine(t, p, "a", 3, time.Second, served)
		inLine(t, p, "b", 3, time.Second, served)
		drained := make(chan error, 1)
		go func() { drained <- p.Drain(t.Context()) }()
		synctest.Wait()
		if _, err := p.TryAcquire("a"); err != pool.ErrClosed {
			t.Errorf("a new caller: %v", err)
		}
		l.Release()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if s := p.Stats(); len(served) != 6 || s.Acquired != 7 || s.Workers != 0 {
			t.Errorf("%d served, %+v", len(served), s)
		}
	})
}

func TestDrainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1})
		l := mustAcquire(t, p, "a")
		waiter := make(chan error, 1)
		go func() { _, err := p.Acquire(t.Context(), "a"); waiter <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := p.Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 callers") {
			t.Errorf("Drain: %v", err)
		}
		if err := <-waiter; err != pool.ErrClosed {
			t.Errorf("the caller in line: %v", err)
		}
		l.Release()
	})
}

// TestCloseEndsSpawns: the context of a Spawn ends when the pool closes.
func TestCloseEndsSpawns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{SpawnTimeout: -1, Spawn: func(ctx context.Context) (*fake, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		begin := time.Now()
		mustClose(t, p)
		if s := p.Stats(); time.Since(begin) != 0 || s.SpawnFailures != 0 {
			t.Errorf("after %v: %+v", time.Since(begin), s)
		}
	})
}

// TestDroppedLease: a lease that becomes garbage is found, its worker killed, its
// slot free again. Not in fake time, which has no garbage collector.
func TestDroppedLease(t *testing.T) {
	p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1})
	drop := func() *fake { return mustAcquire(t, p, "a").Worker() }
	collect := func(until func(pool.Stats) bool) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for !until(p.Stats()) {
			if time.Now().After(deadline) {
				t.Fatalf("%+v", p.Stats())
			}
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}
	f := drop()
	collect(func(s pool.Stats) bool { return s.Dropped == 1 })
	if <-f.Done(); !strings.HasPrefix(f.reason, "dropped") {
		t.Errorf("killed for %q", f.reason)
	}

	// The guard of a worker serves for many leases, and not only the first can be lost.
	for range 5 {
		mustAcquire(t, p, "a").Release()
	}
	f = drop()
	collect(func(s pool.Stats) bool { return s.Dropped == 2 })
	<-f.Done()

	// One that is dropped when its worker is dead already.
	f = drop()
	f.Kill("from outside")
	collect(func(s pool.Stats) bool { return s.Dropped == 3 })

	// A lease that is held is not lost, whatever is collected.
	l := mustAcquire(t, p, "a")
	for range 3 {
		runtime.GC()
	}
	l.Release()
	mustClose(t, p)
	s := p.Stats()
	if err := balance(s); err != nil || s.Dropped != 3 || s.Killed[pool.ReasonDropped] != 2 || s.Held != 0 {
		t.Errorf("%v: %+v", err, s)
	}
}

// TestClosedPoolIsGarbage: nothing that the pool attached to the runtime keeps it
// alive.
func TestClosedPoolIsGarbage(t *testing.T) {
	collected := make(chan struct{})
	func() {
		p := mustNew(t, pool.Config[*fake]{MinWorkers: 4})
		mustAcquire(t, p, "a").Release()
		l := mustAcquire(t, p, "b")
		mustAcquire(t, p, "c").Discard(nil)
		_ = p.Close(ended())
		l.Release()
		runtime.AddCleanup(p, func(c chan struct{}) { close(c) }, collected)
	}()
	deadline := time.Now().Add(30 * time.Second)
	for {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed pool is still referred to")
		}
	}
}
