package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/pool"
)

type benchFlags struct {
	global   *global
	json     bool
	duration time.Duration
	workers  int
	maxUses  int
}

func newBench(g *global) *cobra.Command {
	f := benchFlags{global: g}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine",
		Long: `Measure what executions cost on this machine, beside the cost of reaching another
process at all: a bare byte over a pipe to another Go process and back, sent at
the same cadence as the executions.`,
		Example: `  autoclave bench
  autoclave bench --duration 5s --workers 4 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
	fs.DurationVar(&f.duration, "duration", 2*time.Second, "how long each measurement takes")
	fs.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "workers, and callers, of executions_per_second")
	fs.IntVar(&f.maxUses, "max-uses", 0, "executions of one worker before it is replaced (0: the pool's default, -1: unlimited)")
	return cmd
}

// timing is one line of the table that is a time.
type timing struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
	N   int     `json:"n"`
}

type benchReport struct {
	Machine struct {
		OS, Arch string
		CPUs     int
		Go       string
		Engine   string
		Lockdown string
	} `json:"machine"`
	PipePing         timing  `json:"pipe_ping"`
	ExecuteWarm      timing  `json:"execute_warm"`
	BackToBack       timing  `json:"execute_back_to_back"`
	HostCall         timing  `json:"host_call"`
	SpawnArmed       timing  `json:"spawn_armed"`
	Rearm            timing  `json:"rearm"`
	Result2MB        timing  `json:"result_2mb"`
	Crunch2MB        timing  `json:"crunch_2mb"`
	Fib27            timing  `json:"fib27"`
	PerSecond        float64 `json:"executions_per_second"`
	ResidentMiB      float64 `json:"resident_mib,omitempty"`
	PrivateMiB       float64 `json:"private_mib,omitempty"`
	CPUPerExecution  float64 `json:"cpu_us_per_execution"`
	Workers, MaxUses int     `json:"-"`
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	if f.duration <= 0 {
		return fmt.Errorf("--duration %v: it must be positive", f.duration)
	}
	if f.workers <= 0 {
		return fmt.Errorf("--workers %d: it must be positive", f.workers)
	}
	b := &bencher{flags: f, ctx: cmd.Context(), progress: cmd.ErrOrStderr(), logger: f.global}
	b.report.Workers, b.report.MaxUses = f.workers, f.maxUses
	b.report.Machine.OS, b.report.Machine.Arch = runtime.GOOS, runtime.GOARCH
	b.report.Machine.CPUs, b.report.Machine.Go = runtime.NumCPU(), runtime.Version()
	steps := []struct {
		name string
		run  func() error
	}{
		{"warm executions beside pipe pings", b.warm},
		{"executions back to back", b.backToBack},
		{"host calls", b.hostCalls},
		{"starts of workers", b.spawns},
		{"2 MB of JSON into a program", func() error { return b.timed(&b.report.Result2MB, sourceResult, rowsHost()) }},
		{"filter, sort and group 2 MB of JSON", func() error { return b.timed(&b.report.Crunch2MB, sourceCrunch, rowsHost()) }},
		{"fib(27)", func() error { return b.timed(&b.report.Fib27, sourceFib, echoHost) }},
		{"executions a second", b.perSecond},
	}
	for i, s := range steps {
		fmt.Fprintf(b.progress, "[%d/%d] %s…\n", i+1, len(steps), s.name)
		if err := s.run(); err != nil {
			return fmt.Errorf("measuring %s: %w", s.name, err)
		}
	}
	if f.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(&b.report)
	}
	return b.report.print(cmd.OutOrStdout())
}

const (
	sourceTrivial = `async () => 1+1`
	sourceCalls   = `async () => { for (let i = 0; i < 50; i++) await tools.s.t() }`
	sourceResult  = `async () => (await tools.s.rows()).length`
	sourceFib     = `async () => { const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(27) }`
	sourceCrunch  = `async () => {
	const rows = await tools.s.rows();
	const groups = {};
	for (const r of rows.filter((r) => r.amount > 100).sort((a, b) => b.amount - a.amount)) (groups[r.region] ??= []).push(r.amount);
	return Object.entries(groups).map(([region, a]) => ({ region, n: a.length, sum: a.reduce((x, y) => x + y, 0) }));
}`
	callsOfSource = 50
)

var echoHost = autoclave.HostFunc(func(_ context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	return autoclave.Value{JSON: c.Arguments}, nil
})

// rowsHost answers with 20,000 objects, about 2 MB.
func rowsHost() autoclave.Host {
	var s strings.Builder
	s.WriteByte('[')
	for i := range 20000 {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"id":%d,"region":"region-%d","product":"product-%d","amount":%d.25,"day":"2026-01-%02d","ok":true}`, i, i%7, i%101, i%1000, i%28+1)
	}
	s.WriteByte(']')
	rows := json.RawMessage(s.String())
	return autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.Value{JSON: rows}, nil
	})
}

type bencher struct {
	flags    *benchFlags
	ctx      context.Context
	progress io.Writer
	logger   *global
	report   benchReport
}

// open starts a runtime with one worker that is never replaced, unless change
// says otherwise.
func (b *bencher) open(change func(*autoclave.PoolConfig)) (*autoclave.Runtime, func(), error) {
	cfg := autoclave.Config{
		Pool:   autoclave.PoolConfig{MinWorkers: 1, MinIdle: -1, MaxWorkers: 1, MaxUses: -1, MaxLifetime: -1},
		Logger: b.logger.logger(b.progress),
	}
	if change != nil {
		change(&cfg.Pool)
	}
	rt, err := autoclave.Open(b.ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return rt, func() { closeWithin(rt.Close, closeTime) }, nil
}

func (b *bencher) execute(rt *autoclave.Runtime, source string, host autoclave.Host) (time.Duration, *autoclave.Result, error) {
	begun := time.Now()
	res, err := rt.Execute(b.ctx, autoclave.Program{Source: source}, host)
	return time.Since(begun), res, err
}

func summarize(times []time.Duration) timing {
	if len(times) == 0 {
		return timing{}
	}
	slices.Sort(times)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return timing{P50: us(times[len(times)/2]), P99: us(times[len(times)*99/100]), N: len(times)}
}

// until runs f for as long as a measurement takes, and at least ten times.
func (b *bencher) until(f func() error) error {
	for n, end := 0, time.Now().Add(b.flags.duration); n < 10 || time.Now().Before(end); n++ {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func armed(rt *autoclave.Runtime) {
	for rt.Stats().Idle == 0 {
		time.Sleep(20 * time.Microsecond)
	}
}

func (b *bencher) warm() error {
	rt, done, err := b.open(nil)
	if err != nil {
		return err
	}
	defer done()
	ping, err := startEcho()
	if err != nil {
		return err
	}
	defer ping.close()
	var pings, runs []time.Duration
	var last *autoclave.Result
	err = b.until(func() error {
		armed(rt)
		p, err := ping.ping()
		if err != nil {
			return err
		}
		armed(rt)
		d, res, err := b.execute(rt, sourceTrivial, echoHost)
		pings, runs, last = append(pings, p), append(runs, d), res
		return err
	})
	if err != nil {
		return err
	}
	b.report.PipePing, b.report.ExecuteWarm = summarize(pings), summarize(runs)
	b.report.Machine.Engine = last.Worker.Engine + " " + last.Worker.EngineVersion
	b.report.Machine.Lockdown = last.Worker.Lockdown
	armed(rt)
	b.report.ResidentMiB, b.report.PrivateMiB = memoryOf(last.Worker.PID)
	return nil
}

func (b *bencher) backToBack() error {
	var resets durations
	rt, done, err := b.open(func(c *autoclave.PoolConfig) { c.Observer = &resets })
	if err != nil {
		return err
	}
	defer done()
	var times []time.Duration
	var cpu time.Duration
	err = b.until(func() error {
		d, res, err := b.execute(rt, sourceTrivial, echoHost)
		times = append(times, d)
		cpu += res.Usage.CPU
		return err
	})
	b.report.CPUPerExecution = float64(cpu.Nanoseconds()) / 1000 / float64(len(times))
	b.report.BackToBack = summarize(times)
	b.report.Rearm = summarize(resets.of(pool.EventReset))
	return err
}

func (b *bencher) hostCalls() error {
	rt, done, err := b.open(nil)
	if err != nil {
		return err
	}
	defer done()
	var per []time.Duration
	err = b.until(func() error {
		_, none, err := b.execute(rt, sourceTrivial, echoHost)
		if err != nil {
			return err
		}
		_, many, err := b.execute(rt, sourceCalls, echoHost)
		per = append(per, (many.Usage.Run-none.Usage.Run)/callsOfSource)
		return err
	})
	b.report.HostCall = summarize(per)
	return err
}

func (b *bencher) spawns() error {
	var spawned durations
	rt, done, err := b.open(func(c *autoclave.PoolConfig) { c.MaxUses, c.Observer = 1, &spawned })
	if err != nil {
		return err
	}
	defer done()
	err = b.until(func() error {
		_, _, err := b.execute(rt, sourceTrivial, echoHost)
		return err
	})
	b.report.SpawnArmed = summarize(spawned.of(pool.EventSpawned))
	return err
}

func (b *bencher) timed(into *timing, source string, host autoclave.Host) error {
	rt, done, err := b.open(nil)
	if err != nil {
		return err
	}
	defer done()
	var times []time.Duration
	err = b.until(func() error {
		armed(rt)
		d, _, err := b.execute(rt, source, host)
		times = append(times, d)
		return err
	})
	*into = summarize(times)
	return err
}

func (b *bencher) perSecond() error {
	n := b.flags.workers
	rt, done, err := b.open(func(c *autoclave.PoolConfig) {
		c.MinWorkers, c.MaxWorkers, c.MaxUses, c.MaxLifetime = n, n, b.flags.maxUses, 0
	})
	if err != nil {
		return err
	}
	defer done()
	counts := make([]int, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	begun := time.Now()
	end := begun.Add(b.flags.duration)
	for i := range n {
		wg.Go(func() {
			for time.Now().Before(end) && errs[i] == nil {
				_, _, errs[i] = b.execute(rt, sourceTrivial, echoHost)
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, c := range counts {
		total += c
	}
	b.report.PerSecond = float64(total) / time.Since(begun).Seconds()
	return errors.Join(errs...)
}

// durations collects how long things took in a pool.
type durations struct {
	mu   sync.Mutex
	seen map[pool.EventKind][]time.Duration
}

func (d *durations) Observe(_ context.Context, e pool.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = map[pool.EventKind][]time.Duration{}
	}
	d.seen[e.Kind] = append(d.seen[e.Kind], e.Duration)
}

func (d *durations) of(kind pool.EventKind) []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen[kind])
}

func (r *benchReport) print(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "%s/%s, %d CPUs, %s, engine %s, lockdown %s\n\n", m.OS, m.Arch, m.CPUs, m.Go, m.Engine, m.Lockdown)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tp50 µs\tp99 µs\tp50 above a ping\tn\t")
	for _, row := range []struct {
		name  string
		t     timing
		above bool
	}{
		{"pipe_ping", r.PipePing, false},
		{"execute_warm", r.ExecuteWarm, true},
		{"execute_back_to_back", r.BackToBack, false},
		{"host_call", r.HostCall, false},
		{"rearm", r.Rearm, false},
		{"spawn_armed", r.SpawnArmed, false},
		{"result_2mb", r.Result2MB, false},
		{"crunch_2mb", r.Crunch2MB, false},
		{"fib27", r.Fib27, false},
	} {
		above := ""
		if row.above {
			above = fmt.Sprintf("%.1f", row.t.P50-r.PipePing.P50)
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%s\t%d\t\n", row.name, row.t.P50, row.t.P99, above, row.t.N)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nexecutions_per_second  %.0f (%d callers, %d workers)\ncpu_us_per_execution   %.1f\n", r.PerSecond, r.Workers, r.Workers, r.CPUPerExecution)
	if err == nil && r.ResidentMiB > 0 {
		_, err = fmt.Fprintf(w, "resident_mib           %.1f\nprivate_mib            %.1f\n", r.ResidentMiB, r.PrivateMiB)
	}
	return err
}

// memoryOf is what a process holds in memory, and how much of that is its own,
// in MiB; zeroes where the platform does not tell.
func memoryOf(pid int) (resident, private float64) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0
	}
	var size, rss, shared int64
	if _, err := fmt.Sscan(string(raw), &size, &rss, &shared); err != nil {
		return 0, 0
	}
	page := float64(os.Getpagesize()) / (1 << 20)
	return float64(rss) * page, float64(rss-shared) * page
}

// echo is a process that answers a byte with a byte.
type echo struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	buffer [1]byte
}

const echoCommand = "bench-echo"

func startEcho() (*echo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, inR.Close(), inW.Close())
	}
	e := &echo{cmd: exec.Command(self, echoCommand), in: inW, out: outR}
	e.cmd.Stdin, e.cmd.Stdout = inR, outW
	err = errors.Join(e.cmd.Start(), inR.Close(), outW.Close())
	if err != nil {
		return nil, errors.Join(err, inW.Close(), outR.Close())
	}
	return e, nil
}

func (e *echo) ping() (time.Duration, error) {
	begun := time.Now()
	if _, err := e.in.Write(e.buffer[:]); err != nil {
		return 0, err
	}
	if _, err := e.out.Read(e.buffer[:]); err != nil {
		return 0, err
	}
	return time.Since(begun), nil
}

func (e *echo) close() {
	e.in.Close()
	_ = e.cmd.Wait()
	e.out.Close()
}

func newBenchEcho() *cobra.Command {
	return &cobra.Command{
		Use: echoCommand, Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := make([]byte, 1)
			for {
				if _, err := os.Stdin.Read(b); err != nil {
					return nil
				}
				if _, err := os.Stdout.Write(b); err != nil {
					return nil
				}
			}
		},
	}
}
