package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/upstream"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// deliver sends the call and waits for its answer.
//
// A server hears of a call that is given up: it is told to stop. The end of ctx
// is the end of the program, as a rule, and that is the program's to choose. One
// that has received data of a strict group since the call left could tell a
// server outside a little of it by ending, or by not ending, before the answer.
// So such a call is left to itself: nobody waits for it, it ends with its answer
// or with the upstream's own limit, and the server learns nothing.
func (h *Host) deliver(ctx context.Context, c *hostCall) (json.RawMessage, error) {
	if !h.rules.strict {
		return h.send(ctx, *c)
	}
	type answer struct {
		raw json.RawMessage
		err error
	}
	on, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	answered := make(chan answer, 1)
	go func() {
		defer cancel(nil)
		var a answer
		defer func() {
			if p := recover(); p != nil {
				h.d.log.Error("a call panicked", "server", c.server, "name", c.name, "panic", p, "stack", string(debug.Stack()))
				a = answer{nil, autoclave.Errorf(autoclave.Internal, "the host failed on this call")}
			}
			answered <- a
		}()
		a.raw, a.err = h.send(on, *c)
	}()
	select {
	case a := <-answered:
		return a.raw, a.err
	case <-ctx.Done():
	}
	if h.maySend(c.server).Action == policy.Deny {
		time.AfterFunc(leftFor, func() { cancel(errLeft) }) // which says nothing of the program
		return nil, givenUp(ctx, c)
	}
	cancel(context.Cause(ctx))
	a := <-answered
	return a.raw, a.err
}

// leftFor is how long a call that is left to itself may take.
const leftFor = 5 * time.Minute

var errLeft = errors.New("nobody waits for it any more")

// givenUp is the error of a call for which nobody waits any more.
func givenUp(ctx context.Context, c *hostCall) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return autoclave.Errorf(autoclave.UpstreamTimeout, "the server %q: it did not answer in time", c.server)
	}
	return autoclave.Errorf(autoclave.Cancelled, "the server %q: the call was cancelled: %w", c.server, cause)
}

// send hands the call to the upstream, or answers it from the catalog.
func (h *Host) send(ctx context.Context, c hostCall) (json.RawMessage, error) {
	if h.caller.Client != nil {
		ctx = upstream.WithAsker(ctx, h.asker(c.server))
	}
	switch c.kind {
	case kindTool:
		args := c.args
		if len(args) == 0 {
			args = nil
		}
		if d := h.d; d.instead != nil {
			return d.instead(&c)
		}
		return h.view.Call(ctx, c.server, c.name, args)
	case kindResource:
		return h.view.ReadResource(ctx, c.server, c.name)
	case kindResourceList:
		list, err := h.snapshot().index.Resources(c.server)
		if err != nil {
			return nil, err
		}
		return marshal(list)
	case kindTemplateList:
		list, err := h.snapshot().index.Templates(c.server)
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
