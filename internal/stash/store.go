package stash

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Store is the stash of one session. Its methods may be called concurrently.
// It has no goroutine: entries whose time is over go with the next call.
type Store struct {
	cfg Config
	// mu is the Sessions' own where there is one: it may have to take room from
	// another store in the middle of a Put. Nothing slow happens under it.
	mu       *sync.Mutex
	sessions *Sessions // nil: it stands alone
	slot     *slot     // its place there

	entries map[string][]*entry // by key, one for each set of labels; never empty
	expiry  expiryHeap          // entries that expire
	count   int
	bytes   int64
	serial  uint64   // of the last Put, to tell which entry is newer
	all     []string // every label that the session has had
	closed  string   // why it is closed; empty: it is not
}

type entry struct {
	key     string
	value   json.RawMessage
	labels  []string
	serial  uint64
	expires time.Time // zero: never
	at      int       // index in the heap, or -1
}

func (e *entry) size() int64 { return int64(len(e.key) + len(e.value)) }

// Entry is what a Get found.
type Entry struct {
	// Value is one JSON text; nil where the key is absent. It is shared and
	// must not be changed.
	Value json.RawMessage `json:"value"`
	// Labels are what the execution takes on by hearing the answer, sorted.
	Labels []string `json:"labels,omitempty"`
	// Expires is when the entry goes. Zero: never.
	Expires time.Time `json:"expires,omitzero"`
}

// New returns an empty store, or an error that names the field of cfg that is
// wrong.
func New(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return newStore(cfg, new(sync.Mutex)), nil
}

func newStore(cfg Config, mu *sync.Mutex) *Store {
	return &Store{cfg: cfg, mu: mu, entries: map[string][]*entry{}}
}

// Put stores a copy of value, which must be one JSON text, under key. A ttl of
// zero is DefaultTTL. labels are those of the execution that puts it. The error
// is an *Error.
func (s *Store) Put(key string, value json.RawMessage, ttl time.Duration, labels []string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	switch {
	case len(value) == 0:
		return &Error{Kind: BadValue, Message: fmt.Sprintf("the value for %q is empty: it must be a JSON text", key)}
	case len(value) > s.cfg.MaxValue:
		return &Error{Kind: TooLarge, Message: fmt.Sprintf("the value for %q has %d bytes, and %d is the most", key, len(value), s.cfg.MaxValue),
			Suggestion: "Put less of it, or split it over several keys."}
	case ttl < 0:
		return &Error{Kind: BadTTL, Message: fmt.Sprintf("the ttl for %q is %v: it cannot be negative", key, ttl)}
	case ttl > s.cfg.MaxTTL:
		return &Error{Kind: BadTTL, Message: fmt.Sprintf("the ttl for %q is %g seconds, and %g is the most", key, ttl.Seconds(), s.cfg.MaxTTL.Seconds())}
	case ttl == 0:
		ttl = s.cfg.DefaultTTL
	}
	e := &entry{key: key, value: slices.Clone(value), labels: normal(labels), at: -1}

	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.begin()
	if err != nil {
		return err
	}
	s.raise(e.labels)
	if err := s.writable(key, e.labels); err != nil {
		return err
	}
	var gone []*entry
	freed := int64(0)
	for _, old := range s.entries[key] {
		if subset(e.labels, old.labels) {
			gone = append(gone, old)
			freed += old.size()
		}
	}
	if n := s.count - len(gone) + 1; n > s.cfg.MaxEntries {
		return &Error{Kind: Full, Labels: s.all, Message: fmt.Sprintf("%d entries are stored, which is the most", s.count),
			Suggestion: "Delete some, or put several values under one key."}
	}
	if n := s.bytes - freed + e.size(); n > s.cfg.MaxTotal {
		return &Error{Kind: Full, Labels: s.all,
			Message:    fmt.Sprintf("%d bytes are stored and %q would make that %d; %d is the most", s.bytes, key, n, s.cfg.MaxTotal),
			Suggestion: "Delete what is not needed any more."}
	}
	if s.sessions != nil && !s.sessions.makeRoom(s, e.size()-freed, now) {
		return &Error{Kind: Full, Labels: s.all, Message: "the stashes of all sessions together hold the most that they may",
			Suggestion: "Delete what is not needed any more, or try again later."}
	}
	for _, old := range gone {
		s.remove(old)
	}
	if ttl != forever {
		e.expires = now.Add(ttl)
		heap.Push(&s.expiry, e)
	}
	s.serial++
	e.serial = s.serial
	s.entries[key] = append(s.entries[key], e)
	s.account(1, e.size())
	return nil
}

// Get returns what is stored under key, with a nil Value where nothing is.
// labels are those of the execution, which takes on the Entry's besides.
func (s *Store) Get(key string, labels []string) (Entry, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.begin(); err != nil {
		return Entry{}, err
	}
	labels = normal(labels)
	var newest, own *entry
	for _, e := range s.entries[key] {
		if newest == nil || e.serial > newest.serial {
			newest = e
		}
		if subset(e.labels, labels) && (own == nil || e.serial > own.serial) {
			own = e
		}
	}
	switch {
	case own != nil:
		return Entry{Value: own.value, Labels: own.labels, Expires: own.expires}, nil
	case newest != nil:
		return Entry{Value: newest.value, Labels: s.all, Expires: newest.expires}, nil
	}
	return Entry{Labels: s.all}, nil
}

// Delete removes what is stored under key and reports whether there was
// anything. labels are those of the execution, which takes on those that are
// returned. Where a key must not be deleted the error is an *Error.
func (s *Store) Delete(key string, labels []string) (found bool, take []string, err error) {
	if err := checkKey(key); err != nil {
		return false, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.begin(); err != nil {
		return false, nil, err
	}
	labels = normal(labels)
	s.raise(labels)
	if err := s.writable(key, labels); err != nil {
		return false, nil, err
	}
	take = s.all
	for _, e := range slices.Clone(s.entries[key]) {
		if !subset(labels, e.labels) {
			continue
		}
		if len(e.labels) == len(labels) {
			take = labels
		}
		s.remove(e)
		found = true
	}
	return found, take, nil
}

// Keys returns all keys, sorted, and the labels that the execution takes on.
func (s *Store) Keys() (keys, take []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.begin(); err != nil {
		return nil, nil, err
	}
	return slices.Sorted(maps.Keys(s.entries)), s.all, nil
}

// Raise notes that an execution of the session has taken labels on. It must be
// called before the execution gets what they come with: that the session has
// nothing to hide must not depend on what an execution then does.
func (s *Store) Raise(labels []string) {
	labels = normal(labels)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raise(labels)
}

// Len returns how many entries there are.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purge(time.Now())
	return s.count
}

// Bytes returns the size of all keys and values.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purge(time.Now())
	return s.bytes
}

// Close drops all entries. Every later call fails with Closed, Len and Bytes
// are zero. It may be called more than once. A store of a Sessions is closed
// by it.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slot != nil {
		s.sessions.drop(s.slot, "the stash was closed with its session")
		return
	}
	s.clear("the stash was closed with its session")
}

// What follows is called under mu.

func (s *Store) begin() (time.Time, error) {
	if s.closed != "" {
		return time.Time{}, &Error{Kind: Closed, Message: s.closed}
	}
	now := time.Now()
	s.purge(now)
	if s.sessions != nil {
		s.sessions.touch(s.slot, now)
	}
	return now, nil
}

func (s *Store) raise(labels []string) {
	if !subset(labels, s.all) {
		s.all = normal(slices.Concat(s.all, labels)) // the old one may have been handed out
	}
}

func (s *Store) writable(key string, labels []string) error {
	for _, e := range s.entries[key] {
		if len(e.labels) < len(labels) && subset(e.labels, labels) {
			return &Error{Kind: Conflict,
				Message: fmt.Sprintf("the key %q was put by an execution that had not received data of %q, as this one has: "+
					"to change it would tell others of that data", key, missing(labels, e.labels)),
				Suggestion: "Use another key for it."}
		}
	}
	return nil
}

func (s *Store) purge(now time.Time) {
	for len(s.expiry) > 0 && !s.expiry[0].expires.After(now) {
		s.remove(s.expiry[0])
	}
}

func (s *Store) remove(e *entry) {
	if e.at >= 0 {
		heap.Remove(&s.expiry, e.at)
	}
	left := slices.DeleteFunc(s.entries[e.key], func(o *entry) bool { return o == e })
	if len(left) == 0 {
		delete(s.entries, e.key)
	} else {
		s.entries[e.key] = left
	}
	s.account(-1, -e.size())
}

func (s *Store) account(entries int, bytes int64) {
	s.count += entries
	s.bytes += bytes
	if s.slot != nil {
		s.sessions.account(s.slot, bytes)
	}
}

func (s *Store) clear(why string) {
	if s.closed != "" {
		return
	}
	s.account(-s.count, -s.bytes)
	s.closed, s.entries, s.expiry = why, nil, nil
}

// normal returns the labels as a set: sorted, none twice, not the caller's.
func normal(labels []string) []string {
	if len(labels) == 0 {
		return nil
	}
	labels = slices.Clone(labels)
	slices.Sort(labels)
	return slices.Compact(labels)
}

func subset(a, b []string) bool {
	for _, l := range a {
		if !slices.Contains(b, l) {
			return false
		}
	}
	return true
}

func missing(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(l string) bool { return slices.Contains(b, l) })
}

// expiryHeap has the entry on top that expires first.
type expiryHeap []*entry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop implement heap.Interface.
func (h *expiryHeap) Push(x any) {
	e := x.(*entry)
	e.at = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.at = -1
	return e
}
