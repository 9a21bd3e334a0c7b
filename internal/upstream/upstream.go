// Package upstream connects the host to MCP servers that it is a client of:
// it starts them, speaks with them through the official SDK, and ends them.
//
// It knows nothing of programs, workers or policy. What a server answers it
// hands on as the bytes that the server wrote.
package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Config says how one stdio server is started and what it may take. Name and
// Command must be set; zero means the default elsewhere. It is copied.
type Config struct {
	// Name is what programs call the server: 1 to 64 characters of A-Z a-z
	// 0-9 _ - and ., beginning with a letter, a digit or _.
	Name string
	// Command is the program and its arguments. A program without a slash is
	// looked up in the host's PATH.
	Command []string
	// Env is set for the server, as NAME=value. In front of it come PATH,
	// HOME, USER, LOGNAME, SHELL, LANG, LC_ALL, TZ and TMPDIR of the host,
	// because npx, uvx and docker do not work without; nothing else of the
	// host's environment reaches a server.
	Env []string
	// BareEnv leaves the host's variables out: Env alone is what it gets.
	BareEnv bool
	// Dir is the working directory. Default: the host's.
	Dir string

	// ConnectTimeout bounds the start up to the end of the handshake. Default
	// 30 s, because npx may have to download the server first.
	ConnectTimeout time.Duration
	// DiscoverTimeout is how long the server may leave the newest protocol's
	// first request unanswered before the older handshake is tried on the same
	// connection. Default 2 s; negative means the older handshake alone.
	DiscoverTimeout time.Duration
	// CallTimeout bounds one request. Default 60 s; negative means as long as
	// the context.
	CallTimeout time.Duration
	// MaxFrame is the size of one message in bytes, in either direction.
	// Default 32 MiB.
	MaxFrame int
	// Grace is how long the server has to end after its input was closed, and
	// again after SIGTERM. Default 2 s.
	Grace time.Duration
	// Logger gets the server's stderr (at Info) and what is odd about it.
	// Default: nothing is logged.
	Logger *slog.Logger
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

func (c Config) withDefaults() (Config, error) {
	if !validName.MatchString(c.Name) {
		return c, fmt.Errorf("upstream: Name is %q: it must have 1 to 64 characters of A-Z a-z 0-9 _ - . and begin with a letter, a digit or _", c.Name)
	}
	if len(c.Command) == 0 || c.Command[0] == "" {
		return c, fmt.Errorf("upstream %s: Command is empty: it must name a program", c.Name)
	}
	for _, e := range c.Env {
		if i := strings.IndexByte(e, '='); i < 1 || strings.IndexByte(e, 0) >= 0 {
			// The value is not shown: it may be a secret.
			return c, fmt.Errorf("upstream %s: Env has an entry of %d bytes that is not NAME=value", c.Name, len(e))
		}
	}
	if c.MaxFrame < 0 {
		return c, fmt.Errorf("upstream %s: MaxFrame is %d: it must be positive, or 0 for the default", c.Name, c.MaxFrame)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"ConnectTimeout", c.ConnectTimeout}, {"Grace", c.Grace}} {
		if d.value < 0 {
			return c, fmt.Errorf("upstream %s: %s is %v: it must be positive, or 0 for the default", c.Name, d.field, d.value)
		}
	}
	c.Command = append([]string{}, c.Command...)
	c.Env = append([]string{}, c.Env...)
	setDefault(&c.ConnectTimeout, 30*time.Second)
	setDefault(&c.DiscoverTimeout, 2*time.Second)
	setDefault(&c.CallTimeout, 60*time.Second)
	setDefault(&c.MaxFrame, 32<<20)
	setDefault(&c.Grace, 2*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func setDefault[T ~int | ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Info is what a server says of itself. All of it is the server's word.
type Info struct {
	Name, Title, Version string
	// Protocol is the version that was agreed on.
	Protocol     string
	Instructions string
}

// Upstream is a connection with one server. Its methods may be called
// concurrently.
type Upstream struct {
	cfg     Config
	conn    *conn
	proc    *process
	stderr  *stderrLog
	session *mcp.ClientSession

	killOnce sync.Once
	kill     chan struct{} // closed: no more grace
	gone     chan struct{} // closed when nothing is left
}

// Connect starts the server and shakes hands with it. The server lives until
// Close, or until it ends itself; ctx bounds only the start. The error is an
// *Error, but for a bad cfg.
func Connect(ctx context.Context, cfg Config) (*Upstream, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With("server", cfg.Name)
	u, late, err := connect(ctx, cfg)
	if err != nil && late {
		// It knows the newest protocol alone and was slow to start. A second
		// start finds more of it in the caches, and gets all the time there is.
		cfg.DiscoverTimeout = cfg.ConnectTimeout
		u, _, err = connect(ctx, cfg)
	}
	return u, err
}

// connect is one attempt. The second result says that it failed for want of
// patience with server/discover.
func connect(ctx context.Context, cfg Config) (*Upstream, bool, error) {
	proc, err := startProcess(cfg)
	if err != nil {
		return nil, false, &Error{Kind: Unavailable, Server: cfg.Name, Message: err.Error(), err: err}
	}
	u := &Upstream{
		cfg: cfg, proc: proc, stderr: &stderrLog{log: cfg.Logger, done: make(chan struct{})},
		kill: make(chan struct{}), gone: make(chan struct{}),
	}
	u.conn = newConn(cfg, proc.stdout, proc.stdin, u.causeOfEnd)
	go u.stderr.run(proc.stderr)

	opts := &mcp.ClientSessionOptions{}
	if cfg.DiscoverTimeout < 0 {
		opts.ProtocolVersion = legacyProtocol
	}
	client := mcp.NewClient(
		&mcp.Implementation{Name: "autoclave", Version: "1"},
		// No roots, no sampling, no elicitation: such requests of a server are
		// refused by the SDK until there is somebody to pass them on to.
		&mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}},
	)
	connectCtx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	// Where the SDK waits for something else than the context (it closes a
	// connection gently), the end of the connection still ends the wait.
	stop := context.AfterFunc(connectCtx, func() {
		u.conn.close(&Error{Kind: TimedOut, Server: cfg.Name, Message: "it did not answer the handshake"})
	})
	session, err := client.Connect(connectCtx, u.conn, opts)
	if !stop() && err == nil {
		session.Close()
		err = context.Cause(connectCtx)
	}
	if err != nil {
		timedOut := connectCtx.Err() != nil
		u.conn.close(&Error{Kind: Closed, Server: cfg.Name, Message: "it did not come up"})
		u.noGrace() // it never worked: there is nothing to wait for
		go u.supervise()
		<-u.gone
		return nil, u.conn.discoveredLate() && ctx.Err() == nil, u.connectError(ctx, err, timedOut)
	}
	u.session = session
	go u.supervise()
	return u, false, nil
}

// legacyProtocol is the newest version that begins with initialize.
const legacyProtocol = "2025-11-25"

func (u *Upstream) connectError(ctx context.Context, err error, timedOut bool) *Error {
	e := &Error{Kind: Unavailable, Server: u.cfg.Name, err: err}
	// The connection's own end, if there was one, says more than what the SDK
	// made of it; that the SDK closed it says nothing.
	failure := u.conn.failure
	switch {
	case ctx.Err() != nil:
		e.Kind, e.err = Cancelled, context.Cause(ctx)
		e.Message = "starting it was cancelled: " + e.err.Error()
	case timedOut:
		e.Kind, e.err = TimedOut, context.DeadlineExceeded
		e.Message = fmt.Sprintf("it did not complete the handshake within %v", u.cfg.ConnectTimeout)
	case failure.Kind != Closed:
		e.Kind, e.Message = failure.Kind, failure.Message
	default:
		e.Kind, e.Message = Protocol, "the handshake failed: "+err.Error()
	}
	e.Stderr = u.stderr.last()
	return e
}

// supervise owns the end of the connection: it waits for it, whoever causes
// it, and clears up.
func (u *Upstream) supervise() {
	defer close(u.gone)
	<-u.conn.closed
	if u.session != nil {
		// Nothing is waited for here: reads and writes fail by now.
		_ = u.session.Close()
	}
	u.proc.stop(u.cfg.Grace, u.kill)
	// Both readers have a deadline since the process died.
	<-u.stderr.done
	u.proc.stdout.Close()
	u.proc.stderr.Close()
	u.conn.loops.Wait()
}

// causeOfEnd says why the server's output ended, and what it last wrote to its
// stderr.
func (u *Upstream) causeOfEnd() (cause, stderr string) {
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-u.proc.done:
		select {
		case <-u.stderr.done: // its last words are in
		case <-timer.C:
		}
		return "it " + u.proc.cause, u.stderr.last()
	case <-timer.C:
		return "it closed its output", u.stderr.last()
	}
}

func (u *Upstream) noGrace() { u.killOnce.Do(func() { close(u.kill) }) }

// Name returns Config.Name.
func (u *Upstream) Name() string { return u.cfg.Name }

// Info returns what the server said of itself in the handshake.
func (u *Upstream) Info() Info {
	r := u.session.InitializeResult()
	info := Info{Protocol: r.ProtocolVersion, Instructions: r.Instructions}
	if s := r.ServerInfo; s != nil {
		info.Name, info.Title, info.Version = s.Name, s.Title, s.Version
	}
	return info
}

// Done is closed when the connection has ended. Err then says why.
func (u *Upstream) Done() <-chan struct{} { return u.conn.closed }

// Err returns why the connection ended, or nil while it stands.
func (u *Upstream) Err() error {
	select {
	case <-u.conn.closed:
		return u.conn.failure
	default:
		return nil
	}
}

// Close ends the connection and the server: it closes the server's input,
// waits for Config.Grace, sends SIGTERM to its process group, waits again, and
// kills. When ctx ends it kills at once. It returns when the processes and all
// goroutines are gone; calls under way fail with Closed. It may be called
// several times, also concurrently.
func (u *Upstream) Close(ctx context.Context) error {
	u.conn.close(&Error{Kind: Closed, Server: u.cfg.Name, Message: "the connection was closed"})
	select {
	case <-u.gone:
		return nil
	case <-ctx.Done():
	}
	u.noGrace()
	<-u.gone
	return nil
}

// Call calls a tool. args is a JSON object, or nil for an empty one; it is sent
// as it is, less white space between its parts. The result is the CallToolResult
// as the server wrote it: its ends were found, its inside was not looked at and
// need not be valid JSON. A tool that reports an error (isError) is a result
// like others. When ctx ends, the server is sent notifications/cancelled and
// Call returns at once.
func (u *Upstream) Call(ctx context.Context, tool string, args json.RawMessage) (json.RawMessage, error) {
	if args == nil {
		args = json.RawMessage("{}")
	}
	// Some room for what is around the arguments.
	if size := len(args) + len(tool) + 4<<10; size > u.cfg.MaxFrame {
		return nil, &Error{Kind: TooLarge, Server: u.cfg.Name,
			Message: fmt.Sprintf("arguments of %d bytes do not fit the limit of %d of a message", len(args), u.cfg.MaxFrame)}
	}
	return u.request(ctx, "calling "+tool, `{"content":[]}`, func(ctx context.Context) error {
		_, err := u.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
		return err
	})
}

// ReadResource reads a resource. The result is the ReadResourceResult as the
// server wrote it, as for Call.
func (u *Upstream) ReadResource(ctx context.Context, uri string) (json.RawMessage, error) {
	if len(uri)+4<<10 > u.cfg.MaxFrame {
		return nil, &Error{Kind: TooLarge, Server: u.cfg.Name, Message: fmt.Sprintf("a URI of %d bytes does not fit a message", len(uri))}
	}
	return u.request(ctx, "reading a resource", `{"contents":[]}`, func(ctx context.Context) error {
		_, err := u.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
		return err
	})
}

// request runs one SDK call with the raw result tapped and its errors typed.
func (u *Upstream) request(ctx context.Context, what, stub string, send func(context.Context) error) (json.RawMessage, error) {
	callCtx, t := withTap(ctx, stub)
	if u.cfg.CallTimeout > 0 {
		var cancel context.CancelFunc
		callCtx, cancel = context.WithTimeout(callCtx, u.cfg.CallTimeout)
		defer cancel()
	}
	err := send(callCtx)
	if err == nil {
		if t.raw == nil {
			return nil, &Error{Kind: Protocol, Server: u.cfg.Name, Sent: true, Message: what + ": there was no result"}
		}
		return t.raw, nil
	}
	u.conn.forget(t)
	return nil, u.callError(ctx, callCtx, what, err)
}

func (u *Upstream) callError(ctx, callCtx context.Context, what string, err error) *Error {
	e := &Error{Server: u.cfg.Name, Sent: true, err: err}
	own, isOwn := errors.AsType[*Error](err)
	rpc, isRPC := errors.AsType[*jsonrpc.Error](err)
	switch {
	case isOwn:
		c := *own // the connection's error is shared by all its calls
		c.Message = what + ": " + own.Message
		return &c
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Kind, e.err = TimedOut, context.Cause(ctx)
		e.Message = what + ": it did not answer in time"
	case ctx.Err() != nil:
		e.Kind, e.err = Cancelled, context.Cause(ctx)
		e.Message = what + ": cancelled: " + e.err.Error()
	case callCtx.Err() != nil:
		e.Kind, e.err = TimedOut, context.DeadlineExceeded
		e.Message = fmt.Sprintf("%s: it did not answer within %v", what, u.cfg.CallTimeout)
	case isRPC:
		e.Kind, e.RPCCode, e.Message = Refused, rpc.Code, rpc.Message
	case errors.Is(err, mcp.ErrConnectionClosed):
		// The SDK refused to send because the connection is over.
		e.Kind, e.Message, e.Sent = Unavailable, what+": the connection has ended", false
		if own, ok := errors.AsType[*Error](u.Err()); ok {
			e.Kind, e.Message = own.Kind, what+": "+own.Message
		}
	default:
		e.Kind, e.Message = Protocol, what+": "+err.Error()
	}
	return e
}
