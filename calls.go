package autoclave

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// inFlight marks the record of a call that has no outcome yet.
const inFlight Code = "IN_FLIGHT"

// call admits one host call and starts it on a goroutine of its own, so that
// the receive loop never waits for a host: a worker that writes is always
// read, whatever hangs.
func (x *execution) call(h *wire.Header, body []byte) *Error {
	if h.Call != x.lastCall+1 {
		return x.violate(ProtocolError, "call %d where %d was due", h.Call, x.lastCall+1)
	}
	x.lastCall = h.Call
	if h.Call > uint64(x.limits.Calls) {
		return x.violate(CallLimit, "more than %d host calls", x.limits.Calls)
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	if err := wire.ValidateJSON(body, wire.MaxDepth); err != nil {
		return x.violate(ProtocolError, "arguments of call %d: %v", h.Call, err)
	}
	if len(h.Server) > maxName || len(h.Name) > maxName {
		return x.violate(ProtocolError, "call %d with a name of over %d bytes", h.Call, maxName)
	}
	select {
	case <-x.r.closing:
		// The worker is about to be killed; nothing more is asked of the host.
		return nil
	default:
	}
	now := time.Now()
	record := CallRecord{Server: h.Server, Tool: h.Name, Code: inFlight, BytesOut: len(body), Millis: -millis(now.Sub(x.begin))}
	if h.Kind != wire.KindTool {
		record.Kind = string(h.Kind)
	}
	x.mu.Lock()
	x.inFlight++
	over := x.inFlight > x.limits.Concurrency
	x.res.Calls = append(x.res.Calls, record)
	x.mu.Unlock()
	if over {
		return x.violate(ProtocolError, "more than %d host calls at once", x.limits.Concurrency)
	}
	timeout := x.limits.CallTimeout
	if asked := time.Duration(h.Timeout) * time.Millisecond; asked > 0 && asked < timeout {
		timeout = asked
	}
	c := &hostCall{x: x, h: h, body: body, begun: now, left: timeout, timeout: timeout}
	x.r.active.add()
	go c.serve()
	return nil
}

// maxName bounds the names in a host call, in bytes; a resource's URI is one.
const maxName = 8 << 10

// hostCall is one host call, from its admission to its answer.
type hostCall struct {
	x       *execution
	h       *wire.Header
	body    []byte
	begun   time.Time
	timeout time.Duration

	mu      sync.Mutex
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	left    time.Duration // of the time limit, when the timer was started last
	since   time.Time     // when that was
	paused  int
	claimed bool // somebody answers: the host, or the time limit
}

// serve answers the call: with what the host says, or that the time is over,
// whichever comes first. A host that says something later is not heard.
func (c *hostCall) serve() {
	defer c.x.r.active.leave()
	select {
	case c.x.places <- struct{}{}:
	case <-c.x.callCtx.Done():
	}
	if c.x.callCtx.Err() != nil {
		// Of two cases that are ready, either may be taken.
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(c.x.callCtx, clockKey{}, c))
	defer cancel(nil)
	c.mu.Lock()
	c.cancel, c.since = cancel, time.Now()
	c.timer = time.AfterFunc(c.left, c.expire)
	c.mu.Unlock()
	value, err := c.x.ask(ctx, c.h, c.body)
	if c.claim() {
		c.answer(value, c.x.outcome(c.h, value, err))
	}
}

// claim reports true to the first who wants to answer.
func (c *hostCall) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.claimed {
		return false
	}
	c.claimed = true
	c.timer.Stop()
	return true
}

// expire is called by the timer.
func (c *hostCall) expire() {
	c.mu.Lock()
	if c.paused > 0 || c.claimed {
		c.mu.Unlock()
		return
	}
	c.claimed = true
	c.mu.Unlock()
	c.cancel(context.DeadlineExceeded)
	c.answer(Value{}, named(c.h, &Error{Code: UpstreamTimeout, Message: fmt.Sprintf("no answer within %v", c.timeout)}))
}

// pause stops the time limit.
func (c *hostCall) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused++; c.paused == 1 {
		c.timer.Stop()
		c.left -= time.Since(c.since)
	}
}

func (c *hostCall) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused--; c.paused == 0 && !c.claimed {
		c.since = time.Now()
		c.timer.Reset(max(c.left, time.Millisecond))
	}
}

// answer records the outcome and sends it to the worker.
func (c *hostCall) answer(value Value, fail *Error) {
	x, h := c.x, c.h
	defer func() { <-x.places }()
	record := CallRecord{Millis: millis(time.Since(c.begun)), OK: true, BytesIn: len(value.JSON)}
	if fail != nil {
		record.OK, record.Code, record.BytesIn = false, fail.Code, len(fail.Result)
	} else if value.MCP && h.Kind == wire.KindTool && toolFailed(value.JSON) {
		record.OK, record.Code = false, ToolError
	}
	x.mu.Lock()
	if x.over {
		x.mu.Unlock()
		return
	}
	r := &x.res.Calls[h.Call-1]
	r.Millis, r.OK, r.Code, r.BytesIn = record.Millis, record.OK, record.Code, record.BytesIn
	x.inFlight--
	x.mu.Unlock()

	// From here on the execution may end at any time; then this answer is for
	// an execution that the worker no longer knows, and it drops it.
	answer := &wire.Header{Type: wire.TypeReturn, ID: x.id, Call: h.Call}
	result := []byte(value.JSON)
	switch {
	case fail != nil:
		answer.Error = fail.wire()
		result = fail.Result
	case len(value.JSON) == 0:
		answer.Form = wire.FormAbsent
	case value.MCP:
		answer.Form = wire.FormMCP
	}
	if err := x.w.Send(answer, result); errors.Is(err, wire.ErrFrameTooLarge) {
		answer.Form, answer.Error = "", x.r.unsendable(err).wire()
		_ = x.w.Send(answer, nil)
	}
	// Another error: the worker is dead or being killed, and the receive loop
	// knows.
}

func (r *Runtime) unsendable(err error) *Error {
	return &Error{Code: CallResultLimit, Message: "the answer does not fit a message to the worker: " + err.Error()}
}

// toolFailed reports whether a CallToolResult says isError.
func toolFailed(result []byte) bool {
	if !bytes.Contains(result, []byte(`"isError"`)) {
		return false
	}
	v, ok := wire.Member(result, "isError")
	return ok && string(v) == "true"
}

// outcome turns what the host answered into what the program is told.
func (x *execution) outcome(h *wire.Header, value Value, err error) *Error {
	if err == nil {
		if len(value.JSON) > x.limits.CallResult {
			return named(h, &Error{
				Code: CallResultLimit, Message: fmt.Sprintf("the result has %d bytes, at most %d are allowed", len(value.JSON), x.limits.CallResult),
				Suggestion: "Ask for less: filter, page, or name the fields.",
			})
		}
		return nil
	}
	var typed *Error
	if errors.As(err, &typed) {
		return named(h, typed)
	}
	if x.callCtx.Err() != nil {
		return named(h, &Error{Code: Cancelled, Message: "the execution has ended"})
	}
	return named(h, &Error{Code: UpstreamError, Message: err.Error()})
}

// named adds the server and the tool to a failure that does not name them.
func named(h *wire.Header, e *Error) *Error {
	if e.Server != "" || e.Tool != "" {
		return e
	}
	c := *e
	c.Server = h.Server
	if h.Kind == wire.KindTool {
		c.Tool = h.Name
	}
	return &c
}

// ask asks the host. A host that panics fails the call, not the process.
func (x *execution) ask(ctx context.Context, h *wire.Header, body []byte) (v Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			x.r.log.Error("a Host panicked", "kind", h.Kind, "server", h.Server, "name", h.Name, "panic", p, "stack", string(debug.Stack()))
			v, err = Value{}, &Error{Code: Internal, Message: "the host failed on this call"}
		}
	}()
	switch h.Kind {
	case wire.KindTool:
		if body[firstByte(body)] != '{' {
			return Value{}, &Error{Code: InvalidArguments, Message: "the arguments of a tool are an object"}
		}
		return x.host.CallTool(ctx, ToolCall{Server: h.Server, Tool: h.Name, Arguments: body})
	case wire.KindResourceRead, wire.KindResourceList:
		if r, ok := x.host.(ResourceHost); ok {
			return askResource(ctx, r, h)
		}
	case wire.KindStashPut, wire.KindStashGet, wire.KindStashDelete, wire.KindStashKeys:
		if s, ok := x.host.(StashHost); ok {
			return askStash(ctx, s, h, body)
		}
		return Value{}, &Error{Code: StashError, Message: "this host has no stash"}
	case wire.KindCatalogServers, wire.KindCatalogSearch, wire.KindCatalogTypes:
		if c, ok := x.host.(CatalogHost); ok {
			return askCatalog(ctx, c, h, body)
		}
	}
	return Value{}, &Error{Code: UpstreamError, Message: fmt.Sprintf("this host does not offer %s", clip(string(h.Kind)))}
}

// firstByte is the index of the first byte that is not white space. body is
// valid JSON, so there is one.
func firstByte(body []byte) int {
	return len(body) - len(bytes.TrimLeft(body, " \t\r\n"))
}

func askResource(ctx context.Context, r ResourceHost, h *wire.Header) (Value, error) {
	if h.Kind == wire.KindResourceRead {
		// The worker maps a ReadResourceResult, as it does a tool's result.
		raw, err := r.ReadResource(ctx, h.Server, h.Name)
		return Value{JSON: raw, MCP: true}, err
	}
	raw, err := r.ListResources(ctx, h.Server)
	return Value{JSON: raw}, err
}

func askStash(ctx context.Context, s StashHost, h *wire.Header, body []byte) (Value, error) {
	switch h.Kind {
	case wire.KindStashPut:
		var put struct {
			Value json.RawMessage `json:"value"`
			TTL   float64         `json:"ttl"`
		}
		if err := json.Unmarshal(body, &put); err != nil {
			return Value{}, &Error{Code: StashError, Message: "stash.put: " + err.Error()}
		}
		return Value{}, s.StashPut(ctx, h.Name, put.Value, put.TTL)
	case wire.KindStashGet:
		raw, err := s.StashGet(ctx, h.Name)
		return Value{JSON: raw}, err
	case wire.KindStashDelete:
		was, err := s.StashDelete(ctx, h.Name)
		if err != nil {
			return Value{}, err
		}
		return JSONValue(was)
	}
	keys, err := s.StashKeys(ctx)
	if err != nil {
		return Value{}, err
	}
	if keys == nil {
		keys = []string{}
	}
	return JSONValue(keys)
}

func askCatalog(ctx context.Context, c CatalogHost, h *wire.Header, body []byte) (Value, error) {
	switch h.Kind {
	case wire.KindCatalogServers:
		raw, err := c.CatalogServers(ctx)
		return Value{JSON: raw}, err
	case wire.KindCatalogSearch:
		var options struct {
			Server string `json:"server"`
			Limit  int    `json:"limit"`
		}
		if err := json.Unmarshal(body, &options); err != nil {
			return Value{}, &Error{Code: InvalidArguments, Message: "catalog.search: " + err.Error()}
		}
		raw, err := c.CatalogSearch(ctx, h.Name, options.Server, options.Limit)
		return Value{JSON: raw}, err
	}
	text, err := c.CatalogTypes(ctx, h.Server, h.Name)
	if err != nil {
		return Value{}, err
	}
	return JSONValue(text)
}
