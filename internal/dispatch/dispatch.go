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
	"sync"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/upstream"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// Config says what a Dispatcher dispatches to. It is copied.
type Config struct {
	// Upstreams are the servers; it must be set. The set stays its owner's, who
	// closes it after the last call.
	Upstreams *upstream.Set
	// Logger gets one line a call, at Debug. Default: nothing is logged.
	Logger *slog.Logger
}

// Dispatcher answers the host calls of any number of executions at once. It is
// an autoclave.Host, ResourceHost and CatalogHost.
type Dispatcher struct {
	set *upstream.Set
	log *slog.Logger

	mu   sync.Mutex
	snap *snapshot
}

var (
	_ autoclave.Host         = (*Dispatcher)(nil)
	_ autoclave.ResourceHost = (*Dispatcher)(nil)
	_ autoclave.CatalogHost  = (*Dispatcher)(nil)
)

// New returns a Dispatcher, or an error that names the field of cfg that is
// wrong.
func New(cfg Config) (*Dispatcher, error) {
	if cfg.Upstreams == nil {
		return nil, errors.New("dispatch: Config.Upstreams is nil: it must be a set, which may be empty")
	}
	d := &Dispatcher{set: cfg.Upstreams, log: cfg.Logger}
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
func (d *Dispatcher) CallTool(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	raw, err := d.do(ctx, hostCall{kind: kindTool, server: c.Server, name: c.Tool, args: c.Arguments})
	if err != nil {
		return autoclave.Value{}, err
	}
	return autoclave.Value{JSON: raw, MCP: true}, nil
}

// do is the choke point: nothing that a program does reaches an upstream by
// another way. Its stages are in the order in which they must stand.
func (d *Dispatcher) do(ctx context.Context, c hostCall) (json.RawMessage, error) {
	start := time.Now()

	// What is meant: an unknown name ends here, and the server is up.
	up, tool, err := d.resolve(ctx, c)

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
		raw, err = c.send(ctx, up)
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

// resolve finds the upstream, and the tool where a tool is called. The error
// is a typed one.
func (d *Dispatcher) resolve(ctx context.Context, c hostCall) (*upstream.Upstream, *upstream.Tool, error) {
	snap := d.snapshot()
	if _, known := snap.servers[c.server]; !known {
		return nil, nil, snap.serverNotFound(c)
	}
	up, err := d.set.Get(ctx, c.server) // waits for one that is still starting
	if err != nil {
		return nil, nil, err
	}
	if c.kind != kindTool {
		return up, nil, nil
	}
	snap = d.snapshot()
	tool, known := snap.servers[c.server].tools[c.name]
	if !known {
		return nil, nil, snap.toolNotFound(c)
	}
	return up, tool, nil
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

// send hands the call to the upstream.
func (c hostCall) send(ctx context.Context, up *upstream.Upstream) (json.RawMessage, error) {
	switch c.kind {
	case kindTool:
		args := c.args
		if len(args) == 0 {
			args = nil
		}
		return up.Call(ctx, c.name, args)
	case kindResource:
		return up.ReadResource(ctx, c.name)
	case kindResourceList:
		list, err := up.ListResources(ctx)
		if err != nil {
			return nil, err
		}
		return marshalResources(c.server, list)
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
