package dispatch

import "github.com/autoclave-run/autoclave/internal/policy"

// MayTell says whether the server hears of a call that is given up now.
func (h *Host) MayTell(server string) bool { return h.flow.Send(server).Action != policy.Deny }

// Asking returns how many executions wait for a person.
func (d *Dispatcher) Asking() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asking
}
