package dispatch

import (
	"context"
	"encoding/json"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/policy"
)

// Verdict is what would become of a call.
type Verdict struct {
	policy.Decision
	// Hidden says that the tool is in no catalog.
	Hidden bool
	// Invalid says why the arguments would be refused, or is nil.
	Invalid *autoclave.Error
	// Group is the strict group that the server is in, if any.
	Group string
	// Annotations are what the tool says of itself.
	Annotations policy.Annotations
}

// Judge says what would become of a call of a tool by an execution on behalf of
// the caller that has received nothing yet. Nothing is called. Where args are
// nil they are not looked at. The error is that of the server or the tool not
// being there.
func (d *Dispatcher) Judge(ctx context.Context, c Caller, server, tool string, args json.RawMessage) (Verdict, error) {
	r, view := d.began()
	h := &Host{d: d, rules: r, view: view, caller: c}
	defer h.view.Release()
	call := hostCall{kind: kindTool, server: server, name: tool, args: args}
	found, err := h.resolve(ctx, call)
	if err != nil {
		return Verdict{}, hostError(err, call, nil)
	}
	q := h.request(&call, &found.tool)
	v := Verdict{
		Decision: h.rules.policy.Decide(q), Group: h.rules.policy.StrictGroup(server), Annotations: q.Annotations,
		Hidden: h.rules.HideDenied && h.rules.policy.AlwaysDenied(q),
	}
	if args != nil {
		if err := h.validate(&call, found); err != nil {
			v.Invalid = hostError(err, call, &found.tool)
		}
	}
	return v, nil
}

// JudgeResource says what would become of reading a resource, as Judge does. It
// does not look whether there is one.
func (d *Dispatcher) JudgeResource(c Caller, server, uri string) Verdict {
	h := &Host{d: d, rules: d.rules.Load(), caller: c}
	q := h.request(&hostCall{kind: kindResource, server: server, name: uri}, nil)
	return Verdict{Decision: h.rules.policy.Decide(q), Group: h.rules.policy.StrictGroup(server)}
}
