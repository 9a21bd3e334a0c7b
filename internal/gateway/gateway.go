package gateway

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// Runtime runs programs. *autoclave.Runtime is one.
type Runtime interface {
	Execute(ctx context.Context, p autoclave.Program, host autoclave.Host) (*autoclave.Result, error)
}

// Client is the client that sent a program, as far as an upstream may ask
// something of it while a call of that program is under way. It can be
// compared: the Clients of one session and principal are equal. Its methods may
// be called concurrently.
type Client interface {
	// Can reports whether the client said that it answers requests of this
	// method.
	Can(method string) bool
	// Ask sends the client a request, "sampling/createMessage",
	// "elicitation/create" or "roots/list", and returns its result. The
	// execution's clock stands still meanwhile. The error is a *jsonrpc.Error
	// where the client refused, or cannot be asked; an upstream can be given
	// it as it is.
	Ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)
	// CallProgress says how far a call of a tool is, in the upstream's words.
	// It does not block.
	CallProgress(server, tool string, done float64, total *float64, message string)
}

// Caller says on whose behalf one execution runs.
type Caller struct {
	// Principal is who sent the program, the tenant of the pool.
	Principal string
	// Session names the session, unguessably; empty where the protocol has
	// none.
	Session string
	// Name is the session name that the client gave with the program, which
	// anybody could guess; empty where it gave none.
	Name string
	// Stash is the one that the principal has under Name; without a name the
	// session's; where there is no session, the principal's.
	Stash *stash.Store
	// Ended ends with the session.
	Ended context.Context
	// Client is who sent it, Approver the same for questions about this very
	// execution: no other program of the client carries them.
	Client   Client
	Approver Client
}

// Governor is what a Host may also be: one that has the last word on what
// leaves for the client.
type Governor interface {
	// Text is a line of the console or of progress, as it may leave.
	Text(string) string
	// Finish is called once, when the execution has ended, and returns the
	// result that the client gets.
	Finish(ctx context.Context, p autoclave.Program, res *autoclave.Result) *autoclave.Result
}

// Config says what a Gateway offers. Runtime, NewHost and Catalog must be set;
// zero means the default elsewhere. It is copied.
type Config struct {
	// Runtime runs the programs. It stays its owner's, who closes it after the
	// Gateway.
	Runtime Runtime
	// NewHost returns the host of one execution. Where it has no stash, the
	// Caller's is supplied. What programs ask of the catalog is answered from
	// Catalog; of its own CatalogHost only the names are taken.
	NewHost func(Caller) (autoclave.Host, error)
	// Catalog returns what the upstreams offer at this moment. It must be quick
	// and must not return nil. It is asked each time, so that a change is seen
	// at once.
	Catalog func() *catalog.Catalog
	// Ready waits until every upstream has come up or has failed, or until ctx
	// ends. Nil: there is nothing to wait for.
	Ready func(ctx context.Context)
	// StartWait is how long after New a search or a program still waits for
	// Ready. Default 5 s; negative means not at all.
	StartWait time.Duration
	// Engines are those that a program may name, the default first. With one or
	// none it cannot name any.
	Engines []string
	// Limits are those that Runtime was opened with.
	Limits autoclave.Limits
	// Stash bounds the stashes.
	Stash stash.SessionsConfig
	// MaxExecutions is how many programs of one session may be under way at
	// once. Default 32.
	MaxExecutions int
	// MaxText is how much of a value the model is shown, in bytes, and so how
	// much of an error, of the hits of a search, and of the emitted texts.
	// Default 40 KiB, at most 10,000 tokens or so; at least 1 KiB.
	MaxText int
	// AnswerTimeout is how long an execution waits for the client's answer to
	// an upstream's question. Default 10 min.
	AnswerTimeout time.Duration
	// Drain is how long Serve goes on answering a client that has closed its
	// end. Default 1 s, which is less than clients wait before they kill;
	// negative means not at all.
	Drain time.Duration
	// Principal names who sent a request, from what the transport knows of it.
	// Nil: the user of its token; where it has none, "local".
	Principal func(*mcp.RequestExtra) string
	// Version is the version that the server says it has.
	Version string
	// Logger gets what an operator should know. Nil discards.
	Logger *slog.Logger
}

// Gateway is an MCP server with the tools search and execute. Make one with
// New, and Close it. Its methods may be called concurrently.
type Gateway struct {
	cfg     Config
	offer   atomic.Pointer[offer]
	log     *slog.Logger
	server  *mcp.Server
	stashes *stash.Sessions
	started time.Time

	mu       sync.Mutex
	closed   bool
	sessions map[*mcp.ServerSession]*session
	parked   map[string]*parked // by the state that the client is to send back
	ending   sync.WaitGroup     // one for each session
}

// errShuttingDown is the cause with which Close and Serve end executions.
var errShuttingDown = errors.New("the gateway is shutting down")

// New returns a Gateway, or an error that names the field of cfg that is
// wrong.
func New(cfg Config) (*Gateway, error) {
	switch {
	case cfg.Runtime == nil:
		return nil, errors.New("gateway: Config.Runtime is nil: it must run programs")
	case cfg.NewHost == nil:
		return nil, errors.New("gateway: Config.NewHost is nil: it must return the host of an execution")
	case cfg.Catalog == nil:
		return nil, errors.New("gateway: Config.Catalog is nil: it must return the catalog, which may be empty")
	case cfg.MaxExecutions < 0:
		return nil, fmt.Errorf("gateway: Config.MaxExecutions is %d: it must be positive, or 0 for the default of 32", cfg.MaxExecutions)
	case cfg.MaxText < 0 || cfg.MaxText > 0 && cfg.MaxText < 1<<10:
		return nil, fmt.Errorf("gateway: Config.MaxText is %d: it must be at least 1024 bytes, or 0 for the default of 40 KiB", cfg.MaxText)
	case cfg.AnswerTimeout < 0:
		return nil, fmt.Errorf("gateway: Config.AnswerTimeout is %v: it must be positive, or 0 for the default of 10 min", cfg.AnswerTimeout)
	}
	setDefault(&cfg.MaxExecutions, 32)
	setDefault(&cfg.MaxText, 40<<10)
	setDefault(&cfg.AnswerTimeout, 10*time.Minute)
	setDefault(&cfg.StartWait, 5*time.Second)
	setDefault(&cfg.Drain, time.Second)
	setDefault(&cfg.Version, "(devel)")
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	stashes, err := stash.NewSessions(cfg.Stash)
	if err != nil {
		return nil, fmt.Errorf("gateway: Config.Stash: %w", err)
	}
	g := &Gateway{
		cfg: cfg, log: cfg.Logger, stashes: stashes, started: time.Now(),
		sessions: map[*mcp.ServerSession]*session{}, parked: map[string]*parked{},
	}
	g.offer.Store(&offer{effective(cfg.Limits), cfg.Engines})
	g.server = g.newServer()
	return g, nil
}

// offer is what a program is told that it may use.
type offer struct {
	limits  autoclave.Limits
	engines []string
}

func (o *offer) tool() *mcp.Tool { return executeTool(o.limits, o.engines) }

// Offer says what programs may use from now on, after the Runtime has been
// given other limits or engines. A client that has read the tools keeps what it
// has read; what it asks for is held against this.
func (g *Gateway) Offer(limits autoclave.Limits, engines []string) {
	o := &offer{effective(limits), engines}
	g.offer.Store(o)
	g.server.AddTool(o.tool(), g.execute)
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// effective returns the limits that a Runtime opened with l applies, of those
// that the gateway must know.
func effective(l autoclave.Limits) autoclave.Limits {
	d := autoclave.DefaultLimits()
	setDefault(&l.CPU, d.CPU)
	setDefault(&l.Wall, d.Wall)
	setDefault(&l.Calls, d.Calls)
	setDefault(&l.Concurrency, d.Concurrency)
	return l
}

// Server returns the SDK's server, for a handler that makes sessions of its
// own. A session is served from its first call, and all that it holds goes
// with it.
func (g *Gateway) Server() *mcp.Server { return g.server }

// newServer builds the server. Its tools never change, so that nothing a
// client has cached goes stale; what does change, the names of the servers, is
// put into the instructions when a client asks for them.
func (g *Gateway) newServer() *mcp.Server {
	server := mcp.NewServer(
		&mcp.Implementation{Name: "autoclave", Title: "Autoclave", Version: g.cfg.Version},
		&mcp.ServerOptions{
			Logger: g.log,
			Capabilities: &mcp.ServerCapabilities{
				Logging: &mcp.LoggingCapabilities{},
				Tools:   &mcp.ToolCapabilities{},
			},
		},
	)
	server.AddTool(searchTool, g.search)
	server.AddTool(g.offer.Load().tool(), g.execute)
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if err := g.admit(ctx, method, req); err != nil {
				return nil, err
			}
			res, err := next(ctx, method, req)
			if err != nil {
				return res, err
			}
			switch r := res.(type) {
			case *mcp.InitializeResult:
				r.Instructions = instructions(g.cfg.Catalog())
			case *mcp.DiscoverResult:
				r.Instructions = instructions(g.cfg.Catalog())
			}
			return res, nil
		}
	})
	return server
}

// ready waits for upstreams that are still starting, in the first moments of
// the Gateway only: one that never comes up must not hold the others.
func (g *Gateway) ready(ctx context.Context) {
	left := g.cfg.StartWait - time.Since(g.started)
	if g.cfg.Ready == nil || left <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	g.cfg.Ready(ctx)
}

func (g *Gateway) principal(extra *mcp.RequestExtra) string {
	switch {
	case g.cfg.Principal != nil:
		return g.cfg.Principal(extra)
	case extra != nil && extra.TokenInfo != nil:
		return extra.TokenInfo.UserID
	}
	return "local"
}

// Drain refuses new executions and new sessions from now on, waits for those
// executions that are under way until ctx ends, then ends them with
// ShuttingDown. It returns when none runs; the connections stay, so that the
// answers can still be written.
func (g *Gateway) Drain(ctx context.Context) {
	var draining sync.WaitGroup
	sessions := g.refuse()
	// Who is to come back with an answer cannot any more.
	g.mu.Lock()
	for _, p := range g.parked {
		p.run.end(errShuttingDown)
	}
	g.mu.Unlock()
	for _, s := range sessions {
		draining.Go(func() { s.drain(ctx) })
	}
	draining.Wait()
}

// refuse lets no session begin any more, and returns those that there are.
func (g *Gateway) refuse() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return slices.Collect(maps.Values(g.sessions))
}

// Close refuses new executions, waits for those under way until ctx ends, then
// ends them with ShuttingDown, closes all connections, and returns when
// nothing is left. It may be called more than once.
func (g *Gateway) Close(ctx context.Context) error {
	var closing sync.WaitGroup
	for _, s := range g.refuse() {
		closing.Go(func() { s.close(ctx) })
	}
	closing.Wait()
	g.ending.Wait()
	g.stashes.Close()
	return nil
}
