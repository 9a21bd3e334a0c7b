package stash_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autoclave-run/autoclave/internal/stash"
)

func owner(t *testing.T, cfg stash.SessionsConfig) *stash.Sessions {
	t.Helper()
	s, err := stash.NewSessions(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if s.Len() != 0 || s.Bytes() != 0 {
			t.Errorf("%d stores of %d bytes after Close", s.Len(), s.Bytes())
		}
		if _, err := s.Open("p", "s"); kind(err) != stash.Closed {
			t.Errorf("Open after Close: %v", err)
		}
	})
	return s
}

func store(t *testing.T, s *stash.Sessions, principal, session string) *stash.Store {
	t.Helper()
	st, err := s.Open(principal, session)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func closed(s *stash.Store) bool {
	_, err := s.Get("k", nil)
	return kind(err) == stash.Closed
}

func TestSessionsAreApart(t *testing.T) {
	s := owner(t, stash.SessionsConfig{})
	a := store(t, s, "p", "s")
	put(t, a, "k", "1")
	if store(t, s, "p", "s") != a {
		t.Error("the same session has a new store")
	}
	for _, other := range [][2]string{{"p", "S"}, {"P", "s"}, {"", "ps"}, {"ps", ""}} {
		if e, err := store(t, s, other[0], other[1]).Get("k", nil); err != nil || e.Value != nil {
			t.Errorf("%q sees %s (%v)", other, e.Value, err)
		}
	}
	s.Drop("p", "s")
	s.Drop("p", "s")
	s.Drop("nobody", "s")
	if !closed(a) || s.Bytes() != 0 {
		t.Errorf("a dropped store is open, or counted: %d bytes", s.Bytes())
	}
	if e, _ := store(t, s, "p", "s").Get("k", nil); e.Value != nil {
		t.Errorf("a new session of the same name has %s", e.Value)
	}
	b := store(t, s, "p", "S")
	b.Close()
	b.Close()
	if store(t, s, "p", "S") == b {
		t.Error("a closed store was handed out")
	}
}

func TestSessionBounds(t *testing.T) {
	s := owner(t, stash.SessionsConfig{MaxSessions: 4, MaxPerPrincipal: 3})
	quiet := store(t, s, "quiet", "s")
	var flood []*stash.Store
	for i := range 3 {
		flood = append(flood, store(t, s, "flood", fmt.Sprint(i)))
	}
	put(t, flood[0], "k", "1") // used again
	store(t, s, "flood", "3")
	if !closed(flood[1]) || closed(flood[0]) || closed(flood[2]) {
		t.Error("not the store that was used least recently went")
	}
	store(t, s, "third", "s")
	if closed(quiet) || s.Len() != 4 {
		t.Errorf("of %d stores the one of who has least went", s.Len())
	}
}

func TestTotalBound(t *testing.T) {
	s := owner(t, stash.SessionsConfig{MaxTotal: 100})
	small := store(t, s, "small", "s")
	put(t, small, "k", strings.Repeat("1", 29)) // 30
	old, cur := store(t, s, "large", "old"), store(t, s, "large", "cur")
	empty := store(t, s, "large", "empty")
	put(t, old, "k", strings.Repeat("1", 29))
	put(t, cur, "k", strings.Repeat("1", 29)) // 90
	put(t, cur, "l", strings.Repeat("1", 29)) // old must go
	if !closed(old) || closed(small) || closed(empty) || s.Bytes() != 90 {
		t.Errorf("%d bytes; closed: old %v, small %v, empty %v", s.Bytes(), closed(old), closed(small), closed(empty))
	}
	// Who has most and has it all in one session is refused.
	if err := cur.Put("m", []byte(strings.Repeat("1", 29)), 0, nil); kind(err) != stash.Full {
		t.Errorf("got %v", err)
	}
	// The one with less may grow until he has as much.
	put(t, small, "l", strings.Repeat("1", 19))
	if closed(cur) && closed(small) {
		t.Error("both are closed")
	}
	if s.Bytes() > 100 {
		t.Errorf("%d bytes", s.Bytes())
	}
}

func TestIdleSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := owner(t, stash.SessionsConfig{IdleTTL: time.Minute})
		a, b := store(t, s, "p", "a"), store(t, s, "p", "b")
		put(t, a, "k", "1")
		if err := b.Put("k", []byte("1"), time.Second, nil); err != nil {
			t.Fatal(err)
		}
		put(t, b, "l", "1")
		time.Sleep(30 * time.Second)
		if _, err := b.Get("l", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		s.Sweep()
		if !closed(a) || closed(b) || s.Len() != 1 || s.Bytes() != 2 {
			t.Errorf("a closed: %v, b closed: %v, %d stores of %d bytes", closed(a), closed(b), s.Len(), s.Bytes())
		}
	})
}

// An entry that expires in the middle of a Put that needs room must not be
// counted twice.
func TestRoomAndExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := owner(t, stash.SessionsConfig{MaxTotal: 20})
		a, b := store(t, s, "p", "a"), store(t, s, "p", "b")
		for _, st := range []*stash.Store{a, b} {
			if err := st.Put("k", []byte("123456789"), time.Second, nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		put(t, b, "k", "1234567890123456789")
		if closed(a) || a.Len() != 0 || s.Bytes() != 20 || b.Bytes() != 20 {
			t.Errorf("a has %d entries, all have %d bytes, b %d", a.Len(), s.Bytes(), b.Bytes())
		}
	})
}

func TestSessionsConcurrency(t *testing.T) {
	s := owner(t, stash.SessionsConfig{MaxSessions: 5, MaxPerPrincipal: 3, MaxTotal: 64})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				st, err := s.Open(fmt.Sprint("p", g%3), fmt.Sprint("s", i%4))
				if err != nil {
					t.Error(err)
					return
				}
				_ = st.Put(fmt.Sprint("k", i%5), []byte("1234567"), time.Duration(i%3)*time.Nanosecond, nil) // may be dropped meanwhile
				if n := s.Bytes(); n > 64 || n < 0 {
					t.Errorf("%d bytes", n)
				}
				switch i % 50 {
				case 10:
					s.Sweep()
				case 20:
					st.Close()
				case 30:
					s.Drop("p1", "s1")
				}
			}
		})
	}
	wg.Wait()
}

func TestSessionsConfigErrors(t *testing.T) {
	for field, cfg := range map[string]stash.SessionsConfig{
		"MaxSessions":     {MaxSessions: -1},
		"MaxPerPrincipal": {MaxPerPrincipal: -1},
		"MaxTotal":        {MaxTotal: -1},
		"MaxValue":        {Store: stash.Config{MaxValue: -1}},
	} {
		if _, err := stash.NewSessions(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
