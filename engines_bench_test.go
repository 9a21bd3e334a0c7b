package autoclave_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
)

// BenchmarkEngines has both engines side by side, and V8 without its compiler.
func BenchmarkEngines(b *testing.B) {
	rows := twoMegabytes()
	data := autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.Value{JSON: rows}, nil
	})
	const crunch = `async () => {
		const rows = await tools.s.t();
		const groups = {};
		for (const r of rows.filter((r) => r.amount > 100).sort((a, b) => b.amount - a.amount)) (groups[r.region] ??= []).push(r.amount);
		return Object.entries(groups).map(([k, v]) => [k, v.length, v.reduce((a, b) => a + b, 0)]);
	}`
	const fib = `async () => { const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(%d) }`
	for _, e := range []struct {
		name string
		cfg  func(b *testing.B) autoclave.Config
	}{
		{"quickjs", func(*testing.B) autoclave.Config { return autoclave.Config{} }},
		{"v8", func(b *testing.B) autoclave.Config { return v8(b, autoclave.Config{}) }},
		{"v8-jitless", func(b *testing.B) autoclave.Config {
			cfg := v8(b, autoclave.Config{})
			cfg.Node.Jitless = true
			return cfg
		}},
	} {
		one := func(b *testing.B) autoclave.Config {
			cfg := e.cfg(b)
			cfg.Pool = oneWorker()
			cfg.Limits.CPU = time.Minute
			return cfg
		}
		b.Run(e.name, func(b *testing.B) {
			for _, w := range []struct {
				name, source string
				host         autoclave.Host
			}{
				{"warm", trivial, instant},
				{"ten-calls", `async () => { for (let i = 0; i < 10; i++) await tools.s.t({ i }) }`, instant},
				{"typescript", `const n: number = await tools.s.t({ a: 1 }).then((x: any) => x.a); return n + 1`, instant},
				{"crunch-2MB", crunch, data},
				{"fib27", fmt.Sprintf(fib, 27), instant},
				{"fib30", fmt.Sprintf(fib, 30), instant},
			} {
				// Each begins when an armed worker waits.
				b.Run(w.name, func(b *testing.B) {
					rt := benchRuntime(b, one(b))
					for range 3 {
						mustRun(b, rt, w.source, w.host)
						awaitArmed(b, rt)
					}
					var times []time.Duration
					for b.Loop() {
						awaitArmed(b, rt)
						begun := time.Now()
						mustRun(b, rt, w.source, w.host)
						times = append(times, time.Since(begun))
					}
					quantiles(b, "execute", times)
				})
			}
			b.Run("cold-start", func(b *testing.B) {
				cfg := one(b)
				cfg.Pool.MaxUses = 1
				rt := benchRuntime(b, cfg)
				var times []time.Duration
				for b.Loop() {
					times = append(times, mustRun(b, rt, trivial, instant).Usage.Queue)
				}
				quantiles(b, "armed", times)
			})
			b.Run("executions", func(b *testing.B) {
				const n = 2
				cfg := e.cfg(b)
				cfg.Pool = autoclave.PoolConfig{MinWorkers: n, MinIdle: -1, MaxWorkers: n}
				rt := benchRuntime(b, cfg)
				var wg sync.WaitGroup
				begun := time.Now()
				for i := range n {
					wg.Go(func() {
						for j := i; j < b.N; j += n {
							mustRun(b, rt, trivial, instant)
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "executions/s")
			})
			b.Run("memory", func(b *testing.B) {
				rt := benchRuntime(b, one(b))
				pid := 0
				for b.Loop() {
					pid = mustRun(b, rt, trivial, instant).Worker.PID
				}
				awaitArmed(b, rt)
				time.Sleep(200 * time.Millisecond) // until the next isolate is armed, too
				b.ReportMetric(privateMiB(pid), "MiB-private")
			})
		})
	}
}

// privateMiB is a process's private resident memory; zero where that cannot be
// seen.
func privateMiB(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := bytes.Fields(raw)
	if err != nil || len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseFloat(string(fields[1]), 64)
	shared, _ := strconv.ParseFloat(string(fields[2]), 64)
	return (resident - shared) * float64(os.Getpagesize()) / (1 << 20)
}
