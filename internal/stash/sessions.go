package stash

import (
	"container/list"
	"fmt"
	"sync"
	"time"
)

// SessionsConfig bounds the stashes of many sessions. Zero in a field means
// the default.
type SessionsConfig struct {
	// Store bounds each one.
	Store Config
	// MaxSessions is how many stores there may be. Default 1024.
	MaxSessions int
	// MaxPerPrincipal is how many one principal may have. Default 64, or
	// MaxSessions where that is less.
	MaxPerPrincipal int
	// MaxTotal is the size of all keys and values of all stores, in bytes.
	// Default 256 MiB.
	MaxTotal int64
	// IdleTTL is how long a store that nobody uses is kept. Default 1 h.
	// Negative: until it is dropped.
	IdleTTL time.Duration
}

// Sessions owns the stores of the sessions of a gateway: it makes them, bounds
// them together, and drops those that nobody uses. Its methods and its stores
// may be used concurrently. It has no goroutine: what is over goes with the
// next call, or with Sweep.
//
// Where there is no room the store that was used least recently goes, of the
// principal that asks where it is at its own bound, else of the principal that
// has most. So nobody loses a store to somebody who has more, and one who
// floods loses his own.
type Sessions struct {
	cfg SessionsConfig

	mu         sync.Mutex // also that of every store
	principals map[string]*principal
	recent     list.List // of *slot, the one that was used last in front
	bytes      int64
	closed     bool
}

type principal struct {
	name  string
	slots map[string]*slot
	bytes int64
}

// slot is the place of one store.
type slot struct {
	principal *principal
	session   string
	store     *Store
	place     *list.Element
	used      time.Time
}

// NewSessions returns an owner of stores, or an error that names the field of
// cfg that is wrong.
func NewSessions(cfg SessionsConfig) (*Sessions, error) {
	for _, f := range []struct {
		name  string
		value int64
	}{{"MaxSessions", int64(cfg.MaxSessions)}, {"MaxPerPrincipal", int64(cfg.MaxPerPrincipal)}, {"MaxTotal", cfg.MaxTotal}} {
		if f.value < 0 {
			return nil, fmt.Errorf("stash: %s is %d: it must be positive, or 0 for the default", f.name, f.value)
		}
	}
	store, err := cfg.Store.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Store = store
	setDefault(&cfg.MaxSessions, 1024)
	setDefault(&cfg.MaxPerPrincipal, min(64, cfg.MaxSessions))
	setDefault(&cfg.MaxTotal, 256<<20)
	setDefault(&cfg.IdleTTL, time.Hour)
	if cfg.IdleTTL < 0 {
		cfg.IdleTTL = forever
	}
	return &Sessions{cfg: cfg, principals: map[string]*principal{}}, nil
}

// Open returns the store of a principal's session, a new one where there is
// none. The error is a Closed one.
func (s *Sessions) Open(principalName, session string) (*Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &Error{Kind: Closed, Message: "the stashes are closed"}
	}
	now := time.Now()
	s.sweep(now)
	p := s.principals[principalName]
	if p != nil {
		if sl := p.slots[session]; sl != nil {
			s.touch(sl, now)
			return sl.store, nil
		}
	}
	if p != nil && len(p.slots) >= s.cfg.MaxPerPrincipal {
		s.drop(s.oldest(p, nil), whyEvicted)
	} else if s.recent.Len() >= s.cfg.MaxSessions {
		s.drop(s.oldest(s.largest(func(p *principal) int64 { return int64(len(p.slots)) }), nil), whyEvicted)
	}
	// Only now: dropping the last store of a principal forgets the principal.
	if p = s.principals[principalName]; p == nil {
		p = &principal{name: principalName, slots: map[string]*slot{}}
		s.principals[principalName] = p
	}
	sl := &slot{principal: p, session: session, store: newStore(s.cfg.Store, &s.mu), used: now}
	sl.store.sessions, sl.store.slot = s, sl
	sl.place = s.recent.PushFront(sl)
	p.slots[session] = sl
	return sl.store, nil
}

const whyEvicted = "the stash of this session was dropped to make room for others"

// Drop closes the store of a principal's session, if there is one.
func (s *Sessions) Drop(principalName, session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.principals[principalName]; p != nil {
		if sl := p.slots[session]; sl != nil {
			s.drop(sl, "the stash was closed with its session")
		}
	}
}

// Sweep drops what is over: the stores that nobody has used for IdleTTL, and
// the entries of the others whose time has come. An owner of many idle
// sessions calls it now and then to have the memory back.
func (s *Sessions) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sweep(now)
	for e := s.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*slot).store.purge(now)
	}
}

// Len returns how many stores there are.
func (s *Sessions) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent.Len()
}

// Bytes returns the size of all keys and values of all stores; what has
// expired counts until it is swept.
func (s *Sessions) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Close closes all stores. Open fails from then on. It may be called more than
// once.
func (s *Sessions) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.recent.Len() > 0 {
		s.drop(s.recent.Front().Value.(*slot), "the stashes are closed")
	}
}

// What follows is called under mu.

func (s *Sessions) touch(sl *slot, now time.Time) {
	sl.used = now
	s.recent.MoveToFront(sl.place)
}

func (s *Sessions) account(sl *slot, bytes int64) {
	sl.principal.bytes += bytes
	s.bytes += bytes
}

func (s *Sessions) sweep(now time.Time) {
	for e := s.recent.Back(); e != nil; e = s.recent.Back() {
		sl := e.Value.(*slot)
		if now.Sub(sl.used) < s.cfg.IdleTTL {
			return
		}
		s.drop(sl, "the stash of this session was dropped because nobody had used it")
	}
}

func (s *Sessions) drop(sl *slot, why string) {
	sl.store.clear(why)
	s.recent.Remove(sl.place)
	delete(sl.principal.slots, sl.session)
	if len(sl.principal.slots) == 0 {
		delete(s.principals, sl.principal.name)
	}
	sl.store.slot, sl.store.sessions = nil, nil
}

// makeRoom makes room for that many bytes more in st, at the cost of other
// stores, and reports whether it could.
func (s *Sessions) makeRoom(st *Store, bytes int64, now time.Time) bool {
	if bytes <= 0 || s.bytes+bytes <= s.cfg.MaxTotal {
		return true
	}
	// st itself was used and purged at this very now, and so is left alone.
	s.sweep(now)
	for e := s.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*slot).store.purge(now)
	}
	for s.bytes+bytes > s.cfg.MaxTotal {
		p := s.largest(func(p *principal) int64 {
			if p == st.slot.principal {
				return p.bytes + bytes
			}
			return p.bytes
		})
		// The one who has most is the one who asks: what he has in other
		// sessions goes, and where he has none he is refused.
		sl := s.oldest(p, st)
		if sl == nil {
			return false
		}
		s.drop(sl, whyEvicted)
	}
	return true
}

// largest returns the principal that has most by the given measure.
func (s *Sessions) largest(measure func(*principal) int64) *principal {
	var most *principal
	var n int64
	for _, p := range s.principals {
		// The name decides between equals, so that the choice is not left to
		// the order of a map.
		if m := measure(p); most == nil || m > n || m == n && p.name < most.name {
			most, n = p, m
		}
	}
	return most
}

// oldest returns the principal's slot that was used least recently, but for
// that of the store keep, or nil where there is none. Of empty stores nothing
// is to be had for a Put.
func (s *Sessions) oldest(p *principal, keep *Store) *slot {
	for e := s.recent.Back(); e != nil; e = e.Prev() {
		sl := e.Value.(*slot)
		if sl.principal == p && sl.store != keep && (keep == nil || sl.store.bytes > 0) {
			return sl
		}
	}
	return nil
}
