package dispatch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/autoclave-run/autoclave/internal/policy"
)

const (
	// maxSessions bounds the sessions that are remembered without their owner's
	// word that they last; idleTime is after what time without a program their
	// approvals and budgets begin anew. Their labels stay.
	maxSessions = 10_000
	idleTime    = time.Hour
)

// session is what the executions of one session share: what they have been
// allowed, what they have used, and the labels that they have had. Where the
// protocol has no sessions it is the principal's.
type session struct {
	flow   policy.Session
	asking chan struct{} // has room for the one question that is put at a time
	lasts  bool          // its owner says when it ends

	mu       sync.Mutex
	limit    *rate.Limiter // nil: there was no bound yet
	approved map[string]bool
	calls    int64
	bytes    int64
	running  int
	used     time.Time // when the last execution ended
}

type sessionKey struct{ principal, session string }

// session returns that of the caller, a new one where there is none, with one
// execution more. The caller must call leave.
func (d *Dispatcher) session(c Caller) *session {
	key := sessionKey{c.Principal, c.Session}
	now := time.Now()
	d.mu.Lock()
	s := d.sessions[key]
	if s == nil {
		d.forget()
		s = &session{asking: make(chan struct{}, 1), approved: map[string]bool{}, lasts: c.Session != "" && c.Ended != nil}
		d.sessions[key] = s
		if s.lasts {
			context.AfterFunc(c.Ended, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				if d.sessions[key] == s {
					delete(d.sessions, key)
				}
			})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.mu.Unlock()
	if s.running == 0 && c.Session == "" && !s.used.IsZero() && now.Sub(s.used) > idleTime {
		clear(s.approved)
		s.calls, s.bytes = 0, 0
	}
	s.running++
	return s
}

func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.used = time.Now()
}

// forget makes room for one session more: of those of which nobody says how
// long they last the one goes that has been unused for longest. One that has
// labels stays: to forget them would let out what they keep in. Called with d.mu.
func (d *Dispatcher) forget() {
	if len(d.sessions) < maxSessions {
		return
	}
	var oldest sessionKey
	var since time.Time
	for key, s := range d.sessions {
		s.mu.Lock()
		if !s.lasts && s.running == 0 && len(s.flow.Labels()) == 0 && (since.IsZero() || s.used.Before(since)) {
			oldest, since = key, s.used
		}
		s.mu.Unlock()
	}
	if !since.IsZero() {
		delete(d.sessions, oldest)
	}
}

// spend takes a call and its bytes out of the session's budget, or says that
// there is not enough left.
func (s *session) spend(r *Rates, calls, bytes int64) (ok bool, what string, most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.SessionCalls > 0 && calls > 0 && s.calls+calls > r.SessionCalls:
		return false, "calls", r.SessionCalls
	case r.SessionBytes > 0 && s.bytes+bytes > r.SessionBytes:
		return false, "bytes", r.SessionBytes
	}
	s.calls += calls
	s.bytes += bytes
	return true, "", 0
}

// limiter returns the limiter of a server or a tool, which all executions
// share. There is one for each that exists and is bounded, at most.
func (d *Dispatcher) limiter(key [2]string, r Rate) *rate.Limiter {
	if r == (Rate{}) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limiters[key] = adjusted(d.limiters[key], r)
	return d.limiters[key]
}

// limiter returns the limiter of the session, or nil where there is no bound.
func (s *session) limiter(r Rate) *rate.Limiter {
	if r == (Rate{}) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = adjusted(s.limit, r)
	return s.limit
}

// adjusted returns a limiter with that rate: a new one, which is full, where
// there is none yet. Of an old one what has been used up stays so.
func adjusted(l *rate.Limiter, r Rate) *rate.Limiter {
	limit := rate.Limit(r.perSecond())
	if l == nil {
		return rate.NewLimiter(limit, r.Burst)
	}
	if l.Limit() != limit {
		l.SetLimit(limit)
	}
	if l.Burst() != r.Burst {
		l.SetBurst(r.Burst)
	}
	return l
}
