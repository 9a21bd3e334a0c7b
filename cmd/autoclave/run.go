package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/stash"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

type runFlags struct {
	global  *global
	code    string
	json    bool
	servers []string
	limits  autoclave.Limits
	require string
	engine  string
	node    autoclave.NodeConfig
	trap    bool
}

func newRun(g *global) *cobra.Command {
	f := runFlags{global: g}
	cmd := &cobra.Command{
		Use:   "run [FILE | -]",
		Short: "Run one program and print its value",
		Long: `Run one program and print its value as JSON on standard output. What it says on
its console, and what it cost, goes to standard error.

The program calls the tools of the built-in demo servers, or of the MCP servers
given by --server.

Exit status: 0 the program has a value, 1 the program failed, 2 it could not be
run.`,
		Example: `  autoclave run examples/quickstart.js
  autoclave run -e 'async () => (await tools.weather.get_forecast({ city: "Oslo" })).days'
  echo 'return 6 * 7' | autoclave run -
  autoclave run --server fs='npx -y @modelcontextprotocol/server-filesystem .' program.ts`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.code, "eval", "e", "", "run this code instead of a file")
	fs.BoolVar(&f.json, "json", false, "print the whole result as one JSON object")
	fs.StringArrayVar(&f.servers, "server", nil, "connect an MCP server over stdio, as NAME='COMMAND ARGS…', instead of the demo (repeatable)")
	fs.DurationVar(&f.limits.CPU, "cpu", 0, "limit on the program's CPU time (default 5s)")
	fs.DurationVar(&f.limits.Wall, "timeout", 0, "limit on the time that the program takes, waiting included (default 5m)")
	fs.StringVar(&f.require, "require", "", "refuse to run below this level of lockdown: strict, partial or none (default: the best that the machine can give)")
	fs.StringVar(&f.engine, "engine", autoclave.EngineQuickJS, "run it by quickjs, which is built in, or by v8, which needs Node.js 22 or later")
	fs.StringVar(&f.node.Path, "node", "", "the executable of Node.js, for v8 (default: node on the PATH)")
	fs.BoolVar(&f.node.Jitless, "jitless", false, "have v8 do without its compiler: slower, and no memory is executable that it writes to")
	fs.BoolVar(&f.trap, "trap", false, "debugging: make a worker say which system call it was killed for")
	_ = fs.MarkHidden("trap")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	source, err := f.source(cmd, args)
	if err != nil {
		return err
	}
	cfgs, err := f.upstreams()
	if err != nil {
		return err
	}
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	logger := f.global.logger(stderr)
	for i := range cfgs {
		cfgs[i].Logger, cfgs[i].NoAsking = logger, true
	}
	set, err := upstream.OpenSet(ctx, cfgs)
	if err != nil {
		return err
	}
	defer closeWithin(set.Close, closeTime)
	rt, err := autoclave.Open(ctx, autoclave.Config{
		Limits: f.limits, Engine: f.engine, Node: f.node, Logger: logger,
		// One program: one worker, and no time is spent on the next.
		Pool:     autoclave.PoolConfig{MinWorkers: 1, MinIdle: -1, MaxWorkers: 1},
		Lockdown: autoclave.LockdownConfig{Require: f.require, Trap: f.trap},
	})
	if err != nil {
		return err
	}
	defer closeWithin(rt.Close, closeTime)
	if err := set.Wait(ctx); err != nil {
		return err
	}
	for _, m := range set.Members() {
		if m.Err != nil {
			return fmt.Errorf("the server %s did not come up: %w", m.Name, m.Err)
		}
	}
	dispatcher, err := dispatch.New(dispatch.Config{Upstreams: set, Logger: logger})
	if err != nil {
		return err
	}
	store, err := stash.New(stash.Config{})
	if err != nil {
		return err
	}
	host := &console{Host: dispatcher.For(dispatch.Caller{Stash: store}), w: stderr, quiet: f.json}
	res, execErr := rt.Execute(ctx, autoclave.Program{Source: source}, host)
	if f.json {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetEscapeHTML(false)
		if err := out.Encode(res); err != nil {
			return fmt.Errorf("printing the result: %w", err)
		}
	} else if err := printResult(cmd.OutOrStdout(), stderr, res); err != nil {
		return err
	}
	if execErr != nil {
		return statusError(exitProgram)
	}
	return nil
}

func (f *runFlags) source(cmd *cobra.Command, args []string) (string, error) {
	given := cmd.Flags().Changed("eval")
	switch {
	case given && len(args) > 0:
		return "", errors.New("run takes a file or -e CODE, not both")
	case given:
		return f.code, nil
	case len(args) == 0:
		return "", errors.New("run needs a program: a FILE, - for standard input, or -e CODE")
	case args[0] == "-":
		b, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return "", fmt.Errorf("reading the program from standard input: %w", err)
		}
		return string(b), nil
	}
	b, err := os.ReadFile(args[0])
	if err != nil {
		return "", fmt.Errorf("reading the program: %w", err)
	}
	return string(b), nil
}

func (f *runFlags) upstreams() ([]upstream.Config, error) {
	if len(f.servers) == 0 {
		return demoUpstreams()
	}
	var cfgs []upstream.Config
	for _, s := range f.servers {
		name, command, ok := strings.Cut(s, "=")
		if !ok || name == "" || strings.TrimSpace(command) == "" {
			return nil, fmt.Errorf("--server %q: it has the form NAME='COMMAND ARGS…', for example fs='npx -y @modelcontextprotocol/server-filesystem .'", s)
		}
		words, err := shellwords.Parse(command)
		if err != nil || len(words) == 0 {
			return nil, fmt.Errorf("--server %s: the command %q cannot be split into words: %w", name, command, err)
		}
		cfgs = append(cfgs, upstream.Config{Name: name, Command: words})
	}
	return cfgs, nil
}

// console is the host of a program on a terminal: its console lines appear as
// they are said.
type console struct {
	*dispatch.Host
	w     io.Writer
	quiet bool
	mu    sync.Mutex
}

func (c *console) Log(e autoclave.LogEntry) {
	if c.quiet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	prefix := ""
	if e.Level == "warn" || e.Level == "error" || e.Level == "debug" {
		prefix = e.Level + ": "
	}
	fmt.Fprintf(c.w, "%s%s\n", prefix, printable(e.Text))
}

func (c *console) Emit(block json.RawMessage) {
	if c.quiet {
		return
	}
	var head struct {
		Type     string `json:"type"`
		MimeType string `json:"mimeType"`
		Text     string `json:"text"`
	}
	_ = json.Unmarshal(block, &head)
	c.mu.Lock()
	defer c.mu.Unlock()
	if head.Type == "text" {
		fmt.Fprintf(c.w, "emitted text: %s\n", printable(head.Text))
		return
	}
	fmt.Fprintf(c.w, "emitted %s %s, %s (--json has it)\n", printable(head.Type), printable(head.MimeType), humanize.IBytes(uint64(len(block))))
}

func (c *console) Progress(p autoclave.Progress) {
	if c.quiet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.Total != nil {
		fmt.Fprintf(c.w, "progress: %g of %g %s\n", p.Done, *p.Total, printable(p.Message))
		return
	}
	fmt.Fprintf(c.w, "progress: %g %s\n", p.Done, printable(p.Message))
}

func printResult(stdout, stderr io.Writer, res *autoclave.Result) error {
	for _, w := range res.Warnings {
		fmt.Fprintln(stderr, "warning:", printable(w))
	}
	if res.Error != nil {
		fmt.Fprint(stderr, printable(describe(res.Error)))
	} else if _, err := fmt.Fprintf(stdout, "%s\n", res.Value); err != nil {
		return fmt.Errorf("printing the value: %w", err)
	}
	fmt.Fprintln(stderr, cost(res))
	return nil
}

// describe is a failure for a person: the code, the message, the place in the
// source, what would be right.
func describe(e *autoclave.Error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.Code, e.Message)
	if e.Frame != "" {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(e.Frame, "\n"))
	} else if e.Line > 0 {
		fmt.Fprintf(&b, "  at line %d, column %d\n", e.Line, e.Column)
	}
	if e.Cause != "" {
		fmt.Fprintf(&b, "cause: %s\n", e.Cause)
	}
	if e.Suggestion != "" {
		fmt.Fprintf(&b, "%s\n", e.Suggestion)
	}
	return b.String()
}

// cost is one line that says what the execution took.
func cost(res *autoclave.Result) string {
	u := res.Usage
	status := "ok"
	if !res.OK {
		status = "failed"
	}
	s := fmt.Sprintf("%s in %s (queued %s, CPU %s), heap %s, %d %s, %s in, %s out", status,
		round(u.Run), round(u.Queue), round(u.CPU), humanize.IBytes(uint64(u.HeapPeak)), u.Calls, plural(u.Calls, "call"),
		humanize.IBytes(uint64(u.BytesIn)), humanize.IBytes(uint64(u.BytesOut)))
	if w := res.Worker; w != nil {
		s += fmt.Sprintf(", worker %d (%s, lockdown %s)", w.PID, w.Engine, w.Lockdown)
	}
	return s
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// round keeps three digits or so of a duration.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
