package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/node"
	"github.com/autoclave-run/autoclave/internal/process"
	"github.com/autoclave-run/autoclave/internal/upstream"
	"github.com/autoclave-run/autoclave/internal/worker"
)

// checkup is what doctor found. Its JSON form is stable.
type checkup struct {
	OK       bool          `json:"ok"`
	Version  string        `json:"version"`
	Config   checkedConfig `json:"config"`
	Servers  []checkedUp   `json:"servers"`
	Engine   checkedEngine `json:"engine"`
	Lockdown checkedLayers `json:"lockdown"`
	// Others are the engines that a program may name besides.
	Others []checkedOther `json:"other_engines,omitempty"`
	Limits checkedLimits  `json:"limits"`
}

type checkedOther struct {
	Engine   checkedEngine `json:"engine"`
	Lockdown checkedLayers `json:"lockdown"`
}

type checkedConfig struct {
	OK       bool     `json:"ok"`
	File     string   `json:"file,omitempty"`
	Problems []string `json:"problems,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

type checkedUp struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Disabled bool   `json:"disabled,omitempty"`
	Tools    int    `json:"tools"`
	Millis   int64  `json:"ms"`
	Server   string `json:"server,omitempty"` // name and version, as it says
	Protocol string `json:"protocol,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

type checkedEngine struct {
	OK      bool    `json:"ok"`
	Name    string  `json:"name,omitempty"`
	Version string  `json:"version,omitempty"`
	Path    string  `json:"path,omitempty"`       // of an executable that is not this one
	Start   float64 `json:"start_ms,omitempty"`   // a worker, until it is armed
	Execute float64 `json:"execute_ms,omitempty"` // a program, in a worker that waits
	Problem string  `json:"problem,omitempty"`
}

type checkedLayers struct {
	OK      bool           `json:"ok"`
	Level   lockdown.Level `json:"level"`
	Require string         `json:"require,omitempty"`
	Layers  []checkedLayer `json:"layers"`
	Problem string         `json:"problem,omitempty"`
}

type checkedLayer struct {
	lockdown.Layer
	Remedy string `json:"remedy,omitempty"`
}

type checkedLimits struct {
	CPU         string `json:"cpu"`
	Wall        string `json:"wall"`
	CallTimeout string `json:"call_timeout"`
	Heap        int64  `json:"heap"`
	Program     int    `json:"program"`
	Result      int    `json:"result"`
	Arguments   int    `json:"arguments"`
	CallResult  int    `json:"call_result"`
	Calls       int    `json:"calls"`
	Concurrency int    `json:"concurrency"`
	Logs        int    `json:"logs"`
	Emits       int    `json:"emits"`
}

func newDoctor(g *global) *cobra.Command {
	var from configFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what works, what does not, and what to do",
		Long: `Check the configuration, connect every server, start a worker and run a program in
it, and say what works, what does not, and what to do about it.

Exit status: 0 all that is configured works, 1 something is broken. A layer of the
lockdown that this machine cannot give is broken only where the configuration
requires it.`,
		Example: `  autoclave doctor
  autoclave doctor --json | jq .lockdown
  autoclave doctor --mcp-config .mcp.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := examine(cmd.Context(), &from, g.logger(cmd.ErrOrStderr()))
			if asJSON {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetEscapeHTML(false)
				out.SetIndent("", "  ")
				if err := out.Encode(c); err != nil {
					return fmt.Errorf("printing what was found: %w", err)
				}
			} else {
				c.print(cmd.OutOrStdout())
			}
			if !c.OK {
				return statusError(exitProgram)
			}
			return nil
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func examine(ctx context.Context, from *configFlags, logger *slog.Logger) *checkup {
	c := &checkup{Version: version(), Servers: []checkedUp{}}
	cfg := c.examineConfig(from)
	c.examineServers(ctx, cfg)
	c.Engine, c.Lockdown = examineEngine(ctx, cfg.Runtime, logger)
	for _, name := range cfg.Runtime.Engines {
		other := cfg.Runtime
		other.Engine, other.Engines = name, nil
		if name == cfg.Runtime.Engine || name == autoclave.EngineQuickJS && cfg.Runtime.Engine == "" {
			continue
		}
		e, l := examineEngine(ctx, other, logger)
		c.Others = append(c.Others, checkedOther{e, l})
	}
	c.Limits = limitsOf(cfg.Runtime.Limits)
	c.OK = c.Config.OK && c.Engine.OK && c.Lockdown.OK
	for _, o := range c.Others {
		c.OK = c.OK && o.Engine.OK && o.Lockdown.OK
	}
	for _, s := range c.Servers {
		c.OK = c.OK && (s.OK || s.Disabled)
	}
	return c
}

// examineConfig returns the configuration, the defaults where it cannot be
// read: the rest is worth a look all the same.
func (c *checkup) examineConfig(from *configFlags) *config.Config {
	cfg, err := from.read()
	var all config.Errors
	switch {
	case errors.Is(err, config.ErrNotFound):
		// To run programs none is needed.
		c.Config = checkedConfig{OK: true, Warnings: []string{err.Error()}}
		return &config.Config{}
	case errors.As(err, &all):
		for _, e := range all {
			c.Config.Problems = append(c.Config.Problems, e.Error())
		}
		return &config.Config{}
	case err != nil:
		c.Config.Problems = []string{err.Error()}
		return &config.Config{}
	}
	missing := cfg.Unsupported(supported...)
	c.Config = checkedConfig{OK: len(missing) == 0, File: cfg.File, Problems: missing, Warnings: cfg.Warnings}
	return cfg
}

func (c *checkup) examineServers(ctx context.Context, cfg *config.Config) {
	if len(cfg.Servers) == 0 {
		return
	}
	// What a server says on its standard error is in the problem where it
	// matters.
	ups, err := openUpstreams(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		c.Config.OK = false
		c.Config.Problems = append(c.Config.Problems, err.Error())
		return
	}
	defer closeWithin(ups.set.Close, serversTime)
	ups.ready(ctx)
	members := map[string]upstream.Member{}
	for _, m := range ups.set.Members() {
		members[m.Name] = m
	}
	for _, s := range cfg.Servers {
		m := members[s.Name]
		u := checkedUp{
			Name: s.Name, Disabled: s.Disabled, Tools: len(m.Tools), Millis: m.Took.Milliseconds(),
			Server: strings.TrimSpace(m.Info.Name + " " + m.Info.Version), Protocol: m.Info.Protocol,
		}
		if !s.Disabled {
			u.Problem = problem(m)
			var e *upstream.Error
			if errors.As(m.Err, &e) && e.Stderr != "" {
				u.Problem += "; it last wrote: " + e.Stderr
			}
			u.OK = u.Problem == ""
		}
		c.Servers = append(c.Servers, u)
	}
}

// examineEngine starts a worker of the default engine, and has it run a
// program.
func examineEngine(ctx context.Context, cfg autoclave.Config, logger *slog.Logger) (checkedEngine, checkedLayers) {
	cfg.Engines = nil
	e, l := examineWorker(ctx, cfg)
	if e.Problem == "" {
		e.run(ctx, cfg, logger)
	}
	return e, l
}

// examineWorker starts one worker by hand: what confines it is seen in full
// only on one that lives.
func examineWorker(ctx context.Context, cfg autoclave.Config) (e checkedEngine, l checkedLayers) {
	e = checkedEngine{Name: or(cfg.Engine, autoclave.EngineQuickJS)}
	l = checkedLayers{Level: lockdown.None, Require: cfg.Lockdown.Require, Layers: []checkedLayer{}}
	fail := func(err error) (checkedEngine, checkedLayers) {
		l.Problem, e.Problem = err.Error(), err.Error()
		return e, l
	}
	heap := or(cfg.Limits.Heap, autoclave.DefaultLimits().Heap)
	launch := process.Config{
		Boot: worker.Boot{Lockdown: lockdown.Profile{Off: cfg.Lockdown.Off, HeapLimit: heap}, Heap: heap, MaxFrame: 32 << 20},
		Host: lockdown.HostOptions{Off: cfg.Lockdown.Off},
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if e.Name == autoclave.EngineV8 {
		info, err := node.Inspect(ctx, cfg.Node.Path)
		if err != nil {
			return fail(err)
		}
		e.Path = info.Path
		launch.Node = &process.NodeConfig{Path: info.Path, Boot: worker.NodeBoot{
			Readable: info.Libraries, Stock: cfg.Node.Isolates, CodeRange: info.CodeRange(), Jitless: cfg.Node.Jitless,
		}}
	}
	launcher, err := process.NewLauncher(launch)
	if err != nil {
		return fail(err)
	}
	defer launcher.Close()
	begun := time.Now()
	w, err := launcher.Spawn(ctx)
	if err != nil {
		return fail(err)
	}
	e.Start = float64(time.Since(begun).Microseconds()) / 1000
	e.Name, e.Version = w.Engine()
	report := w.Lockdown()
	w.Kill("it has been examined")
	<-w.Done()

	l.Level = report.Level
	for _, layer := range report.Layers {
		checked := checkedLayer{Layer: layer}
		if !layer.Active {
			checked.Remedy = remedy(layer.Name)
		}
		l.Layers = append(l.Layers, checked)
	}
	err = lockdown.Require(report, lockdown.Level(cfg.Lockdown.Require), cfg.Lockdown.RequireLayers)
	if l.OK = err == nil; err != nil {
		l.Problem = err.Error()
	}
	return e, l
}

// remedy says what can be done about a missing layer.
func remedy(layer string) string {
	switch layer {
	case lockdown.LayerCgroup, lockdown.LayerCPU:
		return "" // nothing: they are missing by choice, and their reasons say so
	}
	return lockdown.Remedy(layer)
}

// run runs a program as serve would.
func (e *checkedEngine) run(ctx context.Context, cfg autoclave.Config, logger *slog.Logger) {
	cfg.Logger = logger
	cfg.Pool = autoclave.PoolConfig{MinWorkers: 1, MinIdle: -1, MaxWorkers: 1}
	rt, err := autoclave.Open(ctx, cfg)
	if err != nil {
		e.Problem = err.Error()
		return
	}
	defer closeWithin(rt.Close, closeTime)
	nothing := autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.Value{JSON: json.RawMessage("2")}, nil
	})
	begun := time.Now()
	res, err := rt.Execute(ctx, autoclave.Program{Source: `const n: number = await tools.doctor.two(); return n + 1`}, nothing)
	e.Execute = float64(time.Since(begun).Microseconds()) / 1000
	switch {
	case err != nil:
		e.Problem = err.Error()
	case string(res.Value) != "3":
		e.Problem = fmt.Sprintf("a program whose value is 3 answered %s", res.Value)
	default:
		e.OK = true
	}
}

func limitsOf(l autoclave.Limits) checkedLimits {
	d := autoclave.DefaultLimits()
	return checkedLimits{
		CPU: or(l.CPU, d.CPU).String(), Wall: or(l.Wall, d.Wall).String(), CallTimeout: or(l.CallTimeout, d.CallTimeout).String(),
		Heap: or(l.Heap, d.Heap), Program: or(l.Program, d.Program), Result: or(l.Result, d.Result), Arguments: or(l.Arguments, d.Arguments),
		CallResult: or(l.CallResult, d.CallResult), Calls: or(l.Calls, d.Calls), Concurrency: or(l.Concurrency, d.Concurrency),
		Logs: or(l.Logs, d.Logs), Emits: or(l.Emits, d.Emits),
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (c *checkup) print(w io.Writer) {
	mark := func(ok bool) string {
		if ok {
			return "ok    "
		}
		return "BROKEN"
	}
	fmt.Fprintf(w, "autoclave %s\n\n", c.Version)
	file := c.Config.File
	if file == "" {
		file = "none"
	}
	fmt.Fprintf(w, "%s configuration: %s\n", mark(c.Config.OK), file)
	for _, p := range c.Config.Problems {
		fmt.Fprintf(w, "         %s\n", indent(p))
	}
	for _, p := range c.Config.Warnings {
		fmt.Fprintf(w, "         note: %s\n", indent(p))
	}
	for _, s := range c.Servers {
		switch {
		case s.Disabled:
			fmt.Fprintf(w, "off    server %s: disabled in the configuration\n", s.Name)
		case s.OK:
			fmt.Fprintf(w, "%s server %s: %d %s in %d ms (%s, MCP %s)\n", mark(true), s.Name, s.Tools, plural(s.Tools, "tool"), s.Millis, s.Server, s.Protocol)
		default:
			fmt.Fprintf(w, "%s server %s: %s\n", mark(false), s.Name, indent(s.Problem))
		}
	}
	printEngine(w, mark, c.Engine, c.Lockdown)
	for _, o := range c.Others {
		printEngine(w, mark, o.Engine, o.Lockdown)
	}
	size := func(n int64) string { return humanize.IBytes(uint64(n)) }
	l := c.Limits
	fmt.Fprintf(w, "\nA program may compute for %s, take %s, hold %s and be %s long. It may make %d calls, %d at once, each for %s, with %s of arguments and %s of result. Its value may have %s, its console %s, what it emits %s.\n",
		l.CPU, l.Wall, size(l.Heap), size(int64(l.Program)), l.Calls, l.Concurrency, l.CallTimeout, size(int64(l.Arguments)),
		size(int64(l.CallResult)), size(int64(l.Result)), size(int64(l.Logs)), size(int64(l.Emits)))
}

func printEngine(w io.Writer, mark func(bool) string, e checkedEngine, l checkedLayers) {
	if e.OK {
		fmt.Fprintf(w, "%s engine: %s %s; a worker starts in %.1f ms, a program with one call runs in %.1f ms\n",
			mark(true), e.Name, e.Version, e.Start, e.Execute)
	} else {
		fmt.Fprintf(w, "%s engine: %s\n", mark(false), indent(e.Problem))
	}
	if e.Path != "" {
		fmt.Fprintf(w, "         %s\n", e.Path)
	}
	fmt.Fprintf(w, "%s lockdown: %s\n", mark(l.OK), l.Level)
	if l.Problem != "" && l.Problem != e.Problem {
		fmt.Fprintf(w, "         %s\n", indent(l.Problem))
	}
	for _, layer := range l.Layers {
		state := "active "
		if !layer.Active {
			state = "missing"
		}
		fmt.Fprintf(w, "         %s %s", state, layer.Name)
		if layer.Reason != "" {
			fmt.Fprintf(w, ": %s", layer.Reason)
		}
		if layer.Remedy != "" {
			fmt.Fprintf(w, "; it needs %s", layer.Remedy)
		}
		fmt.Fprintln(w)
	}
}

// indent keeps the lines of a text under each other.
func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n         ")
}
