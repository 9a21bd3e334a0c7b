// Package upstream connects the host to MCP servers that it is a client of:
// it starts or reaches them, speaks with them through the official SDK, brings
// them back when they are gone, and ends them.
//
// It knows nothing of programs, workers or policy. What a server answers it
// hands on as the bytes that the server wrote, and what a server asks it puts
// to whoever made the call.
package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

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
	link    link
	box     *inbox
	session *mcp.ClientSession

	killOnce sync.Once
	kill     chan struct{} // closed: no more grace
	gone     chan struct{} // closed when nothing is left
}

// Connect starts or reaches the server and shakes hands with it. The
// connection lives until Close, or until it ends itself; ctx bounds only the
// start. The error is an *Error, but for a bad cfg.
func Connect(ctx context.Context, cfg Config) (*Upstream, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With("server", cfg.Name)
	return dial(ctx, cfg)
}

// dial is Connect with a Config that is complete.
func dial(ctx context.Context, cfg Config) (*Upstream, error) {
	u, refused, err := attempt(ctx, cfg)
	if err != nil && refused != nil && ctx.Err() == nil && cfg.DiscoverTimeout > 0 && refused.impatient() {
		// It knows the newest protocol alone and was slow to start. A second
		// start finds more of it in the caches, and gets all the time there is.
		cfg.DiscoverTimeout = cfg.ConnectTimeout
		u, refused, err = attempt(ctx, cfg)
	}
	if err == nil || cfg.Transport != Auto || ctx.Err() != nil {
		return u, err
	}
	if h, ok := refused.(*httpLink); ok && h.speaksNoHTTP() {
		cfg.Transport = SSE
		if old, _, sseErr := attempt(ctx, cfg); sseErr == nil {
			return old, nil
		}
	}
	return nil, err // the first one says more
}

// attempt opens one link and shakes hands over it. Where that fails it returns
// the link as it was left.
func attempt(ctx context.Context, cfg Config) (*Upstream, link, error) {
	box := newInbox(cfg)
	var l link
	if cfg.Transport == Stdio {
		s, err := openStdio(cfg, box)
		if err != nil {
			box.close()
			return nil, nil, err
		}
		l = s
	} else {
		h, err := openHTTP(cfg, box)
		if err != nil {
			box.close()
			return nil, nil, err
		}
		l = h
	}
	u, err := shakeHands(ctx, cfg, box, l)
	return u, l, err
}

// legacyProtocol is the newest version that begins with initialize.
const legacyProtocol = "2025-11-25"

// shakeHands makes an Upstream of a link, which it owns from here on.
func shakeHands(ctx context.Context, cfg Config, box *inbox, l link) (*Upstream, error) {
	u := &Upstream{cfg: cfg, link: l, box: box, kill: make(chan struct{}), gone: make(chan struct{})}
	opts := &mcp.ClientSessionOptions{}
	if cfg.DiscoverTimeout < 0 || cfg.Transport == SSE {
		opts.ProtocolVersion = legacyProtocol
	}
	capabilities := &mcp.ClientCapabilities{}
	if !cfg.NoAsking {
		// Who the client is, and what it can, is not known before a call is
		// made: what it cannot do is refused then.
		//lint:ignore SA1019 servers of the older protocols ask for them
		capabilities.RootsV2 = &mcp.RootCapabilities{}
		//lint:ignore SA1019 servers of the older protocols ask for it
		capabilities.Sampling = &mcp.SamplingCapabilities{}
		capabilities.Elicitation = &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}
	}
	client := mcp.NewClient(
		&mcp.Implementation{Name: "autoclave", Version: "1"},
		&mcp.ClientOptions{
			Capabilities: capabilities,
			// The inbox takes these before the SDK sees them. That they are set
			// makes the SDK subscribe, where the protocol wants that.
			ToolListChangedHandler:     func(context.Context, *mcp.ToolListChangedRequest) {},
			ResourceListChangedHandler: func(context.Context, *mcp.ResourceListChangedRequest) {},
			// The questions would lose the order of their fields in the SDK.
			MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true},
		},
	)
	connectCtx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	// Where the SDK waits for something else than the context (it closes a
	// connection gently), the end of the connection still ends the wait.
	stop := context.AfterFunc(connectCtx, func() {
		l.end(&Error{Kind: TimedOut, Server: cfg.Name, Message: "it did not answer the handshake"})
		l.interrupt()
	})
	session, err := client.Connect(connectCtx, l, opts)
	if !stop() && err == nil {
		u.session = session
		err = context.Cause(connectCtx)
	}
	if err != nil {
		timedOut := connectCtx.Err() != nil
		l.end(&Error{Kind: Closed, Server: cfg.Name, Message: "it did not come up"})
		l.interrupt()
		u.noGrace() // it never worked: there is nothing to wait for
		go u.supervise()
		<-u.gone
		return nil, u.connectError(ctx, err, timedOut)
	}
	u.session = session
	if h, ok := l.(*httpLink); ok {
		h.watch(session)
	}
	go u.supervise()
	return u, nil
}

func (u *Upstream) connectError(ctx context.Context, err error, timedOut bool) *Error {
	e := &Error{Kind: Unavailable, Server: u.cfg.Name, err: err}
	// The connection's own end, if there was one, says more than what the SDK
	// made of it; that the SDK closed it says nothing.
	failure := u.link.failure()
	if h, ok := u.link.(*httpLink); ok && (failure.Kind == Closed || failure.Kind == TimedOut) && h.lastFailure() != nil {
		failure = h.lastFailure()
	}
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
	e.Stderr = u.link.stderr()
	return e
}

// supervise owns the end of the connection: it waits for it, whoever causes
// it, and clears up.
func (u *Upstream) supervise() {
	defer close(u.gone)
	<-u.link.done()
	u.link.clear(u.session, u.kill)
	u.box.close()
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

// Changed receives a value after the server said that its lists of tools or
// resources changed. What comes while nobody receives is one value.
func (u *Upstream) Changed() <-chan struct{} { return u.box.changed }

// Done is closed when the connection has ended. Err then says why.
func (u *Upstream) Done() <-chan struct{} { return u.link.done() }

// Err returns why the connection ended, or nil while it stands.
func (u *Upstream) Err() error {
	select {
	case <-u.link.done():
		return u.link.failure()
	default:
		return nil
	}
}

// Close ends the connection. A process has its input closed, gets
// Config.Grace, then SIGTERM to its group, the same again, and is killed; an
// HTTP server is told. When ctx ends it is over at once. It returns when the
// processes and all goroutines are gone; calls under way fail with Closed. It
// may be called several times, also concurrently.
func (u *Upstream) Close(ctx context.Context) error {
	return u.closeFor(ctx, &Error{Kind: Closed, Server: u.cfg.Name, Message: "the connection was closed", Sent: true})
}

// closeFor is Close with what calls under way are told.
func (u *Upstream) closeFor(ctx context.Context, why *Error) error {
	u.link.end(why)
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
// Call returns at once. See WithAsker for what ctx may carry.
func (u *Upstream) Call(ctx context.Context, tool string, args json.RawMessage) (json.RawMessage, error) {
	if args == nil {
		args = json.RawMessage("{}")
	}
	// Some room for what is around the arguments.
	if size := len(args) + len(tool) + 4<<10; size > u.cfg.MaxFrame {
		return nil, &Error{Kind: TooLarge, Server: u.cfg.Name,
			Message: fmt.Sprintf("arguments of %d bytes do not fit the limit of %d of a message", len(args), u.cfg.MaxFrame)}
	}
	return u.rounds(ctx, "calling "+clip(tool), tool, `{"content":[]}`, len(args), func(ctx context.Context, c *call, r round) error {
		p := &mcp.CallToolParams{Name: tool, Arguments: args, InputResponses: r.answers, RequestState: r.State}
		if c.token != 0 {
			p.SetProgressToken(c.token)
		}
		_, err := u.session.CallTool(ctx, p)
		return err
	})
}

// ReadResource reads a resource. The result is the ReadResourceResult as the
// server wrote it, as for Call.
func (u *Upstream) ReadResource(ctx context.Context, uri string) (json.RawMessage, error) {
	if len(uri)+4<<10 > u.cfg.MaxFrame {
		return nil, &Error{Kind: TooLarge, Server: u.cfg.Name, Message: fmt.Sprintf("a URI of %d bytes does not fit a message", len(uri))}
	}
	return u.rounds(ctx, "reading a resource", uri, `{"contents":[]}`, len(uri), func(ctx context.Context, c *call, r round) error {
		p := &mcp.ReadResourceParams{URI: uri, InputResponses: r.answers, RequestState: r.State}
		if c.token != 0 {
			p.SetProgressToken(c.token)
		}
		_, err := u.session.ReadResource(ctx, p)
		return err
	})
}

// request runs one SDK call of our own with the raw result tapped and its
// errors typed.
func (u *Upstream) request(ctx context.Context, what, stub string, send func(context.Context) error) (json.RawMessage, error) {
	t := u.begin(ctx, what, stub, nil, "")
	defer t.end()
	return t.send(func(ctx context.Context) error { return send(ctx) })
}

// task is one call under way, of one round or several.
type task struct {
	*call
	u    *Upstream
	what string
	ctx  context.Context // the caller's
	run  context.Context // the call's own: it ends with the caller's, the time, or the connection
	from time.Time
}

// errCallTimeout is the cause with which a call ends that was too slow.
var errCallTimeout = errors.New("the time limit of the call")

func (u *Upstream) begin(ctx context.Context, what, stub string, asker Asker, name string) *task {
	c := &call{stub: json.RawMessage(stub), asker: asker, name: name}
	t := &task{call: c, u: u, what: what, ctx: ctx, from: time.Now()}
	t.run, c.cancel = context.WithCancelCause(context.WithValue(ctx, callKey{}, c))
	c.clock = startClock(u.cfg.CallTimeout, func() { c.cancel(errCallTimeout) })
	u.box.begin(c, name != "")
	return t
}

func (t *task) end() {
	t.u.box.end(t.call)
	t.clock.stop()
	t.cancel(nil)
}

// send sends one request and returns its raw result.
func (t *task) send(f func(context.Context) error) (json.RawMessage, error) {
	t.raw = nil
	if err := f(t.run); err != nil {
		return nil, t.failure(err)
	}
	if t.raw == nil {
		return nil, &Error{Kind: Protocol, Server: t.u.cfg.Name, Sent: true, Message: t.what + ": there was no result"}
	}
	return t.raw, nil
}

// failure makes an *Error of what the SDK returned.
func (t *task) failure(err error) *Error {
	e := &Error{Server: t.u.cfg.Name, Sent: true, err: err}
	cause := context.Cause(t.run)
	aborted, isAborted := errors.AsType[*Error](cause)
	own, isOwn := errors.AsType[*Error](err)
	rpc, isRPC := errors.AsType[*jsonrpc.Error](err)
	switch {
	case t.failed.Load() != nil:
		return t.failed.Load().during(t.what)
	case isOwn:
		return own.during(t.what)
	case t.ctx.Err() != nil && errors.Is(t.ctx.Err(), context.DeadlineExceeded):
		e.Kind, e.err = TimedOut, context.Cause(t.ctx)
		e.Message = t.what + ": it did not answer in time"
		// A caller of little patience says nothing of the server.
		limit := t.u.cfg.CallTimeout
		e.trips = limit > 0 && time.Since(t.from) > limit*9/10
	case t.ctx.Err() != nil:
		e.Kind, e.err = Cancelled, context.Cause(t.ctx)
		e.Message = t.what + ": cancelled: " + e.err.Error()
	case isAborted:
		return aborted.during(t.what)
	case cause == errCallTimeout:
		e.Kind, e.err, e.trips = TimedOut, context.DeadlineExceeded, true
		e.Message = fmt.Sprintf("%s: it did not answer within %v", t.what, t.u.cfg.CallTimeout)
	case isRPC:
		e.Kind, e.RPCCode, e.Message = Refused, rpc.Code, rpc.Message
	case errors.Is(err, mcp.ErrConnectionClosed):
		// The SDK refused to send because the connection is over.
		e.Kind, e.Message, e.Sent = Unavailable, t.what+": the connection has ended", false
		if own, ok := errors.AsType[*Error](t.u.Err()); ok {
			e.Kind, e.Message = own.Kind, t.what+": "+own.Message
		}
	case t.u.cfg.Transport != Stdio:
		// Its messages were checked before the SDK saw them: it is the
		// connection that has ended.
		e.Kind, e.Message = Unavailable, t.what+": "+err.Error()
	default:
		e.Kind, e.Message = Protocol, t.what+": "+err.Error()
	}
	return e
}
