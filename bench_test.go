package autoclave_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
)

// pinger is a process that answers a byte with a byte: the cost of reaching
// another process, below which nothing here can go.
type pinger struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	buffer [1]byte
}

func newPinger(b *testing.B) *pinger {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	p := &pinger{cmd: exec.Command(exe, echoArgument), in: inW, out: outR}
	p.cmd.Stdin, p.cmd.Stdout = inR, outW
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	inR.Close()
	outW.Close()
	b.Cleanup(func() {
		inW.Close()
		_ = p.cmd.Wait()
		outR.Close()
	})
	return p
}

func (p *pinger) ping(b *testing.B) time.Duration {
	begun := time.Now()
	if _, err := p.in.Write(p.buffer[:]); err != nil {
		b.Fatal(err)
	}
	if _, err := p.out.Read(p.buffer[:]); err != nil {
		b.Fatal(err)
	}
	return time.Since(begun)
}

// quantiles reports the median and the 99th percentile in microseconds.
func quantiles(b *testing.B, name string, times []time.Duration) (p50, p99 float64) {
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	p50, p99 = us(times[len(times)/2]), us(times[len(times)*99/100])
	b.ReportMetric(p50, name+"-p50-us")
	b.ReportMetric(p99, name+"-p99-us")
	return p50, p99
}

func benchRuntime(b *testing.B, cfg autoclave.Config) *autoclave.Runtime {
	b.Helper()
	rt, err := autoclave.Open(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeRuntime(b, rt) })
	return rt
}

func mustRun(b *testing.B, rt *autoclave.Runtime, source string, host autoclave.Host) *autoclave.Result {
	res, err := rt.Execute(context.Background(), autoclave.Program{Source: source}, host)
	if err != nil {
		b.Fatal(err)
	}
	return res
}

func awaitArmed(b *testing.B, rt *autoclave.Runtime) {
	for rt.Stats().Idle == 0 {
		time.Sleep(20 * time.Microsecond)
	}
}

const trivial = "async () => 1+1"

// BenchmarkExecuteWarm begins each execution when an armed worker waits, and
// sends a bare byte to another process and back at the same cadence.
func BenchmarkExecuteWarm(b *testing.B) {
	rt := benchRuntime(b, autoclave.Config{Pool: oneWorker()})
	ping := newPinger(b)
	for range 200 {
		mustRun(b, rt, trivial, patient)
		awaitArmed(b, rt)
		ping.ping(b)
	}
	var pings, runs []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		awaitArmed(b, rt)
		pings = append(pings, ping.ping(b))
		awaitArmed(b, rt)
		begun := time.Now()
		mustRun(b, rt, trivial, patient)
		runs = append(runs, time.Since(begun))
	}
	p50, p99 := quantiles(b, "execute", runs)
	q50, q99 := quantiles(b, "ping", pings)
	b.ReportMetric(p50-q50, "above-p50-us")
	b.ReportMetric(p99-q99, "above-p99-us")
}

// BenchmarkExecuteBackToBack has one worker and no pause: arming is on the
// path.
func BenchmarkExecuteBackToBack(b *testing.B) {
	rt := benchRuntime(b, autoclave.Config{Pool: oneWorker()})
	mustRun(b, rt, trivial, patient)
	b.ReportAllocs()
	for b.Loop() {
		mustRun(b, rt, trivial, patient)
	}
}

// BenchmarkExecutions is what callers as many as workers get.
func BenchmarkExecutions(b *testing.B) {
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("workers=%d", n), func(b *testing.B) {
			rt := benchRuntime(b, autoclave.Config{Pool: autoclave.PoolConfig{MinWorkers: n, MinIdle: -1, MaxWorkers: n}})
			var wg sync.WaitGroup
			begun := time.Now()
			for i := range n {
				wg.Go(func() {
					for j := i; j < b.N; j += n {
						mustRun(b, rt, trivial, patient)
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "executions/s")
		})
	}
}

var instant = autoclave.HostFunc(func(_ context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	return autoclave.Value{JSON: c.Arguments}, nil
})

// BenchmarkHostCalls: the cost of one more call is the slope.
func BenchmarkHostCalls(b *testing.B) {
	for _, c := range []struct{ name, source string }{
		{"none", `async () => 0`},
		{"sequential=10", `async () => { for (let i = 0; i < 10; i++) await tools.s.t({ i }) }`},
		{"sequential=90", `async () => { for (let i = 0; i < 90; i++) await tools.s.t({ i }) }`},
		{"parallel=10", `async () => { await Promise.all(Array.from({ length: 10 }, (_, i) => tools.s.t({ i }))) }`},
	} {
		b.Run(c.name, func(b *testing.B) {
			rt := benchRuntime(b, autoclave.Config{Pool: oneWorker()})
			b.ReportAllocs()
			for b.Loop() {
				mustRun(b, rt, c.source, instant)
			}
		})
	}
}

func twoMegabytes() json.RawMessage {
	var s strings.Builder
	s.WriteByte('[')
	for i := range 20000 {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"id":%d,"region":"region-%d","product":"product-%d","amount":%d.25,"day":"2026-01-%02d","ok":true}`, i, i%7, i%101, i%1000, i%28+1)
	}
	s.WriteByte(']')
	return json.RawMessage(s.String())
}

func BenchmarkData(b *testing.B) {
	rows := twoMegabytes()
	host := autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.Value{JSON: rows}, nil
	})
	for _, c := range []struct{ name, source string }{
		{"result-in", `async () => (await tools.s.t()).length`},
		{"value-out", `async () => "x".repeat(2 << 20)`},
		{"in-and-out", `async () => await tools.s.t()`},
		{"crunch", `async () => {
			const rows = await tools.s.t();
			const groups = {};
			for (const r of rows.filter((r) => r.amount > 100).sort((a, b) => b.amount - a.amount)) (groups[r.region] ??= []).push(r.amount);
			return Object.entries(groups).map(([k, v]) => [k, v.length, v.reduce((a, b) => a + b, 0)]);
		}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			rt := benchRuntime(b, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{Result: 4 << 20}})
			b.SetBytes(int64(len(rows)))
			b.ReportAllocs()
			for b.Loop() {
				mustRun(b, rt, c.source, host)
			}
		})
	}
}

// BenchmarkSpawn is from the start of a process to an armed isolate: MaxUses 1
// makes each execution wait for the next process.
func BenchmarkSpawn(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  autoclave.LockdownConfig
	}{
		{"locked-down", autoclave.LockdownConfig{}},
		{"off", autoclave.LockdownConfig{Off: true, Require: "none"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			pool := oneWorker()
			pool.MaxUses = 1
			rt := benchRuntime(b, autoclave.Config{Pool: pool, Lockdown: c.cfg})
			var times []time.Duration
			for b.Loop() {
				res := mustRun(b, rt, trivial, patient)
				times = append(times, res.Usage.Queue)
			}
			quantiles(b, "armed", times)
		})
	}
}

// BenchmarkPipePing is the baseline: a byte to another Go process and back,
// without a pause.
func BenchmarkPipePing(b *testing.B) {
	ping := newPinger(b)
	for b.Loop() {
		ping.ping(b)
	}
}
