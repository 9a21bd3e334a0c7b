package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// places are the sessions that clients have over HTTP, and the room for them.
// A place is reserved before the SDK makes a session, taken when that session
// is initialized, and left when nothing of it is there any more.
type places struct {
	max, perPrincipal int
	timeout           time.Duration
	// spare is how long a session must have been idle to be ended in favour of
	// a new one.
	spare time.Duration

	ending sync.WaitGroup // one for each session that is being ended from here

	mu    sync.Mutex
	taken map[string]*place // by the id of the session
	total int               // also those that are reserved
	of    map[string]int    // the same, by principal
}

type place struct {
	places    *places
	principal string

	// What follows is guarded by places.mu.
	s     *session // nil: reserved
	id    string
	using int       // requests under way
	used  time.Time // when the last one ended
	left  bool
}

var (
	errIdle    = errors.New("the session was not used for too long")
	errCrowded = errors.New("the session had to make room for another one: it was idle")
)

func newPlaces(most, perPrincipal int, timeout time.Duration) *places {
	return &places{
		max: most, perPrincipal: perPrincipal, timeout: timeout, spare: min(time.Minute, timeout),
		taken: map[string]*place{}, of: map[string]int{},
	}
}

// reserve keeps a place for a session of the principal. Where there is none, a
// session that has been idle for a while goes: one of his own where he has as
// many as he may have, else one of whoever has most. The error is Overloaded.
func (p *places) reserve(principal string) (*place, *autoclave.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, most, whose := principal, p.perPrincipal, "of this principal "
	if p.of[principal] < p.perPrincipal {
		if p.total < p.max {
			return p.add(principal), nil
		}
		from, most, whose = p.largest(), p.max, ""
	}
	victim := p.idlest(from)
	if victim == nil {
		return nil, &autoclave.Error{
			Code: autoclave.Overloaded, Retryable: true, RetryAfter: 5 * time.Second,
			Message:    fmt.Sprintf("there are %d sessions %salready, which is the most", most, whose),
			Suggestion: "End sessions that are not needed any more (DELETE).",
		}
	}
	p.evict(victim, errCrowded)
	return p.add(principal), nil
}

// What follows is called under mu.

func (p *places) add(principal string) *place {
	p.total++
	p.of[principal]++
	return &place{places: p, principal: principal}
}

func (p *places) largest() string {
	name, n := "", 0
	for principal, has := range p.of {
		// The name decides between equals: not the order of a map.
		if has > n || has == n && principal < name {
			name, n = principal, has
		}
	}
	return name
}

func (p *places) idlest(principal string) *place {
	var oldest *place
	before := time.Now().Add(-p.spare)
	for _, pl := range p.taken {
		if pl.principal == principal && pl.using == 0 && !pl.used.After(before) && !pl.s.isRunning() &&
			(oldest == nil || pl.used.Before(oldest.used)) {
			oldest = pl
		}
	}
	return oldest
}

// evict ends a session. Its place is free at once.
func (p *places) evict(pl *place, why error) {
	pl.free()
	p.ending.Go(func() { pl.s.expire(why) })
}

func (pl *place) free() {
	if pl.left {
		return
	}
	pl.left = true
	p := pl.places
	delete(p.taken, pl.id)
	p.total--
	if p.of[pl.principal]--; p.of[pl.principal] == 0 {
		delete(p.of, pl.principal)
	}
}

// What follows is called without mu.

// take makes s the session of this place, and reports whether the place was
// free for it.
func (pl *place) take(s *session) bool {
	pl.places.mu.Lock()
	defer pl.places.mu.Unlock()
	switch {
	case pl.s == s:
		return true
	case pl.s != nil || pl.left:
		return false
	}
	pl.s, pl.id = s, s.ss.ID()
	pl.using, pl.used = 1, time.Now() // the request that initializes it
	pl.places.taken[pl.id] = pl
	return true
}

// settle ends the request that reserved the place, which is free again where
// no session came of it.
func (pl *place) settle() {
	pl.places.mu.Lock()
	defer pl.places.mu.Unlock()
	if pl.s == nil {
		pl.free()
		return
	}
	pl.using--
	pl.used = time.Now()
}

// leave frees the place of a session that has ended.
func (pl *place) leave() {
	pl.places.mu.Lock()
	defer pl.places.mu.Unlock()
	pl.free()
}

// use begins a request of a session, which must be the principal's: to
// everybody else it is not there. Each use that succeeds needs a done.
func (p *places) use(id, principal string) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.taken[id]
	if pl == nil || pl.principal != principal {
		return nil
	}
	pl.using++
	return pl
}

func (pl *place) done() {
	pl.places.mu.Lock()
	defer pl.places.mu.Unlock()
	pl.using--
	pl.used = time.Now()
}

// sweep ends the sessions whose time is over.
func (p *places) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, pl := range p.taken {
		switch {
		case pl.using > 0:
		case pl.s.isRunning():
			pl.used = now // its client may come back for the answer
		case now.Sub(pl.used) >= p.timeout:
			p.evict(pl, errIdle)
		}
	}
}

// counts returns how many sessions there are, with those that are reserved.
func (p *places) counts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

type placeKey struct{}

// admit has a session that is being initialized take the place that was
// reserved for it, if it came over HTTP. From then on it is served.
func (g *Gateway) admit(ctx context.Context, method string, req mcp.Request) error {
	pl, _ := ctx.Value(placeKey{}).(*place)
	ss, _ := req.GetSession().(*mcp.ServerSession)
	if method != "initialize" || pl == nil || ss == nil {
		return nil
	}
	s := g.session(ss)
	if s == nil {
		return errShuttingDown
	}
	if !pl.take(s) {
		return errors.New("the client did not wait for the session")
	}
	s.mu.Lock()
	s.place = pl
	s.mu.Unlock()
	return nil
}

func (s *session) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running > 0
}

// expire ends the session, and returns when its connection is closed.
func (s *session) expire(why error) {
	s.stop()
	s.end(why)
	_ = s.ss.Close() // of a connection that nobody reads any more
}
