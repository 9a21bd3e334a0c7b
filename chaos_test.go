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

// TestKilledAtRandom kills workers while 16 callers execute: each caller gets
// its own right value or WorkerCrashed, nothing hangs, and the pool is at full
// strength afterwards.
func TestKilledAtRandom(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 600
	}
	rt := open(t, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 4, MaxWorkers: 4}})
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
			case <-time.After(time.Duration(2+rand.IntN(8)) * time.Millisecond):
			}
			pids.Range(func(pid, _ any) bool {
				if rand.IntN(3) > 0 {
					return true
				}
				if syscall.Kill(pid.(int), syscall.SIGKILL) == nil {
					kills.Add(1)
				}
				pids.Delete(pid)
				return false
			})
		}
	})
	var ok, crashed atomic.Int64
	var callers sync.WaitGroup
	for c := range 16 {
		callers.Go(func() {
			for i := c; i < n; i += 16 {
				source := fmt.Sprintf(`async () => { const a = await tools.s.t({ n: %d }); const b = await tools.s.t({ n: a.n * 2 }); return b.n + 1 }`, i)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				res, err := rt.Execute(ctx, autoclave.Program{Source: source}, host)
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
	for deadline := time.Now().Add(20 * time.Second); rt.Stats().Idle < 4; time.Sleep(5 * time.Millisecond) {
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

// TestCancelAtEveryStep cancels executions at random moments: nothing leaks,
// whoever is not cancelled gets his value.
func TestCancelAtEveryStep(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 2, MaxWorkers: 2}})
	n := 400
	if raceEnabled {
		n = 60
	}
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := range n {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(3000))*time.Microsecond)
				_, err := rt.Execute(ctx, autoclave.Program{Source: `async () => { for (let i = 0; i < 20; i++) await tools.s.t({ i }); }`, Tenant: fmt.Sprint(c % 2)}, patient)
				cancel()
				if err != nil && !errors.Is(err, autoclave.Cancelled) {
					t.Errorf("execution %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	for c := range 2 {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: "7", Tenant: fmt.Sprint(c)}, patient)
		if err != nil || string(res.Value) != "7" {
			t.Errorf("afterwards: %s, %v", res.Value, err)
		}
	}
	if s := rt.Stats(); s.Leased != 0 || s.Waiting != 0 {
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
