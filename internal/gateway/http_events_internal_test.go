package gateway

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

func as(principal string) context.Context {
	return context.WithValue(context.Background(), identityKey{}, identity{principal: principal})
}

// after returns what is kept of a stream, or an error.
func after(e *events, session, stream string, index int) (got [][]byte, err error) {
	for data, err := range e.After(context.Background(), session, stream, index) {
		if err != nil {
			return nil, err
		}
		got = append(got, data)
	}
	return got, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	e := newEvents(1 << 20)
	ctx := as("alice")
	must(t, e.Open(ctx, "S", ""))
	must(t, e.Open(ctx, "S", "A"))
	must(t, e.Append(ctx, "S", "A", nil)) // the one that begins a stream
	must(t, e.Append(ctx, "S", "A", []byte("one")))
	must(t, e.Append(ctx, "S", "A", []byte("two")))
	must(t, e.Append(ctx, "S", "", []byte("not kept")))
	for index, want := range map[int]int{-1: 3, 0: 2, 1: 1, 2: 0} {
		if got, err := after(e, "S", "A", index); err != nil || len(got) != want {
			t.Errorf("after %d: %q %v", index, got, err)
		}
	}
	if got, err := after(e, "S", "", -1); err != nil || len(got) != 0 {
		t.Errorf("the stream of GET: %q %v", got, err)
	}
	for _, c := range []struct {
		session, stream string
		index           int
	}{{"S", "A", 3}, {"S", "B", 0}, {"T", "A", 0}, {"S", "A", -5}} {
		if got, err := after(e, c.session, c.stream, c.index); err == nil {
			t.Errorf("%+v: %q", c, got)
		}
	}
	must(t, e.SessionClosed(ctx, "S"))
	if bytes, sessions := e.held(); bytes != 0 || sessions != 0 || len(e.owners) != 0 {
		t.Errorf("%d bytes of %d sessions, %d owners", bytes, sessions, len(e.owners))
	}
	if err := e.Append(ctx, "S", "A", []byte("late")); err == nil {
		t.Error("a session that has ended takes events")
	}
	must(t, e.SessionClosed(ctx, "S"))
}

// One who floods loses his own events, and nobody else's.
func TestEventsFairness(t *testing.T) {
	e := newEvents(1 << 20)
	alice, bob := as("alice"), as("bob")
	must(t, e.Open(bob, "B", "b"))
	must(t, e.Append(bob, "B", "b", []byte("of bob")))
	for i := range 100 {
		session := fmt.Sprint("A", i)
		for j := range 5 {
			stream := fmt.Sprint("a", j)
			must(t, e.Open(alice, session, stream))
			_ = e.Append(alice, session, stream, make([]byte, 50<<10))
		}
		if n, _ := e.held(); n > 1<<20 {
			t.Fatalf("%d bytes are kept", n)
		}
	}
	if got, err := after(e, "B", "b", -1); err != nil || len(got) != 1 {
		t.Errorf("bob's are gone: %v", err)
	}
	if got, err := after(e, "A99", "a4", -1); err != nil || len(got) != 1 {
		t.Errorf("alice's last are gone: %v", err)
	}
	if _, err := after(e, "A0", "a0", -1); err == nil {
		t.Error("alice's first are still there")
	}
	// An event that is too large is not kept, and said to be gone.
	must(t, e.Open(bob, "B", "large"))
	must(t, e.Append(bob, "B", "large", make([]byte, 300<<10)))
	if _, err := after(e, "B", "large", -1); err == nil {
		t.Error("an event above the bound of a session is there")
	}
	must(t, e.Append(bob, "B", "large", []byte("next")))
	if got, err := after(e, "B", "large", 0); err != nil || len(got) != 1 || string(got[0]) != "next" {
		t.Errorf("what came after it: %q %v", got, err)
	}
}

// What is kept of a stream is always its end, without a gap and with the right
// numbers, whatever happens around it; and the sums are right.
func TestEventsModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	e := newEvents(64 << 10)
	sent := map[[2]string][][]byte{}
	for range 20000 {
		session, stream := fmt.Sprint("s", rnd.IntN(6)), fmt.Sprint("t", rnd.IntN(4))
		key := [2]string{session, stream}
		ctx := as(fmt.Sprint("p", session[1]%3))
		switch n := rnd.IntN(100); {
		case n < 1:
			must(t, e.SessionClosed(ctx, session))
			for k := range sent {
				if k[0] == session {
					delete(sent, k)
				}
			}
		case n < 20 && sent[key] == nil:
			must(t, e.Open(ctx, session, stream))
			sent[key] = [][]byte{}
		case sent[key] != nil:
			data := make([]byte, rnd.IntN(1+rnd.IntN(20<<10)))
			data = append(data, fmt.Sprint(len(sent[key]))...)
			if e.Append(ctx, session, stream, data) != nil {
				delete(sent, key) // it is gone, and is not opened again under its id
				if _, err := after(e, session, stream, -1); err == nil {
					t.Fatal("it takes nothing and has something")
				}
				continue
			}
			sent[key] = append(sent[key], data)
		}
		for k, all := range sent {
			index := rnd.IntN(len(all)+1) - 1
			got, err := after(e, k[0], k[1], index)
			if err != nil {
				continue
			}
			want := all[index+1:]
			if len(got) != len(want) {
				t.Fatalf("%v after %d: %d events, want %d", k, index, len(got), len(want))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%v after %d: event %d is another one", k, index, i)
				}
			}
		}
		var sum int64
		for _, o := range e.owners {
			sum += o.bytes
		}
		total, _ := e.held()
		if total > 64<<10 || total != sum {
			t.Fatalf("%d bytes are kept, of owners %d", total, sum)
		}
	}
}
