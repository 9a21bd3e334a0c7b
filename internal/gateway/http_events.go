package gateway

import (
	"container/list"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// What keeping an event, and a stream, costs besides its bytes.
const (
	eventCost  = 64
	streamCost = 256
)

// events keeps what was sent on streams, for clients that lost their
// connection and come back for the rest. It is a mcp.EventStore with bounds:
// of all bytes, and of those of one session. Where there is no room the stream
// that was written to least recently goes: of the session that is at its own
// bound, else of the principal that has most.
//
// The stream that a client opens with GET is not kept: nothing of ours is sent
// on it.
type events struct {
	max, perSession int64

	mu       sync.Mutex
	bytes    int64
	sessions map[string]*sessionEvents
	owners   map[string]*eventOwner
}

type sessionEvents struct {
	owner   *eventOwner
	bytes   int64
	streams map[string]*eventStream
	recent  list.List // of its streams, the one that was written to last in front
}

type eventOwner struct {
	name     string
	bytes    int64
	recent   list.List
	sessions int
}

type eventStream struct {
	session   *sessionEvents
	id        string
	first     int // the index of data[0]: what was before it is gone
	data      [][]byte
	bytes     int64
	inSession *list.Element
	inOwner   *list.Element
}

var errEventsGone = errors.New("the events of this stream are not kept any more")

func newEvents(most int64) *events {
	return &events{max: most, perSession: most / 4, sessions: map[string]*sessionEvents{}, owners: map[string]*eventOwner{}}
}

// Open implements mcp.EventStore.
func (e *events) Open(ctx context.Context, session, stream string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sessions[session]
	if s == nil {
		name := principalOf(ctx)
		o := e.owners[name]
		if o == nil {
			o = &eventOwner{name: name}
			e.owners[name] = o
		}
		o.sessions++
		s = &sessionEvents{owner: o, streams: map[string]*eventStream{}}
		e.sessions[session] = s
	}
	if stream == "" || s.streams[stream] != nil {
		return nil
	}
	st := &eventStream{session: s, id: stream}
	st.inSession, st.inOwner = s.recent.PushFront(st), s.owner.recent.PushFront(st)
	s.streams[stream] = st
	e.account(st, streamCost)
	e.fit(st)
	return nil
}

// Append implements mcp.EventStore. A stream that had to go stays gone: its
// numbers would be wrong.
func (e *events) Append(_ context.Context, session, stream string, data []byte) error {
	if stream == "" {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.stream(session, stream)
	if st == nil {
		return errEventsGone
	}
	st.session.recent.MoveToFront(st.inSession)
	st.session.owner.recent.MoveToFront(st.inOwner)
	st.data = append(st.data, data)
	e.account(st, int64(len(data))+eventCost)
	e.fit(st)
	return nil
}

// After implements mcp.EventStore.
func (e *events) After(_ context.Context, session, stream string, index int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if stream == "" {
			return
		}
		data, err := e.since(session, stream, index+1)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, d := range data {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// since returns the events of a stream from the one with this index on.
func (e *events) since(session, stream string, index int) ([][]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.stream(session, stream)
	switch {
	case st == nil || index < st.first:
		return nil, errEventsGone
	case index-st.first > len(st.data):
		return nil, errors.New("no event with this number was sent yet")
	}
	return slices.Clone(st.data[index-st.first:]), nil
}

// SessionClosed implements mcp.EventStore.
func (e *events) SessionClosed(_ context.Context, session string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sessions[session]
	if s == nil {
		return nil
	}
	for _, st := range s.streams {
		e.drop(st)
	}
	delete(e.sessions, session)
	if s.owner.sessions--; s.owner.sessions == 0 {
		delete(e.owners, s.owner.name)
	}
	return nil
}

// held returns how many bytes are kept, and of how many sessions.
func (e *events) held() (bytes int64, sessions int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bytes, len(e.sessions)
}

// What follows is called under mu.

func (e *events) stream(session, stream string) *eventStream {
	if s := e.sessions[session]; s != nil {
		return s.streams[stream]
	}
	return nil
}

func (e *events) account(st *eventStream, n int64) {
	st.bytes += n
	st.session.bytes += n
	st.session.owner.bytes += n
	e.bytes += n
}

func (e *events) drop(st *eventStream) {
	e.account(st, -st.bytes)
	delete(st.session.streams, st.id)
	st.session.recent.Remove(st.inSession)
	st.session.owner.recent.Remove(st.inOwner)
}

// fit makes room. The stream that was just written to goes last, and then only
// what is in it.
func (e *events) fit(keep *eventStream) {
	for e.bytes > e.max || keep.session.bytes > e.perSession {
		from := &keep.session.recent
		if keep.session.bytes <= e.perSession {
			from = &e.largest().recent
		}
		st := from.Back().Value.(*eventStream)
		if st != keep {
			e.drop(st)
			continue
		}
		if len(st.data) == 0 {
			return
		}
		st.first += len(st.data)
		st.data = nil
		e.account(st, streamCost-st.bytes)
	}
}

// largest returns the owner who has most.
func (e *events) largest() *eventOwner {
	var most *eventOwner
	for _, o := range e.owners {
		if most == nil || o.bytes > most.bytes || o.bytes == most.bytes && o.name < most.name {
			most = o
		}
	}
	return most
}

var _ mcp.EventStore = (*events)(nil)
