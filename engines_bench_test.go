package autoclave_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// BenchmarkEngines has both engines side by side, and V8 without its compiler.
// What computes runs in bare Node.js as well, in turns with V8 and after the
// same rest: bare-p50-us is the program alone there, bare-called-p50-us what a
// caller in another process waits for, as ours does.
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
		{autoclave.EngineQuickJS, func(*testing.B) autoclave.Config { return autoclave.Config{} }},
		{autoclave.EngineV8, func(b *testing.B) autoclave.Config { return v8(b, autoclave.Config{}) }},
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
				computes     bool
			}{
				{"warm", trivial, instant, false},
				{"ten-calls", `async () => { for (let i = 0; i < 10; i++) await tools.s.t({ i }) }`, instant, false},
				{"typescript", `const n: number = await tools.s.t({ a: 1 }).then((x: any) => x.a); return n + 1`, instant, false},
				{"crunch-2MB", crunch, data, true},
				{"fib27", fmt.Sprintf(fib, 27), instant, true},
				{"fib30", fmt.Sprintf(fib, 30), instant, true},
			} {
				// Each begins when an armed worker waits.
				b.Run(w.name, func(b *testing.B) {
					rt := benchRuntime(b, one(b))
					for range 3 {
						mustRun(b, rt, w.source, w.host)
						awaitArmed(b, rt)
					}
					var times, inside, called []time.Duration
					var bare *bareNode
					if e.name == autoclave.EngineV8 && w.computes {
						bare = startBareNode(b, w.source, rows)
					}
					for b.Loop() {
						awaitArmed(b, rt)
						if bare != nil {
							time.Sleep(settle)
						}
						begun := time.Now()
						mustRun(b, rt, w.source, w.host)
						times = append(times, time.Since(begun))
						if bare != nil {
							time.Sleep(settle)
							begun = time.Now()
							inside = append(inside, bare.run(b))
							called = append(called, time.Since(begun))
						}
					}
					p50, _ := quantiles(b, "execute", times)
					if bare != nil {
						inside50, _ := quantiles(b, "bare", inside)
						called50, _ := quantiles(b, "bare-called", called)
						b.ReportMetric(p50/inside50, "whole/bare")
						b.ReportMetric(p50/called50, "whole/bare-called")
					}
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

// settle is how long the next isolates are waited for, of ours and of bare
// Node.js: what is measured then has the processors to itself.
const settle = 100 * time.Millisecond

// bareNode is the Node.js that tests use, with nothing of ours in it: no
// lockdown, no flags, no prelude. It runs one program again and again, each
// time in a new worker thread's new context, made ahead.
type bareNode struct {
	in  io.Writer
	out *bufio.Scanner
}

// bareMain reads the program and what its tool answers, then runs it once for
// each line and says in milliseconds what that took: to compile the program, to
// parse the tool's answer, to run and to encode the result.
const bareMain = `
const { Worker } = require("worker_threads");
const thread = ` + "`" + `
const { parentPort, workerData } = require("worker_threads"), vm = require("vm");
const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
const JSON_ = vm.runInContext("JSON", context);
context.tools = { s: { t: async () => JSON_.parse(workerData.rows) } };
parentPort.once("message", async () => {
  const begun = performance.now();
  JSON_.stringify(await vm.runInContext("(" + workerData.source + ")", context)());
  parentPort.postMessage(performance.now() - begun);
});` + "`" + `;
let data, next;
const make = () => next = new Worker(thread, { eval: true, workerData: data });
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  if (data === undefined) {
    data = JSON.parse(line);
    return make();
  }
  next.once("message", (ms) => {
    console.log(ms);
    setTimeout(make, 5);
  });
  next.postMessage(0);
});`

func startBareNode(b *testing.B, source string, rows json.RawMessage) *bareNode {
	b.Helper()
	cmd := exec.Command(nodetest.Find(b).Path, "-e", bareMain)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	data, err := json.Marshal(map[string]string{"source": source, "rows": string(rows)})
	if err != nil {
		b.Fatal(err)
	}
	n := &bareNode{in: in, out: bufio.NewScanner(out)}
	if _, err := n.in.Write(append(data, '\n')); err != nil {
		b.Fatal(err)
	}
	return n
}

func (n *bareNode) run(b *testing.B) time.Duration {
	b.Helper()
	if _, err := n.in.Write([]byte("\n")); err != nil {
		b.Fatal(err)
	}
	if !n.out.Scan() {
		b.Fatalf("bare node ended: %v", n.out.Err())
	}
	ms, err := strconv.ParseFloat(n.out.Text(), 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ms * float64(time.Millisecond))
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
