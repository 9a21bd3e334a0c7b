//go:build unix

package autoclave_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
)

// TestKilledAtRandom kills workers while 16 callers execute.
func TestKilledAtRandom(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 600
	}
	assault{
		cfg: autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 4, MaxWorkers: 4}}, executions: n, callers: 16,
		pause:   func() time.Duration { return time.Duration(2+rand.IntN(8)) * time.Millisecond },
		victims: func(pid int) []int { return []int{pid} },
		program: func(i int) string {
			return fmt.Sprintf(`async () => { const a = await tools.s.t({ n: %d }); const b = await tools.s.t({ n: a.n * 2 }); return b.n + 1 }`, i)
		},
	}.run(t)
}

// An assault is a load under which workers are killed: each caller gets its own
// right value or WorkerCrashed, nothing hangs, and the pool is at full strength
// afterwards.
type assault struct {
	cfg                 autoclave.Config
	executions, callers int
	pause               func() time.Duration // between two that are killed
	victims             func(pid int) []int  // what is killed of a worker
	program             func(i int) string   // comes to 2i+1
}

func (a assault) run(t *testing.T) {
	t.Helper()
	rt := open(t, a.cfg)
	var pids sync.Map
	host := autoclave.HostFunc(func(_ context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.Value{JSON: c.Arguments}, nil
	})
	stop := make(chan struct{})
	var killer sync.WaitGroup
	var kills atomic.Int64
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(a.pause()):
			}
			pids.Range(func(pid, _ any) bool {
				if rand.IntN(3) > 0 {
					return true
				}
				for _, victim := range a.victims(pid.(int)) {
					if syscall.Kill(victim, syscall.SIGKILL) == nil {
						kills.Add(1)
					}
				}
				pids.Delete(pid)
				return false
			})
		}
	})
	var ok, crashed atomic.Int64
	var callers sync.WaitGroup
	for c := range a.callers {
		callers.Go(func() {
			for i := c; i < a.executions; i += a.callers {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				res, err := rt.Execute(ctx, autoclave.Program{Source: a.program(i)}, host)
				cancel()
				switch {
				case err == nil:
					ok.Add(1)
					if want := fmt.Sprint(2*i + 1); string(res.Value) != want {
						t.Errorf("execution %d has %s, want %s", i, res.Value, want)
					}
					pids.Store(res.Worker.PID, true)
				case errors.Is(err, autoclave.WorkerCrashed):
					crashed.Add(1)
				default:
					t.Errorf("execution %d: %v", i, err)
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	killer.Wait()
	if kills.Load() == 0 || ok.Load() == 0 {
		t.Errorf("%d killed, %d ok, %d crashed: nothing was tried", kills.Load(), ok.Load(), crashed.Load())
	}
	t.Logf("%d killed, %d ok, %d crashed", kills.Load(), ok.Load(), crashed.Load())
	for deadline := time.Now().Add(20 * time.Second); rt.Stats().Idle < a.cfg.Pool.MaxWorkers; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the pool is not at full strength again: %+v", rt.Stats())
		}
	}
}

// TestStoppedWhileIdle: a worker that was stopped costs its next caller the
// health-check timeout at most, and no error.
func TestStoppedWhileIdle(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 1, MinIdle: -1, MaxWorkers: 2}})
	pid := execute(t, rt, "1", patient).Worker.PID
	for deadline := time.Now().Add(10 * time.Second); rt.Stats().Idle == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the worker was not armed again")
		}
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	res := execute(t, rt, "2", patient)
	if string(res.Value) != "2" || res.Worker.PID == pid {
		t.Errorf("value %s from worker %d", res.Value, res.Worker.PID)
	}
	awaitDeath(t, pid)
}

// TestNativeThatDoesNotLookUp: a native that never looks at the engine's
// interrupt ends with its process, within the limit and the grace, and the
// next execution is not disturbed.
func TestNativeThatDoesNotLookUp(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{
		Limits: autoclave.Limits{CPU: 300 * time.Millisecond, Heap: 1 << 30},
		Pool:   autoclave.PoolConfig{MinWorkers: 1, MaxWorkers: 2},
	})
	res, err := rt.Execute(t.Context(), autoclave.Program{Source: `async () => new Array(2**28).join('abc')`}, patient)
	if !errors.Is(err, autoclave.CPULimit) && !errors.Is(err, autoclave.HeapLimit) {
		t.Fatalf("got %v", err)
	}
	// Loose: the promise is 300 ms of CPU time and 250 ms of grace.
	if res.Usage.Run > 10*time.Second {
		t.Errorf("it ran %v", res.Usage.Run)
	}
	if got := execute(t, rt, "1 + 1", patient); string(got.Value) != "2" {
		t.Errorf("the next execution has %s", got.Value)
	}
}

// TestCancelAtEveryStep cancels executions at random moments.
func TestCancelAtEveryStep(t *testing.T) {
	t.Parallel()
	n := 400
	if raceEnabled {
		n = 60
	}
	rt := open(t, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 2, MaxWorkers: 2}})
	cancelAtRandom(t, rt, 4*n, 4, 3*time.Millisecond, func() {}, []cancelled{
		{source: `async () => { for (let i = 0; i < 20; i++) await tools.s.t({ i }); }`, want: "null"},
	})
}

// cancelled is a program that is cancelled, and how it ends where that comes
// too late: a value, or a code.
type cancelled struct{ source, want string }

// cancelAtRandom has callers of two tenants execute programs, each when ready
// returns, and cancels each within the time given: nothing leaks, and whoever
// is not cancelled gets what is his.
func cancelAtRandom(t *testing.T, rt *autoclave.Runtime, n, callers int, within time.Duration, ready func(), programs []cancelled) {
	t.Helper()
	var wg sync.WaitGroup
	var waiting, running, late atomic.Int64 // how they ended
	for c := range callers {
		wg.Go(func() {
			for i := c; i < n; i += callers {
				p := programs[i%len(programs)]
				ready()
				ctx, cancel := context.WithTimeout(context.Background(), rand.N(within))
				res, err := rt.Execute(ctx, autoclave.Program{Source: p.source, Tenant: fmt.Sprint(c % 2)}, patient)
				cancel()
				got := string(res.Value)
				if err != nil {
					got = string(res.Error.Code)
				}
				switch {
				case errors.Is(err, autoclave.Cancelled) && res.Worker == nil:
					waiting.Add(1)
				case errors.Is(err, autoclave.Cancelled):
					running.Add(1)
				case got != "" && got == p.want:
					late.Add(1)
				default:
					t.Errorf("execution %d of %.80s: %s, %v", i, p.source, res.Value, err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("cancelled: %d before they had a worker, %d that ran, %d too late", waiting.Load(), running.Load(), late.Load())
	if running.Load() == 0 {
		t.Error("nothing was tried")
	}
	for c := range 2 {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: "7", Tenant: fmt.Sprint(c)}, patient)
		if err != nil || string(res.Value) != "7" {
			t.Errorf("afterwards: %s, %v", res.Value, err)
		}
	}
	if s := rt.Stats(); s.Leased != 0 || s.Waiting != 0 || s.Held != 0 {
		t.Errorf("afterwards: %+v", s)
	}
}

// TestOpenWithoutServe: a program that forgets ServeIfWorker is told so,
// instead of starting itself for ever.
func TestOpenWithoutServe(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(exe, forgetfulArgument).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "make autoclave.ServeIfWorker() the first statement of main") {
		t.Errorf("%v: %s", err, out)
	}
	// And a user who types the worker's name does not become one.
	cmd := exec.Command(exe, forgetfulArgument)
	cmd.Args[0] = "autoclave-worker"
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ServeIfWorker") {
		t.Errorf("%v: %s", err, out)
	}
}
