//go:build unix

package autoclave_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/pool"
)

// descriptors counts what this process holds open, where the platform tells.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// servings collects who was served where. It is looked at when all is over: two
// callers of one worker may come to write it down in either order.
type servings struct {
	mu  sync.Mutex
	all map[int]map[uint64]string // by process and generation: the tenant
	// again are the processes of which a generation came twice: the kernel has
	// given their id to a second worker, and their tenants cannot be told apart.
	again map[int]bool
}

func (s *servings) add(w autoclave.WorkerInfo, tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all, s.again = map[int]map[uint64]string{}, map[int]bool{}
	}
	if s.all[w.PID] == nil {
		s.all[w.PID] = map[uint64]string{}
	}
	if _, twice := s.all[w.PID][w.Generation]; twice {
		s.again[w.PID] = true
	}
	s.all[w.PID][w.Generation] = tenant
}

// check fails the test where one worker served two tenants.
func (s *servings) check(t *testing.T) {
	t.Helper()
	shared := 0
	for pid, generations := range s.all {
		if s.again[pid] {
			continue
		}
		tenants := map[string]bool{}
		for _, tenant := range generations {
			tenants[tenant] = true
		}
		if len(tenants) > 1 {
			t.Errorf("worker %d served %v", pid, slices.Sorted(maps.Keys(tenants)))
		}
		if len(generations) > 1 {
			shared++
		}
	}
	if shared == 0 {
		t.Error("no worker served twice: nothing was checked")
	}
}

// TestManyTenantsUnderFire: 64 callers of 8 tenants share 4 workers, while
// workers are killed, contexts end and limits are met at random. Afterwards the
// counters balance and nothing is left.
func TestManyTenantsUnderFire(t *testing.T) {
	n := 50_000
	if testing.Short() || raceEnabled {
		n = 1_000
	}
	before := descriptors()
	rt, err := autoclave.Open(t.Context(), native(t, autoclave.Config{
		Limits: autoclave.Limits{CPU: 250 * time.Millisecond},
		Pool:   autoclave.PoolConfig{MinWorkers: 4, MinIdle: -1, MaxWorkers: 4},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var pids sync.Map
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond):
			}
			pids.Range(func(pid, _ any) bool {
				_ = syscall.Kill(pid.(int), syscall.SIGKILL)
				pids.Delete(pid)
				return false
			})
		}
	})
	var left atomic.Int64
	left.Store(int64(n))
	var ok, cancelled, crashed, limited atomic.Int64
	var served servings
	var callers sync.WaitGroup
	for c := range 64 {
		tenant := fmt.Sprint("tenant-", c%8)
		callers.Go(func() {
			for {
				i := left.Add(-1)
				if i < 0 {
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				source, want := fmt.Sprintf(`async () => (await tools.s.t({ n: %d })).n + 1`, i), fmt.Sprint(i+1)
				switch rand.IntN(1000) {
				case 0:
					source, want = `for (;;) {}`, ""
				case 1, 2, 3, 4, 5:
					cancel()
					ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rand.IntN(2000))*time.Microsecond)
				}
				res, err := rt.Execute(ctx, autoclave.Program{Source: source, Tenant: tenant}, instant)
				cancel()
				switch {
				case err == nil:
					ok.Add(1)
					if string(res.Value) != want {
						t.Errorf("execution %d has %s, want %s", i, res.Value, want)
					}
				case errors.Is(err, autoclave.Cancelled):
					cancelled.Add(1)
				case errors.Is(err, autoclave.WorkerCrashed):
					crashed.Add(1)
				case errors.Is(err, autoclave.CPULimit) && want == "":
					limited.Add(1)
				default:
					t.Errorf("execution %d: %v", i, err)
				}
				if w := res.Worker; w != nil {
					pids.Store(w.PID, true)
					served.add(*w, tenant)
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	killer.Wait()
	t.Logf("%d ok, %d cancelled, %d crashed, %d limited", ok.Load(), cancelled.Load(), crashed.Load(), limited.Load())
	if ok.Load() == 0 || cancelled.Load() == 0 {
		t.Error("nothing was tried")
	}
	served.check(t)
	closeRuntime(t, rt)
	s := rt.Stats()
	if s.Workers != 0 || s.Held != 0 || s.Waiting != 0 {
		t.Errorf("something is left: %+v", s)
	}
	var ended uint64
	for _, n := range s.Killed {
		ended += n
	}
	if s.Spawned != ended || s.Acquired != s.Released+s.Discarded {
		t.Errorf("the counters do not balance: %+v", s)
	}
	if after := descriptors(); before > 0 && after > before+4 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	pids.Range(func(pid, _ any) bool {
		awaitDeath(t, pid.(int))
		return true
	})
}

// BenchmarkRecycling is the price of replacing workers after so many uses.
func BenchmarkRecycling(b *testing.B) {
	for _, uses := range []int{1, 10, 50, 200, 1000, -1} {
		name := fmt.Sprint("uses=", uses)
		if uses < 0 {
			name = "uses=unlimited"
		}
		b.Run(name, func(b *testing.B) {
			rt := benchRuntime(b, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 2, MaxWorkers: 3, MaxUses: uses, MaxLifetime: -1}})
			var wg sync.WaitGroup
			begun := time.Now()
			for i := range 2 {
				wg.Go(func() {
					for j := i; j < b.N; j += 2 {
						mustRun(b, rt, trivial, instant)
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "executions/s")
		})
	}
}

// BenchmarkContention is what a caller sees where there are more callers than
// workers.
func BenchmarkContention(b *testing.B) {
	for _, factor := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("callers=%dx", factor), func(b *testing.B) {
			const workers = 2
			rt := benchRuntime(b, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: workers, MinIdle: -1, MaxWorkers: workers, MaxUses: -1}})
			callers := workers * factor
			times := make([][]time.Duration, callers)
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for j := c; j < b.N; j += callers {
						begun := time.Now()
						mustRun(b, rt, trivial, instant)
						times[c] = append(times[c], time.Since(begun))
					}
				})
			}
			wg.Wait()
			all := slices.Concat(times...)
			quantiles(b, "execute", all)
			b.ReportMetric(float64(all[len(all)*999/1000].Nanoseconds())/1000, "execute-p999-us")
		})
	}
}

// BenchmarkRecovery is from the kill of a worker to a pool at full strength.
func BenchmarkRecovery(b *testing.B) {
	rt := benchRuntime(b, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 2, MinIdle: -1, MaxWorkers: 2}})
	var times []time.Duration
	for b.Loop() {
		for rt.Stats().Idle < 2 {
			time.Sleep(50 * time.Microsecond)
		}
		pid := mustRun(b, rt, trivial, instant).Worker.PID
		for rt.Stats().Idle < 2 {
			time.Sleep(50 * time.Microsecond)
		}
		died := rt.Stats().Killed[pool.ReasonDied]
		begun := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		for {
			if s := rt.Stats(); s.Killed[pool.ReasonDied] > died && s.Idle == 2 {
				break
			}
			time.Sleep(20 * time.Microsecond)
		}
		times = append(times, time.Since(begun))
	}
	quantiles(b, "recovery", times)
}
