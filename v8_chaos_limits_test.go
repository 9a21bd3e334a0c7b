//go:build linux

package autoclave_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave"
)

// TestV8CancelAtEveryStep cancels executions of V8 at random moments. None of
// them costs its worker: where a program is in the engine's hands its isolate
// is ended, and where it is being parsed it can be waited for.
func TestV8CancelAtEveryStep(t *testing.T) {
	t.Parallel()
	n := 320
	if testing.Short() || raceEnabled {
		n = 80
	}
	size := oneWorker()
	size.MinWorkers, size.MaxWorkers = 2, 2
	rt := open(t, v8(t, autoclave.Config{Pool: size, KillGrace: 30 * time.Second}))
	// Making an isolate takes as long as all this: who is cancelled while he
	// waits for one has seen nothing of V8.
	armed := func() { awaitIdle(t, rt, 1) }
	cancelAtRandom(t, rt, n, 2, 30*time.Millisecond, armed, []cancelled{
		{source: "7", want: "7"},
		{source: "for (;;) {}"},
		{source: computing(5 * time.Millisecond), want: "7"},
		{source: "for (let i = 0; i < 10; i++) await sleep(1); return 1", want: "1"},
		{source: "await new Promise(() => setTimeout(() => 1, 1e6))"},
		{source: "for (let i = 0; i < 20; i++) await tools.s.t({ i }); return 2", want: "2"},
		{source: "await parallel([1, 2, 3].map((wait) => () => tools.s.t({ wait })))"},
		{source: "await sleep(5); throw new Error('mine')", want: "SCRIPT_ERROR"},
		{source: "throw new Error('mine')", want: "SCRIPT_ERROR"},
		{source: "for (let i = 0; i < 200; i++) { emit({ type: 'text', text: 'x'.repeat(1000) }); if (i % 20 === 0) await sleep(1) } return 3", want: "3"},
		{source: "for (let i = 0; i < 200; i++) { console.log('x', { i }); if (i % 20 === 0) await sleep(1) } return 4", want: "4"},
		{source: declarations(500) + "return 5", want: "5"},
		{source: "const = 1", want: "SYNTAX_ERROR"},
		{source: `"x".repeat(900_000)`, want: `"` + strings.Repeat("x", 900_000) + `"`},
	})
	awaitIdle(t, rt, 2)
	if s := rt.Stats(); s.Spawned != 2 {
		t.Errorf("workers were lost: %v", s.Killed)
	}
}

// TestV8BombsBesideATenant: while one tenant's programs want all memory that
// there is, in each way that V8 knows of, another tenant's are served.
func TestV8BombsBesideATenant(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{
		Limits: autoclave.Limits{Heap: 64 << 20, CPU: 10 * time.Second},
		Pool:   autoclave.PoolConfig{MinWorkers: 2, MaxWorkers: 3, HealthCheckTimeout: 20 * time.Second, SpawnTimeout: time.Minute},
	}))
	bombs := map[string]string{
		"array":        "const a = []; for (;;) a.push({ a: a.length })",
		"map":          "const m = new Map(); for (let i = 0; ; i++) m.set(i, i)",
		"typed arrays": "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
		"one buffer":   "return new ArrayBuffer(2 ** 31 - 1).byteLength + new ArrayBuffer(2 ** 33).byteLength",
		"string":       `let s = "x"; for (;;) { s += s + Math.random(); s.lastIndexOf("y") }`,
		"strings":      `const a = []; for (let i = 0; ; i++) a.push(("x" + i).repeat(1000))`,
	}
	if testing.Short() || raceEnabled {
		maps.DeleteFunc(bombs, func(name, _ string) bool { return name != "map" && name != "typed arrays" })
	}
	var exploding atomic.Bool
	exploding.Store(true)
	var good sync.WaitGroup
	served := 0
	good.Go(func() {
		for i := 0; exploding.Load(); i++ {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			res, err := rt.Execute(ctx, autoclave.Program{Source: fmt.Sprintf("const a: { n: number } = await tools.s.t({ n: %d }); return a.n + 1", i), Tenant: "good"}, patient)
			cancel()
			if err != nil || string(res.Value) != fmt.Sprint(i+1) {
				t.Errorf("the good tenant's execution %d: %s, %v", i, res.Value, err)
			}
			served++
		}
	})
	for _, name := range slices.Sorted(maps.Keys(bombs)) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		res, err := rt.Execute(ctx, autoclave.Program{Source: bombs[name], Tenant: "bad"}, patient)
		cancel()
		if err == nil {
			t.Errorf("%s: got %.100s", name, res.Value)
			continue
		}
		if b := res.Error.Blame(); b != autoclave.BlameLimit && b != autoclave.BlameProgram {
			t.Errorf("%s: %v blames %s", name, err, b)
		}
		if testing.Verbose() {
			t.Logf("%s: %.200v after %v, %d MiB", name, err, res.Usage.Run.Round(time.Millisecond), res.Usage.HeapPeak>>20)
		}
	}
	exploding.Store(false)
	good.Wait()
	if served < 5 {
		t.Errorf("the good tenant was served %d times", served)
	}
	t.Logf("the good tenant was served %d times", served)
	if res, err := rt.Execute(t.Context(), autoclave.Program{Source: "7", Tenant: "bad"}, patient); err != nil || string(res.Value) != "7" {
		t.Errorf("the other tenant afterwards: %s, %v", res.Value, err)
	}
}

// longEnv makes tests that look for what grows slowly run for minutes.
const longEnv = "AUTOCLAVE_LONG"

// footprint is what a host and its one worker hold.
type footprint struct {
	descriptors, threads       int // the worker's
	children                   int
	hostDescriptors, goroutine int
	resident                   int // of the worker, in MiB
}

func measure(t *testing.T, pid int) footprint {
	t.Helper()
	count := func(dir string) int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, dir))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rss)[0])
	if err != nil {
		t.Fatal(err)
	}
	return footprint{
		descriptors: count("fd"), threads: count("task"), children: len(children(pid)),
		hostDescriptors: descriptors(), goroutine: runtime.NumGoroutine(), resident: kilobytes >> 10,
	}
}

// TestV8NothingLeaks has one worker serve programs of all sorts, those among
// them that are ended by force. Then it, and the host, hold what they held
// after the first hundred.
func TestV8NothingLeaks(t *testing.T) {
	const warm = 100
	n := 400
	switch {
	case os.Getenv(longEnv) != "":
		n = 2000
	case testing.Short() || raceEnabled:
		n = 160
	}
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), KillGrace: 30 * time.Second}))
	programs := []struct {
		source, want string
		cancel       time.Duration
	}{
		{source: "await tools.s.t({ a: 1 }); return 1", want: "1"},
		{source: "const a: number = 2; return a", want: "2"},
		{source: "throw new Error('mine')", want: "SCRIPT_ERROR"},
		{source: "Promise.reject(new Error('left')); setTimeout(() => 1, 1e6); tools.s.t({ wait: 1 }); return 3", want: "3"},
		{source: "await new Promise(() => 1)", want: "NEVER_SETTLES"},
		{source: "return JSON.parse(JSON.stringify(new Array(1e5).fill({ a: 1 }))).length", want: "100000"},
		{source: "new Uint8Array(8 << 20).fill(1).length", want: "8388608"},
		{source: "for (;;) {}", want: "CANCELLED", cancel: 20 * time.Millisecond},
		{source: "await tools.s.t({ wait: 1 })", want: "CANCELLED", cancel: 10 * time.Millisecond},
		{source: "const = 1", want: "SYNTAX_ERROR"},
	}
	pid := 0
	round := func(from, to int) {
		for i := from; i < to; i++ {
			p := programs[i%len(programs)]
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if p.cancel > 0 {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), p.cancel)
			}
			res, err := rt.Execute(ctx, autoclave.Program{Source: p.source}, patient)
			cancel()
			got := string(res.Value)
			if err != nil {
				got = string(res.Error.Code)
			}
			// Whoever is cancelled before he has a worker has seen none.
			if got != p.want && got != string(autoclave.Cancelled) {
				t.Fatalf("execution %d of %s: %s, %v", i, p.source, got, err)
			}
			if res.Worker != nil {
				if pid == 0 {
					pid = res.Worker.PID
				}
				if res.Worker.PID != pid {
					t.Fatalf("execution %d of %s: by worker %d, after %d: %v", i-1, programs[(i+len(programs)-1)%len(programs)].source, res.Worker.PID, pid, rt.Stats().Killed)
				}
			}
		}
		awaitIdle(t, rt, 1)
	}
	round(0, warm)
	before := settled(t, pid)
	round(warm, n)
	after := settled(t, pid)
	t.Logf("after %d: %+v\nafter %d: %+v", warm, before, n, after)
	if after.descriptors > before.descriptors || after.threads > before.threads || after.children != 1 || before.children != 1 {
		t.Errorf("the worker holds more: %+v after %d executions, %+v after %d", before, warm, after, n)
	}
	if after.hostDescriptors > before.hostDescriptors || after.goroutine > before.goroutine {
		t.Errorf("the host holds more: %+v after %d executions, %+v after %d", before, warm, after, n)
	}
	if after.resident > before.resident+residentGrowth {
		t.Errorf("the worker's memory has grown from %d to %d MiB", before.resident, after.resident)
	}
}

// residentGrowth is by how much a worker's memory may grow after its first
// hundred executions, in MiB: isolates are ended before V8 has given back what
// they had, so that it goes up and down.
const residentGrowth = 64

// settled measures when nothing changes any more: the worker makes its next
// isolates, and ends the last ones, for a while after it has armed one.
func settled(t *testing.T, pid int) footprint {
	t.Helper()
	last := measure(t, pid)
	same := 0
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		now := measure(t, pid)
		if now.threads == last.threads && now.descriptors == last.descriptors && now.goroutine == last.goroutine && now.hostDescriptors == last.hostDescriptors {
			if same++; same == 10 {
				return now
			}
		} else {
			same = 0
		}
		last = now
	}
	return last
}

// TestV8NativesThatDoNotLookUp ends programs that are in the middle of a native
// of V8's, by the time that they may take and by their callers. (The corpus has
// more of them, and ends them by their CPU time.) Whether that costs the worker
// depends on the native; the next execution is served in any case.
func TestV8NativesThatDoNotLookUp(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{CPU: time.Minute}}))
	natives := map[string]string{
		"regular expression":  `/^(?:(?:a+)+)+$/.test("a".repeat(60) + "b")`,
		"search":              `Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)`,
		"big integers":        `let n = 3n ** 2_000_000n; for (;;) n = n * n % (7n ** 1_900_000n)`,
		"sort":                `const a = new Float64Array(2 ** 20).map((_, i) => (i * 7919) % 1000003); for (;;) { a.sort(); a.reverse() }`,
		"strings of a locale": `const c = new Intl.Collator("sv"); const s = "å".repeat(2 ** 22); for (;;) c.compare(s + "a", s + "b")`,
	}
	if testing.Short() || raceEnabled {
		maps.DeleteFunc(natives, func(name, _ string) bool { return name != "search" && name != "regular expression" })
	}
	for _, name := range slices.Sorted(maps.Keys(natives)) {
		for _, want := range []autoclave.Code{autoclave.Timeout, autoclave.Cancelled} {
			t.Run(name+"/"+string(want), func(t *testing.T) {
				limits := autoclave.Limits{}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if want == autoclave.Timeout {
					limits.Wall = 300 * time.Millisecond
				} else {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
					defer cancel()
				}
				res, err := rt.Execute(ctx, autoclave.Program{Source: natives[name], Limits: limits}, patient)
				if !errors.Is(err, want) {
					t.Errorf("got %s, %v", res.Value, err)
				}
				// Loose: what is promised is the limit and the grace of 250 ms.
				if res.Usage.Run > 10*time.Second {
					t.Errorf("it ran for %v", res.Usage.Run)
				}
				if next := execute(t, rt, "const n: number = 7; return n", patient); string(next.Value) != "7" {
					t.Errorf("the next execution has %s", next.Value)
				} else if res.Worker != nil && next.Worker.PID != res.Worker.PID {
					awaitDeath(t, res.Worker.PID)
				}
			})
		}
	}
}

// TestV8LongToParse: the time that a program takes to be parsed is the
// program's, though another process parses it.
func TestV8LongToParse(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker()}))
	source := strings.ReplaceAll(declarations(12_000), ": number", ":A") + "return 7"
	for _, c := range []struct {
		name   string
		limits autoclave.Limits
		want   autoclave.Code
	}{
		{"wall", autoclave.Limits{Wall: 100 * time.Millisecond}, autoclave.Timeout},
		{"cpu", autoclave.Limits{CPU: 200 * time.Millisecond, Wall: 30 * time.Second}, autoclave.CPULimit},
		{"cancelled", autoclave.Limits{}, autoclave.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if c.want == autoclave.Cancelled {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			res, err := rt.Execute(ctx, autoclave.Program{Source: source, Limits: c.limits}, patient)
			if !errors.Is(err, c.want) {
				t.Errorf("got %s, %v after %v", res.Value, err, res.Usage.Run)
			}
			if next := execute(t, rt, "const n: number = 7; return n", patient); string(next.Value) != "7" {
				t.Errorf("the next execution has %s", next.Value)
			}
		})
	}
}

// TestV8LeavesNoZombies: in a host that is the first process of its container,
// or a subreaper, the shaper of a worker that has ended is reaped. (With a
// namespace of its own for each worker the kernel does it.)
func TestV8LeavesNoZombies(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), Lockdown: autoclave.LockdownConfig{Off: true, Require: "none"}}))
	pid := execute(t, rt, "1", patient).Worker.PID
	shaper := shaperOf(t, pid)
	kill(t, pid)
	if next := execute(t, rt, "2", patient); string(next.Value) != "2" {
		t.Errorf("the next execution has %s", next.Value)
	}
	awaitDeath(t, shaper)
	awaitDeath(t, pid)
}
