package quickjs

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// hostCall is a call that has not been answered: in flight or waiting for its
// turn. Its values belong to the isolate.
type hostCall struct {
	Call
	raw             bool
	body            value   // JSON, or undefined
	at              []place // where it was made
	resolve, reject value
}

// nativeCall starts a host call and returns its promise:
// (kind, server, name, body, timeout, raw).
func (e *Engine) nativeCall(args []value) value {
	x := &e.run
	promise, resolve, reject := e.newPromise()
	if isException(promise) || x.stopped() || x.over {
		return promise
	}
	c := &hostCall{
		Call:    Call{Kind: wire.Kind(e.str(args[0])), Server: e.str(args[1]), Name: e.str(args[2])},
		raw:     isTrue(args[5]),
		body:    e.dup(args[3]),
		at:      e.places(),
		resolve: resolve,
		reject:  reject,
	}
	if ms := e.number(args[4]); ms > 0 {
		c.Timeout = time.Duration(min(ms, 1e9) * float64(time.Millisecond))
	}
	lim := &x.program.Limits
	switch {
	case len(c.Server) > maxName || len(c.Name) > maxName:
		e.refuse(c, &wire.Error{Code: wire.CodeInvalidArguments, Message: fmt.Sprintf("a name in this call has over %d bytes", maxName)})
	case lim.Calls > 0 && x.calls >= lim.Calls:
		e.refuse(c, &wire.Error{Code: wire.CodeCallLimit, Message: fmt.Sprintf("the program has made %d host calls, which is the limit", x.calls)})
	case lim.Concurrency > 0 && int64(len(x.inFlight)) >= lim.Concurrency:
		x.calls++
		x.queue = append(x.queue, c)
	default:
		x.calls++
		e.send(c)
	}
	return promise
}

// maxName is how long a host lets a server's or a tool's name, a key or a URI
// be, in bytes.
const maxName = 8 << 10

// send hands a call over to the host.
func (e *Engine) send(c *hostCall) {
	x := &e.run
	put := func(body []byte) {
		if limit := x.program.Limits.Arguments; limit > 0 && int64(len(body)) > limit {
			e.refuse(c, &wire.Error{Code: wire.CodeArgumentLimit, Message: fmt.Sprintf("the arguments of this call are %d bytes of JSON; the limit is %d", len(body), limit)})
			return
		}
		if why := unsendable(body); len(body) > 0 && why != "" {
			e.refuse(c, &wire.Error{Code: wire.CodeInvalidArguments, Message: "what this call is given cannot be sent: " + why})
			return
		}
		x.nextCall++
		c.ID, c.Body = x.nextCall, body
		err := x.port.Call(c.Call)
		c.Body = nil
		if errors.Is(err, ErrTooLarge) {
			x.nextCall--
			e.refuse(c, &wire.Error{Code: wire.CodeInvalidArguments, Message: "the names in this call are too long"})
			return
		}
		if err != nil {
			x.fail(fmt.Errorf("hand over a host call: %w", err))
		}
		x.inFlight[c.ID] = c
	}
	if isUndefined(c.body) {
		put(nil)
	} else if !e.text(c.body, put) {
		e.free(e.takeException())
		e.refuse(c, &wire.Error{Code: wire.CodeInvalidArguments, Message: "the arguments of this call cannot be encoded"})
	}
	e.free(c.body)
	c.body = undefined
}

// refuse rejects a call that was not sent.
func (e *Engine) refuse(c *hostCall, werr *wire.Error) {
	werr.Server = c.Server
	if c.Kind == wire.KindTool {
		werr.Tool = c.Name
	}
	e.reject(c, werr)
}

// reject rejects a call's promise with a HostError and forgets the call.
func (e *Engine) reject(c *hostCall, werr *wire.Error) {
	if failed := e.parseJSON(mustJSON(werr)); isException(failed) {
		e.free(e.takeException())
	} else {
		stack := e.newString(e.stackText(c.at))
		e.finish(e.call(e.core.fail, c.reject, stack, failed))
		e.free(stack)
		e.free(failed)
	}
	e.forget(c)
}

// resolve settles a call's promise with v, which it takes.
func (e *Engine) resolve(c *hostCall, v value) {
	e.finish(e.call(c.resolve, v))
	e.free(v)
	e.forget(c)
}

func (e *Engine) forget(c *hostCall) {
	for _, v := range []*value{&c.body, &c.resolve, &c.reject} {
		e.free(*v)
		*v = undefined
	}
	for _, p := range c.at {
		e.free(p.function)
	}
	c.at = nil
}

// finish drops the result of a call into JavaScript whose exceptions have
// nobody to go to.
func (e *Engine) finish(r value) {
	if isException(r) {
		r = e.takeException()
	}
	e.free(r)
}

// deliver settles the promise of a call, and gives the next call its turn.
func (e *Engine) deliver(a answer) {
	x, c, ev := &e.run, a.call, &a.event
	// One that is refused before it is sent leaves its place to the one behind.
	for len(x.queue) > 0 && int64(len(x.inFlight)) < x.program.Limits.Concurrency {
		next := x.queue[0]
		x.queue[0] = nil
		x.queue = x.queue[1:]
		e.send(next)
	}
	if ev.Error == nil {
		if limit := x.program.Limits.CallResult; limit > 0 && int64(len(ev.Body)) > limit {
			ev.Error = &wire.Error{
				Code:       wire.CodeCallResultLimit,
				Message:    fmt.Sprintf("the result of this call is %d bytes; the limit is %d", len(ev.Body), limit),
				Suggestion: "ask the tool for less: a page, a filter, fewer fields",
			}
		}
	}
	if ev.Error != nil {
		if ev.Error.Server == "" {
			ev.Error.Server = c.Server
		}
		if ev.Error.Tool == "" && c.Kind == wire.KindTool {
			ev.Error.Tool = c.Name
		}
		e.reject(c, ev.Error)
		return
	}
	if ev.Form == wire.FormAbsent || len(ev.Body) == 0 {
		e.resolve(c, undefined)
		return
	}
	body, convert := ev.Body, undefined
	if !c.raw && ev.Form == wire.FormMCP {
		if c.Kind == wire.KindResourceRead {
			convert = e.core.contents
		} else if structured, _, isError, ok := mcpParts(body); ok && isError {
			convert = e.core.toolError
		} else if ok && structured != nil {
			body = structured
		} else {
			convert = e.core.content
		}
	}
	v := e.parseJSON(body)
	if !isException(v) && !isUndefined(convert) {
		stack := undefined
		if convert == e.core.toolError {
			stack = e.newString(e.stackText(c.at))
		}
		server, name := e.newString(c.Server), e.newString(c.Name)
		r := e.call(convert, v, c.resolve, c.reject, stack, server, name)
		for _, arg := range []value{v, stack, server, name} {
			e.free(arg)
		}
		if !isException(r) {
			e.free(r)
			e.forget(c)
			return
		}
		v = r
	}
	if !isException(v) {
		e.resolve(c, v)
		return
	}
	text := strings.TrimSpace(e.exceptionText())
	if e.heap.exceeded {
		e.heapExceeded()
		return
	}
	e.reject(c, &wire.Error{Code: wire.CodeUpstreamError, Message: "the answer cannot be read: " + text, Server: c.Server})
}

// nativeConcurrency is how many calls may be in flight at once, 0 for any.
func (e *Engine) nativeConcurrency([]value) value {
	return e.newInt(int(min(e.run.program.Limits.Concurrency, math.MaxInt32)))
}
