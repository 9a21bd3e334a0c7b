//go:build linux

package autoclave_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// children lists the processes that a process has started.
func children(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// The name, in brackets, may have anything in it. Behind it come the
		// state and the parent.
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 2 && fields[1] == strconv.Itoa(pid) {
			found = append(found, child)
		}
	}
	return found
}

// shaperOf returns the second process of a worker, the one that parses.
func shaperOf(t *testing.T, pid int) int {
	t.Helper()
	found := children(pid)
	if len(found) != 1 {
		t.Fatalf("worker %d has the children %v, want its shaper", pid, found)
	}
	return found[0]
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("killing %d: %v", pid, err)
	}
}

// computing is a program that computes for as long and comes to 7. It asks
// nobody for anything.
func computing(d time.Duration) string {
	return fmt.Sprintf("(() => { for (const end = Date.now() + %d; Date.now() < end; ); return 7 })()", d.Milliseconds())
}

// declarations is a program's text with types in it, so that V8 does not take
// it: the shaper parses it for longer than in proportion.
func declarations(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "let v%d: number = %d;\n", i, i)
	}
	return b.String()
}

// TestV8Killed kills the worker, or its shaper alone, at a moment that is known
// to be in the middle of something. The caller hears what the contract says: of
// a program that had no effect yet, nothing; of another one, that its worker
// died. The next is served, and no process of the worker is left.
func TestV8Killed(t *testing.T) {
	t.Parallel()
	cfg := v8(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{Result: 16 << 20, Arguments: 16 << 20, CPU: time.Minute}})
	rt := open(t, cfg)
	// Ways to kill: at once or after a while, from within the host.
	soon := func(within time.Duration) func(int) {
		return func(pid int) { time.AfterFunc(rand.N(within), func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) }
	}
	const large = `"x".repeat(8_000_000)`
	for _, c := range []struct {
		name, source string
		begin        func(pid int) // what happens when the program is handed over
		call, event  func(pid int) // what happens when it calls a tool, or is heard
		shaper       bool          // it happens to the shaper
		want         string        // the value, or the code of the error
		calls        int           // that the host gets, where it matters
		times        int
	}{
		{name: "idle", source: "7", begin: func(pid int) { kill(t, pid) }, want: "7"},
		{name: "computing", source: computing(400 * time.Millisecond), begin: soon(200 * time.Millisecond), want: "7", times: 2},
		{name: "waiting for a timer", source: "await sleep(400); return 7", begin: soon(200 * time.Millisecond), want: "7"},
		{name: "nobody heard it", source: "console.log('x'); emit({ type: 'text', text: 'x' }); await sleep(400); return 7", begin: soon(200 * time.Millisecond), want: "7"},
		{name: "heard", source: "console.log('x'); " + computing(400*time.Millisecond), event: func(pid int) { kill(t, pid) }, want: "WORKER_CRASHED"},
		{name: "in a host call", source: "await tools.s.t({ wait: 1 }); return 7", call: func(pid int) { kill(t, pid) }, want: "WORKER_CRASHED", calls: 1},
		{name: "in eight host calls", source: "await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => tools.s.t({ wait: n })))", call: soon(2 * time.Millisecond), want: "WORKER_CRASHED"},
		{name: "computing after a host call", source: "await tools.s.t({}); for (;;) {}", call: soon(50 * time.Millisecond), want: "WORKER_CRASHED", calls: 1},
		{name: "sending large arguments", source: "await tools.s.t({ a: " + large + " }); return 7", begin: soon(30 * time.Millisecond), want: "7 or WORKER_CRASHED", times: 2},
		{name: "reading a large answer", source: "(await tools.s.large({})).length > 1e6 ? 7 : 0", call: soon(10 * time.Millisecond), want: "7 or WORKER_CRASHED", times: 2, calls: 1},
		{name: "sending a large result", source: large + ".length && " + large, begin: soon(40 * time.Millisecond), want: `"x`, times: 3},
		// The host does not read while it listens: the pipe is full.
		{name: "sending a large result that nobody reads", source: "console.log('x'); " + large, event: func(pid int) { time.Sleep(rand.N(20 * time.Millisecond)); kill(t, pid) }, want: "WORKER_CRASHED", times: 3},

		{name: "the shaper, idle", source: "const n: number = 7; return n", begin: func(pid int) { kill(t, pid) }, shaper: true, want: "7"},
		{name: "the shaper, which is not needed", source: "7", begin: func(pid int) { kill(t, pid) }, shaper: true, want: "7"},
		{name: "the shaper, in a host call", source: "const n: { n: number } = await tools.s.t({ n: 7 }); return n.n", call: func(pid int) { kill(t, pid) }, shaper: true, want: "7", calls: 1},
		{name: "the shaper, before an error", source: "async () => { throw new Error('mine') }", begin: func(pid int) { kill(t, pid) }, shaper: true, want: "SCRIPT_ERROR"},
		{name: "the shaper, before a syntax error", source: "const = 7", begin: func(pid int) { kill(t, pid) }, shaper: true, want: "SYNTAX_ERROR"},
		{name: "the shaper, parsing", source: declarations(10_000) + "return 7", begin: soon(100 * time.Millisecond), shaper: true, want: "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range max(1, c.times) {
				pid := execute(t, rt, "1", patient).Worker.PID
				shaper := shaperOf(t, pid)
				victim := pid
				if c.shaper {
					victim = shaper
				}
				var calls atomic.Int64
				var once sync.Once
				var host autoclave.Host = autoclave.HostFunc(func(ctx context.Context, call autoclave.ToolCall) (autoclave.Value, error) {
					calls.Add(1)
					if c.call != nil {
						once.Do(func() { c.call(victim) })
					}
					if call.Tool == "large" {
						return autoclave.Value{JSON: []byte(`"` + strings.Repeat("x", 8<<20) + `"`)}, nil
					}
					return patient(ctx, call)
				})
				if c.event != nil {
					host = listener{recorder: &recorder{Host: host}, heard: func() { once.Do(func() { c.event(victim) }) }}
				}
				if c.begin != nil {
					c.begin(victim)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				res, err := rt.Execute(ctx, autoclave.Program{Source: c.source}, host)
				cancel()
				got := string(res.Value)
				if err != nil {
					got = string(res.Error.Code)
				}
				if want := strings.Split(c.want, " or "); got != want[0] && got != want[len(want)-1] && !strings.HasPrefix(c.want, `"`) {
					t.Errorf("got %.100s, %v, want %s", got, err, c.want)
				} else if strings.HasPrefix(c.want, `"`) && len(got) != 8_000_002 {
					t.Errorf("got %d bytes, %.100v", len(got), err)
				}
				if errors.Is(err, autoclave.WorkerCrashed) {
					checkKilled(t, res)
				}
				if n := int(calls.Load()); c.calls > 0 && n != c.calls {
					t.Errorf("the host had %d calls, want %d: no effect happens twice", n, c.calls)
				}
				// A TypeScript program needs both processes.
				if next := execute(t, rt, "const n: number = 2; return n", patient); string(next.Value) != "2" {
					t.Errorf("the next execution has %s", next.Value)
				}
				// Its end may have come before what was to kill it.
				_ = syscall.Kill(victim, syscall.SIGKILL)
				execute(t, rt, "const n: number = 2; return n", patient)
				awaitDeath(t, pid)
				awaitDeath(t, shaper)
			}
		})
	}
	if s := rt.Stats(); s.Held != 0 || s.Leased != 0 {
		t.Errorf("afterwards: %+v", s)
	}
}

// checkKilled holds the error of a caller whose worker was killed to what is
// said of it.
func checkKilled(t *testing.T, res *autoclave.Result) {
	t.Helper()
	e := res.Error
	if e.Blame() != autoclave.BlameOurs || e.Cause == "" || e.CauseKind != string(lockdown.KindKilled) {
		t.Errorf("it blames %s, for %q (%s)", e.Blame(), e.Cause, e.CauseKind)
	}
	if want := len(res.Calls) == 0; e.Retryable != want {
		t.Errorf("after %d calls it is retryable: %v", len(res.Calls), e.Retryable)
	}
	for _, c := range res.Calls {
		if c.OK == (c.Code != "") || c.Code != "" && c.Code != autoclave.Cancelled {
			t.Errorf("a call that ended with its worker: %+v", c)
		}
	}
}

// listener is a host that hears what a program says, on the goroutine that
// reads from the worker.
type listener struct {
	*recorder
	heard func()
}

func (l listener) Log(autoclave.LogEntry) { l.heard() }

// TestV8KilledAtRandom kills workers, some with their shapers, while callers
// execute.
func TestV8KilledAtRandom(t *testing.T) {
	t.Parallel()
	n := 120
	if testing.Short() || raceEnabled {
		n = 60
	}
	assault{
		cfg:        v8(t, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: 2, MaxWorkers: 2, HealthCheckTimeout: 20 * time.Second, SpawnTimeout: time.Minute}}),
		executions: n, callers: 6,
		pause: func() time.Duration { return time.Duration(20+rand.IntN(150)) * time.Millisecond },
		victims: func(pid int) []int {
			if rand.IntN(2) == 0 {
				return append([]int{pid}, children(pid)...)
			}
			return []int{pid}
		},
		program: func(i int) string {
			return fmt.Sprintf([]string{
				`async () => { const a = await tools.s.t({ n: %d }); await sleep(20); const b = await tools.s.t({ n: a.n * 2 }); return b.n + 1 }`,
				`const a: { n: number } = await tools.s.t({ n: %d }); await sleep(20); return a.n * 2 + 1`,
				`const a = %d; await sleep(20); a * 2 + 1`,
			}[i%3], i)
		},
	}.run(t)
}

// TestV8RepeatsOnce: an execution moves to another worker once. A worker that
// has said nothing yet, since it computes, is one that has not started.
func TestV8RepeatsOnce(t *testing.T) {
	t.Parallel()
	pool := oneWorker()
	pool.MinWorkers, pool.MaxWorkers = 2, 2
	rt := open(t, v8(t, autoclave.Config{Pool: pool, Limits: autoclave.Limits{CPU: time.Minute}}))
	// Both workers, by what runs in them at the same time.
	var pids [2]int
	var both, wg sync.WaitGroup
	both.Add(2)
	for i := range pids {
		wg.Go(func() {
			res, err := rt.Execute(t.Context(), autoclave.Program{Source: "await tools.s.t({}); return 7"}, autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
				both.Done()
				both.Wait()
				return patient(ctx, c)
			}))
			if err != nil {
				t.Error(err)
				return
			}
			pids[i] = res.Worker.PID
		})
	}
	wg.Wait()
	if t.Failed() || pids[0] == pids[1] {
		t.Fatalf("the workers are %v", pids)
	}
	awaitIdle(t, rt, 2)
	type outcome struct {
		res *autoclave.Result
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: "for (;;) {}"}, patient)
		ended <- outcome{res, err}
	}()
	first := computes(t, pids[0], pids[1])
	kill(t, first)
	second := computes(t, pids[0]+pids[1]-first)
	kill(t, second)
	got := <-ended
	if !errors.Is(got.err, autoclave.WorkerCrashed) || got.res.Worker.PID != second {
		t.Fatalf("got %v of worker %d; %d was killed first, then %d", got.err, got.res.Worker.PID, first, second)
	}
	checkKilled(t, got.res)
	if s := rt.Stats(); s.Discarded != 2 {
		t.Errorf("%d leases were discarded, want 2", s.Discarded)
	}
	if next := execute(t, rt, "7", patient); string(next.Value) != "7" {
		t.Errorf("the next execution has %s", next.Value)
	}
	awaitDeath(t, first)
	awaitDeath(t, second)
}

// awaitIdle waits until as many workers are armed and have nothing to do.
func awaitIdle(t *testing.T, rt *autoclave.Runtime, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); rt.Stats().Idle < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not %d workers are idle: %+v", n, rt.Stats())
			return
		}
	}
}

// computes waits until one of the processes has computed for long, and returns
// it: longer than a worker does that makes its next isolates.
func computes(t *testing.T, pids ...int) int {
	t.Helper()
	begun := map[int]time.Duration{}
	for _, pid := range pids {
		begun[pid] = cpuOf(pid)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, pid := range pids {
			if cpuOf(pid)-begun[pid] > 300*time.Millisecond {
				return pid
			}
		}
	}
	t.Fatalf("none of %v computes", pids)
	return 0
}

// cpuOf is what a process has computed, to the hundredth of a second.
func cpuOf(pid int) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
