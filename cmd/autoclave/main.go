// Command autoclave runs JavaScript and TypeScript that language models write,
// in warm, locked-down worker processes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
)

// Exit statuses.
const (
	exitOK      = 0
	exitProgram = 1 // the program failed
	exitUsage   = 2 // usage or set-up
)

// statusError ends the command with a status; what there was to say has been
// said.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func main() {
	autoclave.ServeIfWorker()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the command at once.
	context.AfterFunc(ctx, stop)
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status statusError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintln(stderr, "autoclave:", err)
	return exitUsage
}

// global are the flags that every command has.
type global struct {
	verbose bool
}

func (g *global) logger(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if g.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

func newRoot() *cobra.Command {
	var g global
	root := &cobra.Command{
		Use:   "autoclave",
		Short: "Run the JavaScript and TypeScript that language models write",
		Long: `Autoclave runs JavaScript and TypeScript that language models write: in warm
worker processes, locked down by the kernel, with a fresh engine for every
execution.`,
		Example: `  autoclave run examples/quickstart.js
  autoclave serve --mcp-config .mcp.json
  autoclave search "create an issue"
  autoclave doctor`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVarP(&g.verbose, "verbose", "v", false, "log what happens, to standard error")
	root.AddCommand(newRun(&g), newServe(&g), newSearch(&g), newTypes(&g), newInit(&g), newPolicy(&g), newAudit(&g), newDoctor(&g), newBench(&g), newDemoServer(&g), newBenchEcho())
	return root
}

// version is the module's, where the command was built from one.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
