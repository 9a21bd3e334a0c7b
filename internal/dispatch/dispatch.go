// Package dispatch is the choke point between programs and upstreams: every
// host call passes one function, which applies policy, validation, limits,
// redaction and audit in that order.
//
// It knows nothing of workers, pools or the wire: it answers a program's calls
// as an autoclave.Host, wherever that program runs.
package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/upstream"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// Config says what a Dispatcher dispatches to. It is copied.
type Config struct {
	// Upstreams are the servers; it must be set. The set stays its owner's, who
	// closes it after the last call.
	Upstreams *upstream.Set
	// Describe has sentences for the model, by name of the server, in place of
	// what servers say of themselves.
	Describe map[string]string
	// Logger gets one line a call, at Debug. Default: nothing is logged.
	Logger *slog.Logger
}

// Dispatcher answers the host calls of any number of executions at once, and
// owns the catalog of what can be called. It is an autoclave.Host, ResourceHost
// and CatalogHost for executions on nobody's behalf; For returns one for those
// that have a caller.
type Dispatcher struct {
	Host
	set      *upstream.Set
	describe map[string]string
	log      *slog.Logger

	mu   sync.Mutex
	snap *snapshot
}

// Client is who sent the program of an execution, as far as an upstream may
// ask something of it while one of its calls is under way. One that is also an
// upstream.Listener hears of the progress and the log messages of upstreams.
type Client = upstream.Asker

// Caller says on whose behalf an execution runs. The zero Caller is nobody.
type Caller struct {
	// Client may be nil: then upstreams are refused what they ask.
	Client Client
}

// Host answers the host calls of one execution. It holds nothing and need not
// be closed.
type Host struct {
	d      *Dispatcher
	caller Caller
}

var (
	_ autoclave.Host         = (*Host)(nil)
	_ autoclave.ResourceHost = (*Host)(nil)
	_ autoclave.CatalogHost  = (*Host)(nil)
)

// For returns the host of an execution on behalf of the caller.
func (d *Dispatcher) For(c Caller) *Host { return &Host{d: d, caller: c} }

// New returns a Dispatcher, or an error that names the field of cfg that is
// wrong.
func New(cfg Config) (*Dispatcher, error) {
	if cfg.Upstreams == nil {
		return nil, errors.New("dispatch: Config.Upstreams is nil: it must be a set, which may be empty")
	}
	d := &Dispatcher{set: cfg.Upstreams, describe: maps.Clone(cfg.Describe), log: cfg.Logger}
	d.Host.d = d
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d, nil
}

// kind is what a program asks for.
type kind string

const (
	kindTool         kind = "tool"
	kindResource     kind = "resource"
	kindResourceList kind = "resources"
	kindTemplateList kind = "resource templates"
)

// hostCall is one host call on its way through.
type hostCall struct {
	kind   kind
	server string
	name   string          // the tool, or the resource's URI
	args   json.RawMessage // of a tool
}

// CallTool calls a tool of an upstream. The value is the tool's result as the
// server wrote it. It implements autoclave.Host.
func (h *Host) CallTool(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	raw, err := h.do(ctx, hostCall{kind: kindTool, server: c.Server, name: c.Tool, args: c.Arguments})
	if err != nil {
		return autoclave.Value{}, err
	}
	return autoclave.Value{JSON: raw, MCP: true}, nil
}

// do is the choke point: nothing that a program does reaches an upstream by
// another way. Its stages are in the order in which they must stand.
func (h *Host) do(ctx context.Context, c hostCall) (json.RawMessage, error) {
	d, start := h.d, time.Now()

	// What is meant: an unknown name ends here.
	tool, err := d.resolve(ctx, c)

	// Policy comes here: whether this caller may do this.

	// Validation.
	if err == nil {
		err = validate(c)
	}

	// Limits come here: rates, budgets. Sizes and numbers of calls are the
	// runtime's.

	// The call.
	var raw json.RawMessage
	if err == nil {
		raw, err = h.send(ctx, c)
	}
	if err == nil {
		err = checkResult(raw)
	}
	if err != nil {
		raw, err = nil, hostError(err, c, tool)
	}

	// Redaction comes here: nothing above may go to the program but through it.

	// Audit.
	d.record(ctx, c, raw, err, time.Since(start))
	return raw, err
}

// settleTime is how long a call waits for lists that a server has announced.
const settleTime = 5 * time.Second

// resolve finds the tool where one is called, and otherwise makes sure that the
// server is known. It waits for one that is still starting.
func (d *Dispatcher) resolve(ctx context.Context, c hostCall) (*catalog.Tool, error) {
	snap := d.snapshot()
	if !snap.servers[c.server] {
		return nil, snap.serverNotFound(c)
	}
	if _, err := d.set.Get(ctx, c.server); err != nil {
		return nil, err
	}
	if c.kind == kindResource {
		return nil, nil
	}
	snap = d.snapshot()
	if c.kind == kindTool {
		if tool, err := snap.index.Lookup(c.server, c.name); err == nil {
			return &tool, nil
		}
	}
	// It may be in what the server has only just announced.
	settle, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := d.set.Settle(settle, c.server); err != nil {
		d.log.Debug("a list is not fresh", "err", err)
	}
	snap = d.snapshot()
	if c.kind != kindTool {
		return nil, snap.listErrors[c.server]
	}
	tool, err := snap.index.Lookup(c.server, c.name)
	if err != nil {
		return nil, snap.toolNotFound(c, err)
	}
	return &tool, nil
}

// validate checks what does not need the tool's schema.
func validate(c hostCall) error {
	if c.kind != kindTool || len(c.args) == 0 {
		return nil
	}
	for _, b := range c.args {
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return nil
		}
		break
	}
	e := autoclave.Errorf(autoclave.InvalidArguments, "the arguments of %s.%s are %s: they must be an object", c.server, c.name, describeJSON(c.args))
	e.Suggestion = "Pass one object with the tool's parameters as its properties."
	return e
}

// describeJSON names the type of a JSON text.
func describeJSON(b json.RawMessage) string {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '[':
			return "an array"
		case '"':
			return "a string"
		case 't', 'f':
			return "a boolean"
		case 'n':
			return "null"
		}
		return "a number"
	}
	return "empty"
}

// send hands the call to the upstream, or answers it from the catalog.
func (h *Host) send(ctx context.Context, c hostCall) (json.RawMessage, error) {
	d := h.d
	if h.caller.Client != nil {
		ctx = upstream.WithAsker(ctx, h.caller.Client)
	}
	switch c.kind {
	case kindTool:
		args := c.args
		if len(args) == 0 {
			args = nil
		}
		return d.set.Call(ctx, c.server, c.name, args)
	case kindResource:
		return d.set.ReadResource(ctx, c.server, c.name)
	case kindResourceList:
		list, err := d.snapshot().index.Resources(c.server)
		if err != nil {
			return nil, err
		}
		return marshal(list)
	case kindTemplateList:
		list, err := d.snapshot().index.Templates(c.server)
		if err != nil {
			return nil, err
		}
		return marshal(list)
	}
	return nil, autoclave.Errorf(autoclave.Internal, "a host call of the unknown kind %q", c.kind)
}

// checkResult makes sure that what an upstream wrote can be put into a frame
// and read by a worker: the upstream package hands it on unread.
func checkResult(raw json.RawMessage) error {
	if err := wire.ValidateJSON(raw, wire.MaxDepth); err != nil {
		return &upstream.Error{Kind: upstream.Protocol, Sent: true, Message: "its answer cannot be read: " + err.Error()}
	}
	return nil
}

func (d *Dispatcher) record(ctx context.Context, c hostCall, raw json.RawMessage, err error, took time.Duration) {
	if !d.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("kind", string(c.kind)), slog.String("server", c.server), slog.String("name", c.name),
		slog.Duration("took", took), slog.Int("bytes_out", len(c.args)), slog.Int("bytes_in", len(raw)),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	d.log.LogAttrs(ctx, slog.LevelDebug, "host call", attrs...)
}
