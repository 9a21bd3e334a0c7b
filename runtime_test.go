package autoclave_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// recorder is a host that listens to what a program says.
type recorder struct {
	autoclave.Host
	mu       sync.Mutex
	logs     []autoclave.LogEntry
	emits    []json.RawMessage
	progress []autoclave.Progress
}

func (r *recorder) Log(e autoclave.LogEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, e)
}

func (r *recorder) Emit(block json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emits = append(r.emits, block)
}

func (r *recorder) Progress(p autoclave.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = append(r.progress, p)
}

// oneWorker is a pool in which everything happens to the same worker.
func oneWorker() autoclave.PoolConfig {
	return autoclave.PoolConfig{
		MinWorkers: 1, MinIdle: -1, MaxWorkers: 1, MaxUses: -1, MaxLifetime: -1,
		MaxWorkerMemory: -1, HealthCheckTimeout: 30 * time.Second,
	}
}

func execute(t testing.TB, rt *autoclave.Runtime, source string, host autoclave.Host) *autoclave.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	res, err := rt.Execute(ctx, autoclave.Program{Source: source}, host)
	if err != nil {
		t.Fatalf("%s\n%v\n%v", source, err, res.Error.Stack)
	}
	return res
}

func TestExecute(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{})
	host := &recorder{Host: patient}
	res := execute(t, rt, `
		console.log("begin", { a: 1 });
		const one = await tools.s.t({ n: 1 });
		const more = await parallel([2, 3, 4].map((n) => () => callTool("s", "t", { n })));
		console.warn("end");
		return [one, ...more].map((x) => x.n);`, host)
	if got := string(res.Value); got != "[1,2,3,4]" {
		t.Errorf("value %s", got)
	}
	if len(host.logs) != 2 || host.logs[0].Text != "begin { a: 1 }" || host.logs[1].Level != "warn" {
		t.Errorf("streamed logs %+v", host.logs)
	}
	if len(res.Logs) != 2 || len(res.Calls) != 4 || res.Usage.Calls != 4 {
		t.Errorf("logs %+v, calls %+v", res.Logs, res.Calls)
	}
	for i, c := range res.Calls {
		if !c.OK || c.Server != "s" || c.Tool != "t" || c.BytesIn != len(`{"n":1}`) || c.BytesOut != len(`{"n":1}`) || c.Millis < 0 {
			t.Errorf("call %d: %+v", i, c)
		}
	}
	u, w := res.Usage, res.Worker
	if u.Run <= 0 || u.HeapPeak <= 0 || u.BytesIn != 28 || u.BytesOut != 28 || w.Generation != 1 || w.Reused || w.Engine != "quickjs" {
		t.Errorf("usage %+v, worker %+v", u, w)
	}
}

// TestBodiesSurvive: key order and the spelling of numbers are the author's,
// all the way through.
func TestBodiesSurvive(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{})
	raw := `{"z":1e400,"a":12345678901234567890,"m":{"2":0,"1":[]},"é":"\u2028"}`
	var seen string
	host := autoclave.HostFunc(func(_ context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		seen = string(c.Arguments)
		return autoclave.Value{JSON: json.RawMessage(raw)}, nil
	})
	res := execute(t, rt, `async () => Object.keys(await tools.s.t({ z: 1, a: "\u2028", "10": null }))`, host)
	if got := string(res.Value); got != `["z","a","m","é"]` {
		t.Errorf("keys came as %s", got)
	}
	if !strings.HasPrefix(seen, `{"10":null,"z":1,"a":"`) {
		t.Errorf("arguments went as %s", seen)
	}
}

func TestLimitsFromInside(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{
		Limits: autoclave.Limits{CPU: 500 * time.Millisecond, Wall: time.Minute, CallTimeout: 200 * time.Millisecond, Heap: 32 << 20, CallResult: 1 << 20},
		Pool:   autoclave.PoolConfig{MaxWorkers: 2},
	})
	big := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		if c.Tool == "big" {
			return autoclave.JSONValue(strings.Repeat("x", 2<<20))
		}
		return patient(ctx, c)
	})
	for _, c := range []struct {
		name, source string
		limits       autoclave.Limits
		want         autoclave.Code
		says         string
	}{
		{"an endless loop", `for (;;) {}`, autoclave.Limits{}, autoclave.CPULimit, "500ms"},
		{"a native that does not look up", `async () => new Array(2**28).join('abc')`, autoclave.Limits{Heap: 32 << 20}, "", ""},
		{"waiting", `await sleep(60000)`, autoclave.Limits{Wall: 300 * time.Millisecond}, autoclave.Timeout, "300ms"},
		{"a tool that never answers", `await tools.s.t({ wait: true })`, autoclave.Limits{}, autoclave.UpstreamTimeout, "200ms"},
		{"a heap that grows", `const a = []; for (;;) a.push(new Array(1000).fill("x" + a.length))`, autoclave.Limits{}, autoclave.HeapLimit, ""},
		{"a caught heap that grows", `async () => { for (;;) { try { const a = []; for (;;) a.push(new Array(1000).fill(1)) } catch {} } }`, autoclave.Limits{}, autoclave.HeapLimit, ""},
		{"a large value", `"x".repeat(2 << 20)`, autoclave.Limits{}, autoclave.OutputLimit, "1048576"},
		{"a long program", strings.Repeat(" ", 300<<10) + "1", autoclave.Limits{}, autoclave.CodeLimit, "262144"},
		{"many calls", `for (let i = 0; i < 1000; i++) await tools.s.t()`, autoclave.Limits{Calls: 7}, autoclave.CallLimit, "7"},
		{"large arguments", `await tools.s.t({ a: "x".repeat(2 << 20) })`, autoclave.Limits{}, autoclave.ArgumentLimit, "1048576"},
		{"a large result of a call", `await tools.s.big()`, autoclave.Limits{}, autoclave.CallResultLimit, "1048576"},
		{"much emitted", `for (;;) emit({ type: "text", text: "x".repeat(1 << 20) })`, autoclave.Limits{Emits: 3 << 20}, autoclave.EmitLimit, ""},
		{"a program that throws", "const a = 1\nthrow new TypeError('no' + a)", autoclave.Limits{}, autoclave.ScriptError, "no1"},
		{"no program", "async () => { let 1 }", autoclave.Limits{}, autoclave.SyntaxError, ""},
		{"nothing left to wait for", `await new Promise(() => {})`, autoclave.Limits{}, autoclave.NeverSettles, ""},
		{"a value that is none", `const a = {}; a.self = a; return a`, autoclave.Limits{}, autoclave.InvalidResult, "self"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begun := time.Now()
			res, err := rt.Execute(ctx, autoclave.Program{Source: c.source, Limits: c.limits}, big)
			var typed *autoclave.Error
			if !errors.As(err, &typed) {
				t.Fatalf("got %s, %v", res.Value, err)
			}
			if c.want == "" {
				// One of two limits is met, whichever comes first.
				if typed.Code != autoclave.CPULimit && typed.Code != autoclave.HeapLimit {
					t.Fatalf("got %v", err)
				}
			} else if typed.Code != c.want || !strings.Contains(typed.Message, c.says) {
				t.Fatalf("got %v, want %s with %q", err, c.want, c.says)
			}
			if took := time.Since(begun); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			if got := execute(t, rt, "1 + 1", big); string(got.Value) != "2" {
				t.Errorf("the next execution has %s", got.Value)
			}
		})
	}
}

// TestLogsAreCut: what is over the limit is cut, and the cut is marked.
func TestLogsAreCut(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Limits: autoclave.Limits{Logs: 1000}})
	res := execute(t, rt, `for (let i = 0; i < 500; i++) console.log("line " + i); return "done"`, patient)
	size, cut := 0, false
	for _, l := range res.Logs {
		size += len(l.Text) + wire.LogOverhead
		cut = cut || l.Truncated
	}
	if string(res.Value) != `"done"` || !cut || size > 1000+wire.LogSlack {
		t.Errorf("value %s, %d bytes of logs, cut: %v", res.Value, size, cut)
	}
}

// TestPreview: a value over the limit is cut to JSON that says so, where that
// is asked for.
func TestPreview(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Limits: autoclave.Limits{Result: 2000}})
	for _, source := range []string{`"é\"\\\u0001".repeat(5000)`, `Array.from({ length: 5000 }, (_, i) => ({ i }))`} {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: source, Preview: true}, patient)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Truncated bool
			Bytes     int
			Preview   string
		}
		if err := json.Unmarshal(res.Value, &got); err != nil || !got.Truncated || got.Bytes < 5000 || len(got.Preview) < 400 || len(res.Value) > 2000 || len(res.Warnings) != 1 {
			t.Errorf("%v, %.80s… of %d bytes, warnings %q", err, res.Value, len(res.Value), res.Warnings)
		}
	}
	if res, err := rt.Execute(t.Context(), autoclave.Program{Source: `"short"`, Preview: true}, patient); err != nil || string(res.Value) != `"short"` {
		t.Errorf("a short value became %s, %v", res.Value, err)
	}
}

// TestWaitingIsNotComputing: a program that waits for a tool longer than its
// CPU limit is not charged for it.
func TestWaitingIsNotComputing(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Limits: autoclave.Limits{CPU: 100 * time.Millisecond}})
	slow := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		select {
		case <-time.After(400 * time.Millisecond):
		case <-ctx.Done():
		}
		return autoclave.JSONValue("late")
	})
	res := execute(t, rt, `async () => await tools.s.t()`, slow)
	if res.Usage.CPU > 100*time.Millisecond || res.Usage.Run < 400*time.Millisecond {
		t.Errorf("usage %+v", res.Usage)
	}
}

// TestPausedClock: an execution whose clock is stopped outlives its wall time.
func TestPausedClock(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Limits: autoclave.Limits{Wall: 300 * time.Millisecond}})
	asks := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		resume := autoclave.PauseClock(ctx)
		defer resume()
		select {
		case <-time.After(time.Second):
			return autoclave.JSONValue("approved")
		case <-ctx.Done():
			return autoclave.Value{}, ctx.Err()
		}
	})
	if res := execute(t, rt, `tools.s.t()`, asks); string(res.Value) != `"approved"` {
		t.Errorf("value %s", res.Value)
	}
	ctx := t.Context()
	if _, err := rt.Execute(ctx, autoclave.Program{Source: `await tools.s.t(); await sleep(5000)`}, asks); !errors.Is(err, autoclave.Timeout) {
		t.Errorf("after the pause: %v, want %v", err, autoclave.Timeout)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: oneWorker()})
	ended := make(chan struct{})
	inCall := make(chan struct{})
	waits := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		close(inCall)
		<-ctx.Done()
		close(ended)
		return autoclave.Value{}, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-inCall
		cancel()
	}()
	res, err := rt.Execute(ctx, autoclave.Program{Source: `await tools.s.t()`}, waits)
	if !errors.Is(err, autoclave.Cancelled) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if len(res.Calls) != 1 || res.Calls[0].OK || res.Calls[0].Code != autoclave.Cancelled {
		t.Errorf("calls %+v", res.Calls)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the host call's context did not end")
	}
	// A program that waits hears the cancel: its worker lives on.
	if again := execute(t, rt, "1", patient); again.Worker.PID != res.Worker.PID {
		t.Errorf("worker %d was replaced by %d", res.Worker.PID, again.Worker.PID)
	}
	// One that computes hears it, too.
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := rt.Execute(ctx, autoclave.Program{Source: `for (;;) {}`}, patient); !errors.Is(err, autoclave.Cancelled) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := rt.Execute(ctx, autoclave.Program{Source: `1`}, patient); !errors.Is(err, autoclave.Cancelled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestEdgeValues: what means none or unlimited works through the Runtime.
func TestEdgeValues(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]autoclave.PoolConfig{
		"no health check": {HealthCheckTimeout: -1},
		"unlimited":       {MaxUses: -1, MaxLifetime: -1, MaxIdleTime: -1, MaxQueue: -1, MaxWorkerMemory: -1},
		"no minimum":      {MinWorkers: -1, MinIdle: -1},
		"one use":         {MaxUses: 1, MaxWorkers: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := open(t, autoclave.Config{Pool: cfg})
			pids := map[int]bool{}
			for range 5 {
				res := execute(t, rt, `(await tools.s.t({ n: 1 })).n`, patient)
				if string(res.Value) != "1" {
					t.Errorf("value %s", res.Value)
				}
				pids[res.Worker.PID] = true
			}
			if name == "one use" && len(pids) != 5 {
				t.Errorf("%d processes for 5 executions", len(pids))
			}
		})
	}
}

// TestAwkwardPrograms: what once cost a worker, or a result.
func TestAwkwardPrograms(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{Arguments: 1 << 10}})
	pid := 0
	for source, want := range map[string]string{
		`try { await callTool("\u0001".repeat(8000), "\u0001".repeat(8000), {}); } catch (e) { return e.code }`: `"INVALID_ARGUMENTS"`,
		`for (let i = 0; i < 20; i++) Promise.reject(new Error("<".repeat(2000))); await sleep(1); return 1`:    `1`,
		`const big = { a: "x".repeat(2000) }; const all = [];
		for (let i = 0; i < 8; i++) all.push(tools.s.t({ i }));
		for (let i = 0; i < 8; i++) all.push(tools.s.t(big).catch((e) => e.code));
		all.push(tools.s.t({ i: 99 }));
		return (await Promise.all(all)).slice(-2)`: `["ARGUMENT_LIMIT",{"i":99}]`,
		`for (let i = 0; i < 150000; i++) clearTimeout(setTimeout(() => {}, 60000)); return "ok"`: `"ok"`,
	} {
		res := execute(t, rt, source, patient)
		if string(res.Value) != want {
			t.Errorf("%.60s…\ngot  %s\nwant %s", source, res.Value, want)
		}
		if pid != 0 && res.Worker.PID != pid {
			t.Errorf("%.60s…: worker %d was lost", source, pid)
		}
		pid = res.Worker.PID
	}
}

func TestCatalogsAreChecked(t *testing.T) {
	t.Parallel()
	for want, entries := range map[string][]autoclave.CatalogEntry{
		"no server name": {{Server: ""}},
		"there twice":    {{Server: "a"}, {Server: "b"}, {Server: "a"}},
		"at most":        {{Server: strings.Repeat("x", 9<<20)}},
	} {
		if _, err := autoclave.NewCatalog(entries); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestProgramLimitsOnlyLower(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{})
	_, err := rt.Execute(t.Context(), autoclave.Program{Source: "1", Limits: autoclave.Limits{CPU: time.Hour}}, patient)
	if err == nil || !strings.Contains(err.Error(), "Program.Limits.CPU is 1h0m0s, above the configured 5s") {
		t.Errorf("got %v", err)
	}
	_, err = rt.Execute(t.Context(), autoclave.Program{Source: "1", Limits: autoclave.Limits{Heap: -1}}, patient)
	if err == nil || !strings.Contains(err.Error(), "Program.Limits.Heap") {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]autoclave.Config{
		"Config.Limits.CPU":                    {Limits: autoclave.Limits{CPU: -1}},
		"Config.Limits.CallResult":             {Limits: autoclave.Limits{CallResult: 64 << 20}},
		"MinWorkers":                           {Pool: autoclave.PoolConfig{MinWorkers: 9, MaxWorkers: 3}},
		"Config.Lockdown.Require is \"tight\"": {Lockdown: autoclave.LockdownConfig{Require: "tight"}},
		"Config.Lockdown.Off":                  {Lockdown: autoclave.LockdownConfig{Off: true}},
		"layers are":                           {Lockdown: autoclave.LockdownConfig{RequireLayers: []string{"moat"}}},
		"Config.StackDepth":                    {StackDepth: -1},
	} {
		rt, err := autoclave.Open(t.Context(), cfg)
		if err == nil {
			closeRuntime(t, rt)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestCloseEndsExecutions: what is under way when Close's context ends is told
// so, and so is what comes later.
func TestCloseEndsExecutions(t *testing.T) {
	t.Parallel()
	rt, err := autoclave.Open(t.Context(), native(t, autoclave.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan struct{}, 3)
	waits := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		running <- struct{}{}
		<-ctx.Done()
		return autoclave.Value{}, ctx.Err()
	})
	var wg sync.WaitGroup
	var workers sync.Map
	for range 3 {
		wg.Go(func() {
			res, err := rt.Execute(t.Context(), autoclave.Program{Source: `await tools.s.t()`}, waits)
			if !errors.Is(err, autoclave.ShuttingDown) {
				t.Errorf("got %v, want %v", err, autoclave.ShuttingDown)
			}
			if res.Worker != nil {
				workers.Store(res.Worker.PID, true)
			}
		})
	}
	for range 3 {
		<-running
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := rt.Close(ctx); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := rt.Close(context.Background()); err != nil {
		t.Error("second Close:", err)
	}
	if _, err := rt.Execute(t.Context(), autoclave.Program{Source: "1"}, waits); !errors.Is(err, autoclave.ShuttingDown) {
		t.Errorf("after Close: %v", err)
	}
	workers.Range(func(pid, _ any) bool {
		awaitDeath(t, pid.(int))
		return true
	})
}

// TestTenantsNeverShareAWorker is the pool's promise, seen from here.
func TestTenantsNeverShareAWorker(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: autoclave.PoolConfig{MaxWorkers: 3}})
	var mu sync.Mutex
	owner := map[int]string{}
	var wg sync.WaitGroup
	for i := range 12 {
		tenant := fmt.Sprint("tenant-", i%4)
		wg.Go(func() {
			for range 10 {
				res, err := rt.Execute(t.Context(), autoclave.Program{Source: "1", Tenant: tenant}, patient)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if was := owner[res.Worker.PID]; was != "" && was != tenant {
					t.Errorf("worker %d served %s and %s", res.Worker.PID, was, tenant)
				}
				owner[res.Worker.PID] = tenant
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestFullPipes: 8 calls at once, each with arguments and a result that no
// pipe holds, do not make both sides wait for each other.
func TestFullPipes(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Limits: autoclave.Limits{Arguments: 8 << 20}})
	var sum atomic.Int64
	answer, _ := json.Marshal(strings.Repeat("r", 4<<20))
	host := autoclave.HostFunc(func(_ context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		sum.Add(int64(len(c.Arguments)))
		return autoclave.Value{JSON: answer}, nil
	})
	res := execute(t, rt, `async () => {
		const text = "a".repeat(2 << 20);
		const all = await parallel(Array.from({ length: 16 }, (_, i) => () => tools.s.t({ i, text })), { concurrency: 8 });
		return all.reduce((n, s) => n + s.length, 0);
	}`, host)
	if string(res.Value) != fmt.Sprint(16*4<<20) || sum.Load() < 16*2<<20 {
		t.Errorf("value %s, arguments %d", res.Value, sum.Load())
	}
}

// TestJSONResult keeps the shape of a Result, which is stable.
func TestJSONResult(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{})
	res, _ := rt.Execute(t.Context(), autoclave.Program{Source: "console.log('x')\nawait tools.s.t({})\nthrow new Error('no')"}, patient)
	b, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ok", "error", "logs", "calls", "usage", "worker"} {
		if _, there := got[key]; !there {
			t.Errorf("no %q in %s", key, b)
		}
	}
	if _, there := got["value"]; there {
		t.Errorf("a failure has a value: %s", b)
	}
	usage := got["usage"].(map[string]any)
	for _, key := range []string{"queue_us", "run_us", "cpu_us", "heap_peak", "calls", "bytes_in", "bytes_out"} {
		if _, there := usage[key]; !there {
			t.Errorf("no usage.%s in %s", key, b)
		}
	}
	if e := got["error"].(map[string]any); e["code"] != "SCRIPT_ERROR" || e["line"] != 3.0 || !strings.Contains(e["frame"].(string), "throw new Error") {
		t.Errorf("error %v", e)
	}
	var back autoclave.Result
	if err := json.Unmarshal(b, &back); err != nil || back.Usage.Run.Microseconds() != res.Usage.Run.Microseconds() {
		t.Errorf("does not come back: %v", err)
	}
}

func TestCodesHaveBlame(t *testing.T) {
	t.Parallel()
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code  autoclave.Code
		blame autoclave.Blame
	}{
		{autoclave.NeverSettles, autoclave.BlameProgram}, {autoclave.HeapLimit, autoclave.BlameLimit}, {autoclave.Overloaded, autoclave.BlameCaller},
		{autoclave.CircuitOpen, autoclave.BlameHostCall}, {autoclave.WorkerCrashed, autoclave.BlameOurs}, {autoclave.Internal, autoclave.BlameOurs},
	} {
		if c.code.Blame() != c.blame {
			t.Errorf("%s blames %s", c.code, c.code.Blame())
		}
		if !bytes.Contains(design, []byte("`"+string(c.code)+"`")) {
			t.Errorf("%s is not in DESIGN.md", c.code)
		}
	}
}
