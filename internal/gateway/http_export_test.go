package gateway

import "time"

// SetSpare sets how long a session must have been idle to be ended in favour
// of a new one.
func (h *HTTP) SetSpare(d time.Duration) {
	h.places.mu.Lock()
	defer h.places.mu.Unlock()
	h.places.spare = d
}

// HTTPHeld is what an HTTP holds for its clients.
type HTTPHeld struct {
	Sessions      int   // places
	EventBytes    int64 // of the event store
	EventSessions int
	BodyBytes     int64
	Discards      int // refused requests that are read to their end
	Requests      int
	Stashes       int
	Gateway       int // sessions of the gateway
}

// Held returns what h holds for its clients.
func (h *HTTP) Held() HTTPHeld {
	held := HTTPHeld{Sessions: h.places.counts(), BodyBytes: h.bodies.held(), Discards: len(h.discards), Stashes: h.g.stashes.Len()}
	held.EventBytes, held.EventSessions = h.events.held()
	h.gate.mu.Lock()
	held.Requests = h.gate.total
	h.gate.mu.Unlock()
	h.g.mu.Lock()
	held.Gateway = len(h.g.sessions)
	h.g.mu.Unlock()
	return held
}
