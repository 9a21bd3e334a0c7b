package dispatch

import (
	"context"

	"github.com/autoclave-run/autoclave/internal/policy"
)

// awaited is a call of a server in a strict group that has left. When its time
// is over, the program is told at once, which may be before the call has come
// back here: that it had no answer in time is what it has received by then.
type awaited struct {
	server string
	ctx    context.Context
}

// awaits notes that a call of the server leaves. The function that it returns
// notes that it has ended, before the program gets its answer.
func (h *Host) awaits(ctx context.Context, server string) (received func()) {
	a := &awaited{server, ctx}
	if h.rules.policy.StrictGroup(server) != "" {
		h.mu.Lock()
		h.awaited[a] = struct{}{}
		h.mu.Unlock()
	}
	return func() {
		h.receive(server)
		h.mu.Lock()
		delete(h.awaited, a)
		h.mu.Unlock()
	}
}

func (h *Host) receive(server string) {
	labels := h.flow.Receive(server)
	if h.caller.Stash != nil {
		h.caller.Stash.Raise(labels)
	}
}

// overdue takes on the labels of calls whose time is over. It must be called
// before anything is decided by labels.
func (h *Host) overdue() {
	if !h.rules.strict {
		return
	}
	var over []string
	h.mu.Lock()
	for a := range h.awaited {
		if a.ctx.Err() != nil {
			over = append(over, a.server)
		}
	}
	h.mu.Unlock()
	for _, server := range over {
		h.receive(server)
	}
}

// maySend is the flow's word on a call that is about to leave.
func (h *Host) maySend(server string) policy.Decision {
	h.overdue()
	return h.flow.Send(server)
}

// labels are those that the execution has.
func (h *Host) labels() []string {
	h.overdue()
	return h.flow.Labels()
}
