package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/gateway"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

func newServe(g *global) *cobra.Command {
	var from configFlags
	var address string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Be an MCP server with two tools, search and execute, over all of yours",
		Long: `Be an MCP server over standard input and output, with two tools: search finds the
tools of the configured MCP servers, execute runs a program that calls them.

With --http, or where the configuration has an address in [http], it serves any
number of clients over Streamable HTTP instead, at /mcp. At /healthz it says that
it is alive, at /readyz whether programs can be run. Who may connect is said in
[http]; where nothing is, only this machine can.

The servers are those of autoclave.toml in the working directory, else those of
.mcp.json. The log goes to standard error.

The configuration is read again when its file changes, and at SIGHUP.

It ends when its standard input ends, or at SIGTERM or an interrupt: over HTTP it
then accepts no more, and lets programs go on for a while (drain_timeout). A
second signal ends it at once.`,
		Example: `  autoclave serve
  autoclave serve --http 127.0.0.1:7341
  autoclave serve --mcp-config ~/.config/Claude/claude_desktop_config.json

  # In the configuration of a client:
  { "mcpServers": { "autoclave": { "command": "autoclave", "args": ["serve", "--config", "/home/me/autoclave.toml"] } } }`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, g, &from, address) },
	}
	from.add(cmd)
	cmd.Flags().StringVar(&address, "http", "", "serve over HTTP at this HOST:PORT")
	return cmd
}

func serve(cmd *cobra.Command, g *global, from *configFlags, address string) error {
	ctx, logger := cmd.Context(), g.logger(cmd.ErrOrStderr())
	// A client that is gone must be an error of a write, not the end of this
	// process: its servers and workers are to be ended in order. What is
	// handled here, unlike what is ignored, servers do not inherit.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	// The file is found once: one that is gone for a moment must not have
	// another take its place, which has no rules.
	if err := from.fix(); err != nil {
		return err
	}
	s := &instance{read: from.supported, log: logger}
	if err := s.notice(from.path()); err != nil {
		s.ignore()
		return err
	}
	defer s.close()
	cfg, err := from.load(logger)
	if err != nil {
		return err
	}
	if address == "" {
		address = cfg.HTTP.Listen
	}
	s.prepare = func(*config.Config) {}
	if address != "" {
		warnInsecure(logger, cfg.HTTP)
		s.prepare = func(cfg *config.Config) {
			stashes(cfg)
			reserve(cfg)
		}
	}
	s.prepare(cfg)
	if err := s.open(ctx, cfg); err != nil {
		return err
	}
	gw, err := gateway.New(gateway.Config{
		Runtime: s.runtimes, Engines: engines(cfg), Limits: cfg.Runtime.Limits, Stash: cfg.Stash,
		NewHost: func(c gateway.Caller) (autoclave.Host, error) { return s.dispatcher.For(caller(c)), nil },
		Catalog: s.dispatcher.Index, Ready: s.dispatcher.Ready,
		AnswerTimeout: max(answerTimeout, cfg.Approval.AskTimeout+time.Minute),
		Version:       version(), Logger: logger,
	})
	if err != nil {
		return err
	}
	defer closeWithin(gw.Close, closeTime)
	defer s.watch(ctx, func(cfg *config.Config) { gw.Offer(cfg.Runtime.Limits, engines(cfg)) })()
	if address != "" {
		return serveHTTP(ctx, gw, address, cfg.HTTP, missing(s), cmd.ErrOrStderr())
	}
	return gw.Serve(ctx, &gateway.StdioTransport{
		In: readCloser(cmd.InOrStdin()), Out: writeCloser{cmd.OutOrStdout()}, Logger: logger,
	})
}

// answerTimeout is how long a client may take to come back with answers, where
// no rule's question may take longer.
const answerTimeout = 10 * time.Minute

// engines are those that a program may name, the default first.
func engines(cfg *config.Config) []string {
	return append([]string{cfg.Engine.Name}, cfg.Engine.Also...)
}

// reserve keeps a worker for whoever has none, where there are principals to be
// fair to and the configuration does not say otherwise.
func reserve(cfg *config.Config) {
	principals := len(cfg.HTTP.Tokens) > 0 || cfg.HTTP.JWT != nil
	if p := &cfg.Runtime.Pool; principals && p.Reserve == 0 && p.MaxWorkers != 1 {
		p.Reserve = 1
	}
}

// caller is a gateway's caller as dispatch knows one.
func caller(c gateway.Caller) dispatch.Caller {
	return dispatch.Caller{
		Principal: c.Principal, Session: c.Session, Ended: c.Ended, Name: c.Name, Stash: c.Stash,
		Client: asker{c.Client}, Approver: c.Approver,
	}
}

// asker is a client as upstreams know one: an upstream.Asker and Listener.
type asker struct{ gateway.Client }

func (a asker) Progress(server, tool string, p upstream.Progress) {
	a.CallProgress(server, tool, p.Done, p.Total, p.Message)
}

// Log does nothing: what a server logs is in our log.
func (asker) Log(string, upstream.LogMessage) {}

// How long what is being closed has to end by itself. Clients that closed the
// input kill after two seconds, so servers have less than their configuration
// may give them.
const (
	closeTime   = 700 * time.Millisecond
	serversTime = 1500 * time.Millisecond
)

func closeWithin(f func(context.Context) error, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_ = f(ctx)
}

func readCloser(r io.Reader) io.ReadCloser {
	if rc, ok := r.(io.ReadCloser); ok {
		return rc
	}
	return io.NopCloser(r)
}

// writeCloser closes what it writes to, where that can be closed.
type writeCloser struct{ io.Writer }

func (w writeCloser) Close() error {
	if c, ok := w.Writer.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// configFlags say where the configuration is.
type configFlags struct{ config, mcp string }

func (f *configFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.config, "config", "", "read this autoclave.toml (default: the one in the working directory, else .mcp.json)")
	fs.StringVar(&f.mcp, "mcp-config", "", "take the servers from a file of another client: .mcp.json, claude_desktop_config.json, …")
	_ = cmd.MarkFlagFilename("config", "toml")
	_ = cmd.MarkFlagFilename("mcp-config", "json")
}

// supported are the features of the configuration that serve has.
var supported = []config.Feature{
	config.FeatureStash, config.FeatureDescriptions, config.FeatureHTTP,
	config.FeatureRemote, config.FeatureBreaker, config.FeatureRestart, config.FeatureRefresh,
	config.FeatureNode, config.FeaturePolicy, config.FeatureGroups, config.FeatureRate, config.FeatureRedaction, config.FeatureAudit,
}

// load reads the configuration, and refuses one that asks for what is not
// there.
func (f *configFlags) load(logger *slog.Logger) (*config.Config, error) {
	cfg, err := f.supported()
	if err == nil {
		warn(logger, cfg)
	}
	return cfg, err
}

func warn(logger *slog.Logger, cfg *config.Config) {
	for _, w := range cfg.Warnings {
		logger.Warn("the configuration: " + w)
	}
}

func (f *configFlags) supported() (*config.Config, error) {
	cfg, err := f.read()
	if err != nil {
		return nil, err
	}
	if missing := cfg.Unsupported(supported...); len(missing) > 0 {
		return nil, errors.New(strings.Join(missing, "\n"))
	}
	return cfg, nil
}

func (f *configFlags) read() (*config.Config, error) {
	if err := f.fix(); err != nil {
		return nil, err
	}
	if f.mcp != "" {
		return config.LoadMCP(f.mcp)
	}
	return config.Load(f.config)
}

// fix finds the file, if that has not been done.
func (f *configFlags) fix() (err error) {
	switch {
	case f.mcp != "" && f.config != "":
		return errors.New("--config and --mcp-config each name all that is served: give one of them")
	case f.mcp == "" && f.config == "":
		f.config, err = config.Find(".")
	}
	return err
}

// path is where the file is.
func (f *configFlags) path() string { return f.config + f.mcp }

// upstreams are the configured servers.
type upstreams struct {
	set *upstream.Set
}

// openUpstreams begins to connect the servers of cfg.
func openUpstreams(ctx context.Context, cfg *config.Config, logger *slog.Logger) (*upstreams, error) {
	set, err := upstream.OpenSet(ctx, upstreamConfigs(cfg, logger))
	if err != nil {
		return nil, err
	}
	return &upstreams{set}, nil
}

func upstreamConfigs(cfg *config.Config, logger *slog.Logger) []upstream.Config {
	cfgs := cfg.Upstreams()
	for i := range cfgs {
		cfgs[i].Logger = logger
	}
	return cfgs
}

// ready waits until each server has come up or has failed.
func (u *upstreams) ready(ctx context.Context) {
	_ = u.set.Wait(ctx) // the only error is that of ctx
}

// problem says why a server is missing, without what the server last wrote to
// its standard error, which may be anything.
func problem(m upstream.Member) string {
	var e *upstream.Error
	switch {
	case m.Pending:
		return "it is still starting"
	case errors.As(m.Err, &e):
		return e.Message
	case m.Err != nil:
		return m.Err.Error()
	}
	return ""
}
