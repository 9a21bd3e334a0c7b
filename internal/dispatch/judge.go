package dispatch

import (
	"context"
	"encoding/json"
	"slices"

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
	// Group is the strict group that the server is in, if any, and
	// GroupServers are all servers in it: the only ones that an execution may
	// call when it has called one of them.
	Group        string
	GroupServers []string
	// Annotations are what the tool says of itself.
	Annotations policy.Annotations
}

// Judge says what would become of a call of a tool by an execution on behalf of
// the caller that has had answers of the servers in after, and of no others.
// Nothing is called. Where args are nil they are not looked at. The error is that
// of the server or the tool not being there; those in after are not looked for.
func (d *Dispatcher) Judge(ctx context.Context, c Caller, server, tool string, args json.RawMessage, after ...string) (Verdict, error) {
	r, view := d.began()
	h := &Host{d: d, rules: r, view: view, caller: c, flow: r.flowAfter(after)}
	defer h.view.Release()
	call := hostCall{kind: kindTool, server: server, name: tool, args: args}
	found, err := h.resolve(ctx, call)
	if err != nil {
		return Verdict{}, hostError(err, call, nil)
	}
	q := h.request(&call, &found.tool)
	v := h.verdict(q)
	v.Annotations, v.Hidden = q.Annotations, h.rules.HideDenied && h.rules.policy.AlwaysDenied(q)
	if args != nil {
		if err := h.validate(&call, found); err != nil {
			v.Invalid = hostError(err, call, &found.tool)
		}
	}
	return v, nil
}

// JudgeResource says what would become of reading a resource, as Judge does. It
// does not look whether there is one.
func (d *Dispatcher) JudgeResource(c Caller, server, uri string, after ...string) Verdict {
	r := d.rules.Load()
	h := &Host{d: d, rules: r, caller: c, flow: r.flowAfter(after)}
	return h.verdict(h.request(&hostCall{kind: kindResource, server: server, name: uri}, nil))
}

// flowAfter is the flow of an execution that those servers have answered. It
// may have asked them all at once, so their order says nothing.
func (r *rules) flowAfter(servers []string) *policy.Flow {
	f := r.policy.Begin(nil)
	for _, s := range servers {
		f.Receive(s)
	}
	return f
}

// verdict is what rules and groups say, in the order in which a call meets them.
func (h *Host) verdict(q policy.Request) Verdict {
	v := Verdict{Decision: h.rules.policy.Decide(q), Group: h.rules.policy.StrictGroup(q.Server)}
	if v.Action != policy.Deny {
		if flow := h.flow.Send(q.Server); flow.Action == policy.Deny {
			v.Decision = flow
		}
	}
	for _, g := range h.rules.Policy.Groups {
		if v.Group != "" && g.Name == v.Group {
			v.GroupServers = slices.Clone(g.Servers)
		}
	}
	return v
}
