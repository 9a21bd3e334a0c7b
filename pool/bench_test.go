package pool_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/puddle/v2"

	"github.com/autoclave-run/autoclave/pool"
)

// benchPool is a pool that never recycles, with workers all armed.
func benchPool(b *testing.B, workers, uses int, spawn func(context.Context) (*fake, error)) *pool.Pool[*fake] {
	b.Helper()
	p := mustNew(b, pool.Config[*fake]{
		Spawn: spawn, MinWorkers: workers, MinIdle: -1, MaxWorkers: workers, MaxUses: uses, MaxQueue: -1,
	})
	b.Cleanup(func() { mustClose(b, p) })
	if _, err := p.PreWarm(b.Context()); err != nil {
		b.Fatal(err)
	}
	return p
}

func puddlePool(b *testing.B, workers int32) *puddle.Pool[*fake] {
	b.Helper()
	p, err := puddle.NewPool(&puddle.Config[*fake]{
		Constructor: spawnFake, Destructor: func(*fake) {}, MaxSize: workers,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	for range workers {
		if err := p.CreateResource(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

// BenchmarkAcquireRelease is one caller, and a worker is idle whenever he wants
// one. "caller" times Acquire and Release alone, a batch of 64 at a time, and
// waits for the resets off the clock; that is what a caller pays. "cycle" times
// everything, with 64 workers in turn, the resets in the background included.
// puddle has no resets: its resource is idle again when Release returns.
func BenchmarkAcquireRelease(b *testing.B) {
	const workers = 64
	b.Run("autoclave/caller", func(b *testing.B) {
		p := benchPool(b, workers, -1, nil)
		ctx := context.Background()
		leases := make([]*pool.Lease[*fake], workers)
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; n += workers {
			for i := range leases {
				leases[i], _ = p.Acquire(ctx, "")
			}
			for i := range leases {
				leases[i].Release()
			}
			b.StopTimer()
			for p.Stats().Idle < workers {
				time.Sleep(10 * time.Microsecond)
			}
			b.StartTimer()
		}
	})
	b.Run("autoclave/acquire", func(b *testing.B) {
		p := benchPool(b, workers, -1, nil)
		ctx := context.Background()
		leases := make([]*pool.Lease[*fake], workers)
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; n += workers {
			for i := range leases {
				leases[i], _ = p.Acquire(ctx, "")
			}
			b.StopTimer()
			for i := range leases {
				leases[i].Release()
			}
			for p.Stats().Idle < workers {
				time.Sleep(10 * time.Microsecond)
			}
			b.StartTimer()
		}
	})
	b.Run("autoclave/cycle", func(b *testing.B) {
		p := benchPool(b, workers, -1, nil)
		ctx := context.Background()
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			l, err := p.Acquire(ctx, "")
			if err != nil {
				b.Fatal(err)
			}
			l.Release()
		}
	})
	b.Run("puddle", func(b *testing.B) {
		p := puddlePool(b, workers)
		ctx := context.Background()
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			r, err := p.Acquire(ctx)
			if err != nil {
				b.Fatal(err)
			}
			r.Release()
		}
	})
}

// BenchmarkWaiters is so many callers for one worker: one has it, the others
// stand in line.
func BenchmarkWaiters(b *testing.B) {
	for _, waiters := range []int{1, 4, 64, 1000} {
		b.Run(fmt.Sprintf("autoclave/%d", waiters), func(b *testing.B) {
			p := benchPool(b, 1, -1, nil)
			share(b, waiters+1, func(ctx context.Context) error {
				l, err := p.Acquire(ctx, "")
				if err == nil {
					l.Release()
				}
				return err
			})
		})
		b.Run(fmt.Sprintf("autoclave_4_tenants_4_workers/%d", waiters), func(b *testing.B) {
			p := benchPool(b, 4, -1, nil)
			var n atomic.Int32
			share(b, waiters+4, func(ctx context.Context) error {
				l, err := p.Acquire(ctx, string(rune('a'+n.Add(1)%4)))
				if err == nil {
					l.Release()
				}
				return err
			})
		})
		b.Run(fmt.Sprintf("puddle/%d", waiters), func(b *testing.B) {
			p := puddlePool(b, 1)
			share(b, waiters+1, func(ctx context.Context) error {
				r, err := p.Acquire(ctx)
				if err == nil {
					r.Release()
				}
				return err
			})
		})
	}
}

// share has b.N calls of use made by so many goroutines.
func share(b *testing.B, goroutines int, use func(context.Context) error) {
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := use(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// burn spends so much CPU time, more or less, however busy the machine is.
func burn(d time.Duration) { sink.Add(spin(int(float64(d) * rate()))) }

var (
	sink atomic.Uint64
	// rate is how often spin turns in a nanosecond: the best of several trials.
	rate = sync.OnceValue(func() float64 {
		best := 0.0
		for range 50 {
			const turns = 200_000
			begin := time.Now()
			sink.Add(spin(turns))
			best = max(best, turns/float64(time.Since(begin)))
		}
		return best
	})
)

func spin(turns int) uint64 {
	x := uint64(88172645463325252)
	for range turns {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

// BenchmarkRecycling is two callers, two workers, and the CPU times of the design's
// budget: a lease of 100 µs, a Reset of 180 µs, a spawn of 4 ms. What recycling costs
// is the difference to MaxUses/unlimited; what it must cost, since the CPU has to
// come from somewhere, is in the column cpu-bound: the throughput that two cores
// could reach at best.
func BenchmarkRecycling(b *testing.B) {
	const lease, reset, spawn = 100 * time.Microsecond, 180 * time.Microsecond, 4 * time.Millisecond
	for _, uses := range []int{1, 10, 50, 200, -1} {
		name := fmt.Sprint("MaxUses/", uses)
		if uses < 0 {
			name = "MaxUses/unlimited"
		}
		b.Run(name, func(b *testing.B) {
			p := mustNew(b, pool.Config[*fake]{MaxUses: uses, MaxWorkers: 4, Spawn: func(context.Context) (*fake, error) {
				burn(spawn)
				f := newFake()
				f.reset = func(context.Context) error { burn(reset); return nil }
				return f, nil
			}})
			defer mustClose(b, p)
			if _, err := p.PreWarm(b.Context()); err != nil {
				b.Fatal(err)
			}
			share(b, 2, func(ctx context.Context) error {
				l, err := p.Acquire(ctx, "")
				if err == nil {
					burn(lease)
					l.Release()
				}
				return err
			})
			each := lease + reset
			switch {
			case uses == 1:
				each = lease + spawn
			case uses > 1:
				each = lease + (reset*time.Duration(uses-1)+spawn)/time.Duration(uses)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leases/s")
			b.ReportMetric(float64(2*time.Second)/float64(each), "cpu-bound")
		})
	}
}
