// Package dispatch is the choke point between programs and upstreams: every
// host call passes one function, which applies policy, validation, limits,
// redaction and audit in that order.
//
// It knows nothing of workers, pools or the wire: it answers a program's calls
// as an autoclave.Host, wherever that program runs.
package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/stash"
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
	// Rules are what calls are subject to, until Govern says otherwise.
	Rules Rules
	// Logger gets one line a call, at Debug, and warnings. Default: nothing is
	// logged.
	Logger *slog.Logger
}

// Dispatcher answers the host calls of any number of executions at once, and
// owns the catalog of what can be called. For returns the host of one
// execution. Its methods may be called concurrently. It has no goroutine and
// need not be closed.
type Dispatcher struct {
	set *upstream.Set
	log *slog.Logger

	// config is held for writing while rules and upstreams change together, and
	// for reading by whoever takes both.
	config sync.RWMutex
	rules  atomic.Pointer[rules]

	mu       sync.Mutex
	describe map[string]string
	snaps    map[edition]*snapshot
	sessions map[sessionKey]*session
	limiters map[[2]string]*rate.Limiter
	asking   int // executions that wait for a person

	// instead answers tool calls in place of the upstreams, where a benchmark
	// looks at all but them.
	instead func(*hostCall) (json.RawMessage, error)
}

// Client is who sent the program of an execution, as far as something can be
// asked of it while a call is under way. One that is also an upstream.Listener
// hears of the progress and the log messages of upstreams.
type Client = upstream.Asker

// Caller says on whose behalf an execution runs. The zero Caller is nobody.
type Caller struct {
	// Principal is who it is, for rules and for what is shared.
	Principal string
	// Session names the session, unguessably. Empty where there is none: what
	// belongs to a session is the principal's then.
	Session string
	// Ended ends with the session, and what was kept for it goes then.
	Ended context.Context
	// Name is a session name that came with the program, for rules. Whoever
	// wrote the program chose it.
	Name string
	// Stash is what the program's stash is. Nil: there is none.
	Stash *stash.Store
	// Client is whom upstreams may ask. Nil: they are refused what they ask.
	Client Client
	// Approver is whom the rules' questions about this execution are put to.
	// Nil: nobody can be asked, and what would be asked is refused.
	Approver Client
}

// Host answers the host calls of one execution, under the rules that it began
// with. It is an autoclave.Host, ResourceHost, StashHost and CatalogHost.
// Finish must be called when the execution has ended.
type Host struct {
	d       *Dispatcher
	rules   *rules
	view    *upstream.View
	caller  Caller
	session *session
	turn    chan struct{} // has room for the one question that is put at a time
	flow    *policy.Flow
	begin   time.Time
	asking  int // questions under way; guarded by d.mu

	mu       sync.Mutex
	awaited  map[*awaited]struct{}
	bytes    int64 // carried by its calls
	approved map[string]bool
	calls    []entry
	// unrecorded is how many calls the record has no room for.
	unrecorded int
}

var (
	_ autoclave.Host         = (*Host)(nil)
	_ autoclave.ResourceHost = (*Host)(nil)
	_ autoclave.StashHost    = (*Host)(nil)
	_ autoclave.CatalogHost  = (*Host)(nil)
)

// New returns a Dispatcher, or an error that names the field of cfg that is
// wrong.
func New(cfg Config) (*Dispatcher, error) {
	if cfg.Upstreams == nil {
		return nil, errors.New("dispatch: Config.Upstreams is nil: it must be a set, which may be empty")
	}
	d := &Dispatcher{
		set: cfg.Upstreams, describe: maps.Clone(cfg.Describe), log: cfg.Logger,
		snaps: map[edition]*snapshot{}, sessions: map[sessionKey]*session{}, limiters: map[[2]string]*rate.Limiter{},
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if err := d.Govern(cfg.Rules, cfg.Describe); err != nil {
		return nil, err
	}
	return d, nil
}

// Govern replaces the rules and descriptions. Executions that have begun end
// under those that they began with. Where it returns an error nothing has
// changed.
func (d *Dispatcher) Govern(r Rules, describe map[string]string) error {
	compiled, err := compileRules(r)
	if err != nil {
		return err
	}
	d.config.Lock()
	defer d.config.Unlock()
	d.govern(compiled, describe)
	return nil
}

// Reconfigure replaces the rules and descriptions as Govern does, and the
// upstreams as upstream.Set.Apply does, at once: no execution begins with the
// rules of before and a server that they do not know of. Where it returns an
// error nothing has changed.
func (d *Dispatcher) Reconfigure(r Rules, describe map[string]string, cfgs []upstream.Config, grace time.Duration) (upstream.Changes, error) {
	compiled, err := compileRules(r)
	if err != nil {
		return upstream.Changes{}, err
	}
	d.config.Lock()
	defer d.config.Unlock()
	changes, err := d.set.Apply(cfgs, grace)
	if err == nil {
		d.govern(compiled, describe)
	}
	return changes, err
}

// began returns the rules and the upstreams of now. The view must be released.
func (d *Dispatcher) began() (*rules, *upstream.View) {
	d.config.RLock()
	defer d.config.RUnlock()
	return d.rules.Load(), d.set.View()
}

// govern is called with d.config held for writing.
func (d *Dispatcher) govern(compiled *rules, describe map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.describe = maps.Clone(describe)
	clear(d.snaps)
	d.rules.Store(compiled)
}

// For returns the host of an execution that begins, on behalf of the caller.
func (d *Dispatcher) For(c Caller) *Host {
	r, view := d.began()
	h := &Host{d: d, rules: r, view: view, caller: c, session: d.session(c), begin: time.Now(), approved: map[string]bool{}, awaited: map[*awaited]struct{}{}}
	if h.turn = h.session.asking; c.Session == "" {
		// Many clients may be one principal, and one that never answers would
		// hold up the others.
		h.turn = make(chan struct{}, 1)
	}
	h.flow = r.policy.Begin(&h.session.flow)
	if c.Stash != nil {
		c.Stash.Raise(h.flow.Labels())
	}
	return h
}

// kind is what a program asks for.
type kind string

const (
	kindTool         kind = "tool"
	kindResource     kind = "resource.read"
	kindResourceList kind = "resource.list"
	kindTemplateList kind = "resource.templates"
)

// hostCall is one host call on its way through.
type hostCall struct {
	kind   kind
	server string
	name   string          // the tool, or the resource's URI
	args   json.RawMessage // of a tool
}

// label is how the call is called in messages.
func (c *hostCall) label() string {
	switch c.kind {
	case kindTool:
		return c.server + "." + clip(c.name)
	case kindResource:
		return "the resource " + clip(c.name) + " of " + c.server
	}
	return "the list of resources of " + c.server
}

// CallTool calls a tool of an upstream. The value is the tool's result as the
// server wrote it, but for what is redacted. It implements autoclave.Host.
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
	start := time.Now()
	rec := audit.Call{Server: c.server, Tool: c.name, BytesOut: len(c.args)}
	if c.kind != kindTool {
		rec.Kind = string(c.kind)
	} else if h.rules.Audit != nil {
		rec.Arguments = audit.Hash(c.args)
	}
	at := h.enter(rec, start)
	raw, tool, err := h.through(ctx, &c, &rec, at)
	rec.BytesIn = len(raw)
	if err == nil {
		failed := toolError(raw)
		h.record(at, rec, start, failed)
		switch r := h.rules.Redact; {
		case r == nil:
			return raw, nil
		case failed != nil: // it is a message, and told like one
			return r.MessageJSON(raw), nil
		default:
			return r.JSON(raw), nil
		}
	}
	e := hostError(err, c, tool)
	h.record(at, rec, start, e)
	return nil, h.told(e)
}

// told is an error as a program may see it.
func (h *Host) told(e *autoclave.Error) *autoclave.Error {
	shown := *e
	shown.Message, shown.Suggestion = h.rules.text(e.Message), h.rules.text(e.Suggestion)
	return &shown
}

// through takes the call through all stages but the last two, redaction and
// audit, which see what came of it.
func (h *Host) through(ctx context.Context, c *hostCall, rec *audit.Call, at int) (json.RawMessage, *catalog.Tool, error) {
	d := h.d

	// What is meant: an unknown name ends here.
	found, err := h.resolve(ctx, *c)
	var tool *catalog.Tool
	if found != nil {
		tool = &found.tool
	}
	if err != nil {
		return nil, tool, err
	}

	// Policy.
	decision := h.rules.policy.Decide(h.request(c, tool))
	if decision.Action != policy.Deny {
		if flow := h.maySend(c.server); flow.Action == policy.Deny {
			decision = flow
		}
	}
	rec.Decision, rec.Rule = string(decision.Action), decision.Rule
	if decision.Action == policy.Deny {
		return nil, tool, denied(c, decision)
	}

	// Validation.
	if err := h.validate(c, found); err != nil {
		return nil, tool, err
	}
	if decision.Action == policy.Ask {
		rec.Approval, err = h.approve(ctx, c, tool, decision)
		if err != nil {
			return nil, tool, err
		}
		// While a person was asked the execution may have received what must
		// not go there: then nothing is to be taken from the limits.
		if flow := h.maySend(c.server); flow.Action == policy.Deny {
			rec.Decision, rec.Rule = string(flow.Action), flow.Rule
			return nil, tool, denied(c, flow)
		}
	}

	// Limits. Sizes and numbers of calls are the runtime's.
	if err := h.admit(c); err != nil {
		return nil, tool, err
	}

	// The call. Since it was decided, the execution may have received what
	// must not go there. Whether the execution goes on is looked at before that:
	// its end may say something too.
	h.leaves(at, rec)
	if ctx.Err() != nil {
		return nil, tool, givenUp(ctx, c)
	}
	if flow := h.maySend(c.server); flow.Action == policy.Deny {
		rec.Decision, rec.Rule = string(flow.Action), flow.Rule
		return nil, tool, denied(c, flow)
	}
	received := h.awaits(ctx, c.server)
	raw, err := h.deliver(ctx, c)
	received()
	if err != nil {
		return nil, tool, err
	}

	// The result.
	if err := checkResult(raw); err != nil {
		return nil, tool, err
	}
	if err := h.spend(c, 0, int64(len(raw)), "its result, though it was made"); err != nil {
		return nil, tool, err
	}
	if found != nil {
		d.checkOutput(c, found, raw)
	}
	return raw, tool, nil
}

func (h *Host) request(c *hostCall, tool *catalog.Tool) policy.Request {
	q := policy.Request{Server: c.server, Session: h.caller.Name, Principal: h.caller.Principal}
	switch c.kind {
	case kindTool:
		q.Tool = c.name
		q.Annotations = annotations(tool)
	case kindResource:
		q.Resource = c.name
	}
	return q
}

func denied(c *hostCall, d policy.Decision) error {
	e := autoclave.Errorf(autoclave.PolicyDenied, "%s is not allowed: %s", c.label(), d.Reason)
	if d.Rule == "groups" {
		e.Suggestion = "Call this server before those whose data must stay, or in a program of its own that does not use that data."
	} else {
		e.Suggestion = "Do not try again: do without this call, or tell the user what should be done."
	}
	return e
}

// toolError is the error that the result of a tool says it is, or nil. The
// server's text is looked at first: nearly always the word is not in it.
func toolError(raw json.RawMessage) error {
	if !bytes.Contains(raw, []byte(`"isError"`)) {
		return nil
	}
	// As the runtime reads it: an error with an odd content is one all the same.
	if failed, ok := wire.Member(raw, "isError"); !ok || string(failed) != "true" {
		return nil
	}
	var res struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	var texts []string
	if err := json.Unmarshal(raw, &res); err != nil {
		texts = append(texts, "(its content is no list of blocks)")
	}
	for _, c := range res.Content {
		if c.Text != "" {
			texts = append(texts, c.Text)
		}
	}
	return autoclave.Errorf(autoclave.ToolError, "%s", strings.Join(texts, "\n"))
}

// settleTime is how long a call waits for lists that a server has announced.
const settleTime = 5 * time.Second

// resolve finds the tool where one is called, and otherwise makes sure that the
// server is known. It waits for one that is still starting.
func (h *Host) resolve(ctx context.Context, c hostCall) (*known, error) {
	snap := h.snapshot()
	if !snap.servers[c.server] {
		return nil, snap.serverNotFound(c)
	}
	if _, err := h.view.Get(ctx, c.server); err != nil {
		return nil, err
	}
	if c.kind == kindResource {
		return nil, nil
	}
	snap = h.snapshot()
	if c.kind == kindTool {
		if found := snap.tool(c.server, c.name); found != nil {
			return found, nil
		}
	}
	// It may be in what the server has only just announced.
	settle, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := h.view.Settle(settle, c.server); err != nil {
		h.d.log.Debug("a list is not fresh", "err", err)
	}
	snap = h.snapshot()
	if c.kind != kindTool {
		return nil, snap.listErrors[c.server]
	}
	if found := snap.tool(c.server, c.name); found != nil {
		return found, nil
	}
	_, err := snap.index.Lookup(c.server, c.name)
	return nil, snap.toolNotFound(c, err)
}
