package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// A session is one client's connection, from its first call to its end.
type session struct {
	g  *Gateway
	ss *mcp.ServerSession

	// ctx ends with the session, and all its executions with it.
	ctx context.Context
	end context.CancelCauseFunc
	// gone is closed when nothing of the session is left.
	gone chan struct{}

	mu         sync.Mutex
	running    int
	runs       []*run // under way, the newest last
	bodies     map[*run]*hold
	idle       chan struct{} // closed when running comes to 0; nil while it is
	closing    bool
	leave      chan struct{}   // closed to have Serve end it; nil: it is not Serve's
	principals map[string]bool // whose stashes it has opened
	kept       int             // values that were put into the stash because they were cut
	place      *place          // among the sessions over HTTP; nil: it is none of them
}

// session returns the session of ss, a new one where there is none. It is nil
// where the gateway is closed.
func (g *Gateway) session(ss *mcp.ServerSession) *session {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sessions[ss]; s != nil {
		return s
	}
	if g.closed {
		return nil
	}
	s := &session{g: g, ss: ss, gone: make(chan struct{}), principals: map[string]bool{}, bodies: map[*run]*hold{}}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	g.sessions[ss] = s
	g.ending.Go(s.await)
	return s
}

var errClientGone = errors.New("the client has closed the connection")

// await clears up when the connection has ended.
func (s *session) await() {
	_ = s.ss.Wait()
	// Where the protocol has no sessions, this was one request's, and its
	// execution may be waiting for the next request.
	if s.ss.ID() != "" {
		s.end(errClientGone)
	}
	<-s.stop()
	s.end(errClientGone)
	if s.ss.ID() != "" {
		s.g.unparkAll(s)
	}
	s.g.mu.Lock()
	delete(s.g.sessions, s.ss)
	s.g.mu.Unlock()
	// Without a session the stash is the principal's, and stays.
	if id := s.ss.ID(); id != "" {
		for p := range s.principals { // nobody else has the session any more
			s.g.stashes.Drop(p, id)
		}
	}
	s.mu.Lock()
	place := s.place
	s.mu.Unlock()
	if place != nil {
		place.leave()
	}
	close(s.gone)
}

// stop refuses further executions and returns what is closed when none runs.
func (s *session) stop() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	if s.running == 0 {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return s.idle
}

// begin makes room for one execution, or says why there is none. Each begin
// that succeeds needs a finish.
func (s *session) begin() *autoclave.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch limit := s.g.cfg.MaxExecutions; {
	case s.closing:
		return &autoclave.Error{Code: autoclave.ShuttingDown, Message: errShuttingDown.Error()}
	case s.running >= limit:
		return &autoclave.Error{
			Code: autoclave.Overloaded, Retryable: true, RetryAfter: time.Second,
			Message:    fmt.Sprintf("%d programs of this session are under way, which is the most", limit),
			Suggestion: "Wait for one of them, or do in one program what you do in several.",
		}
	}
	if s.running == 0 {
		s.idle = make(chan struct{})
	}
	s.running++
	return nil
}

func (s *session) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 {
		close(s.idle)
		s.idle = nil
	}
}

func (s *session) started(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, r)
	// The request that began it may end before it, and is held in memory.
	body := bodyOf(r.request)
	body.keep()
	s.bodies[r] = body
}

func (s *session) ended(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = slices.DeleteFunc(s.runs, func(o *run) bool { return o == r })
	s.bodies[r].drop()
	delete(s.bodies, r)
}

// calling returns the newest run of the principal that waits for a host call,
// of what where that is not empty, or nil.
func (s *session) calling(principal, what string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range slices.Backward(s.runs) {
		if r.principal == principal && r.ctx.Err() == nil && r.isCalling(what) {
			return r
		}
	}
	return nil
}

// stash opens the store that programs of the principal have in this session,
// or under a name where there is one. What has a name outlives the session.
func (s *session) stash(principal, name string) (*stash.Store, error) {
	key := s.ss.ID()
	if name != "" {
		key = "name:" + name // no session has a colon in its own
	} else {
		s.mu.Lock()
		s.principals[principal] = true
		s.mu.Unlock()
	}
	store, err := s.g.stashes.Open(principal, key)
	if err != nil {
		return nil, fmt.Errorf("opening the stash of a session: %w", err)
	}
	return store, nil
}

// drain waits for the executions of the session until ctx ends, then ends them.
func (s *session) drain(ctx context.Context) {
	select {
	case <-s.stop():
	case <-ctx.Done():
		s.end(errShuttingDown)
		<-s.stop()
	}
}

// close ends the session: it waits for its executions until ctx ends, then
// ends them, and then the connection.
func (s *session) close(ctx context.Context) {
	s.drain(ctx)
	s.mu.Lock()
	leave := s.leave
	s.leave = nil
	s.mu.Unlock()
	if leave != nil {
		close(leave)
	} else {
		_ = s.ss.Close()
	}
	<-s.gone
}
