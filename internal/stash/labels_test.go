package stash_test

import (
	"slices"
	"testing"

	"github.com/autoclave-run/autoclave/internal/stash"
)

var (
	clean []string
	g     = []string{"g"}
	h     = []string{"h"}
	gh    = []string{"g", "h"}
)

func get(t *testing.T, s *stash.Store, key string, labels []string) (value string, take []string) {
	t.Helper()
	e, err := s.Get(key, labels)
	if err != nil {
		t.Fatal(err)
	}
	return string(e.Value), e.Labels
}

func TestLabelsAreHandedOn(t *testing.T) {
	s := open(t, stash.Config{})
	put(t, s, "clean", "1")
	if v, take := get(t, s, "absent", clean); v != "" || len(take) != 0 {
		t.Errorf("a session without labels: %s, %q", v, take)
	}
	put(t, s, "secret", "2", "g", "g")
	for _, tt := range []struct {
		key    string
		has    []string
		value  string
		labels []string
	}{
		{"clean", clean, "1", clean},
		{"clean", g, "1", clean},
		{"secret", clean, "2", g},
		{"secret", g, "2", g},
		{"secret", h, "2", g},
		{"absent", clean, "", g},
	} {
		if v, take := get(t, s, tt.key, tt.has); v != tt.value || !slices.Equal(take, tt.labels) {
			t.Errorf("Get(%s) with %q: %s, %q; want %s, %q", tt.key, tt.has, v, take, tt.value, tt.labels)
		}
	}
	if _, take, _ := s.Keys(); !slices.Equal(take, g) {
		t.Errorf("Keys hands on %q", take)
	}
}

// That nothing is there says something from the moment at which somebody could
// have put something there, whether he did or not.
func TestAbsenceAfterRaise(t *testing.T) {
	s := open(t, stash.Config{})
	s.Raise(g)
	if _, take := get(t, s, "k", clean); !slices.Equal(take, g) {
		t.Errorf("Get of an absent key hands on %q, want %q", take, g)
	}
	if found, take, err := s.Delete("k", clean); found || err != nil || !slices.Equal(take, g) {
		t.Errorf("Delete of an absent key: %v, %q, %v", found, take, err)
	}
	s.Raise(h)
	if _, take, _ := s.Keys(); !slices.Equal(take, gh) {
		t.Errorf("Keys hands on %q, want %q", take, gh)
	}
}

func TestNoWritingDown(t *testing.T) {
	s := open(t, stash.Config{})
	put(t, s, "k", "1")
	if err := s.Put("k", []byte("2"), 0, g); kind(err) != stash.Conflict {
		t.Errorf("replacing an entry with fewer labels: %v", err)
	}
	if _, _, err := s.Delete("k", g); kind(err) != stash.Conflict {
		t.Errorf("deleting an entry with fewer labels: %v", err)
	}
	if v, take := get(t, s, "k", clean); v != "1" || len(take) != 0 {
		t.Errorf("the entry is %s with %q", v, take)
	}
}

func TestWritingUpReplaces(t *testing.T) {
	s := open(t, stash.Config{})
	put(t, s, "k", "1", "g", "h")
	put(t, s, "k", "2", "g")
	put(t, s, "k", "3")
	if s.Len() != 1 || s.Bytes() != 2 {
		t.Errorf("%d entries of %d bytes, want 1 of 2", s.Len(), s.Bytes())
	}
	if v, take := get(t, s, "k", gh); v != "3" || len(take) != 0 {
		t.Errorf("got %s with %q", v, take)
	}
	put(t, s, "up", "1", "g")
	if found, take, err := s.Delete("up", clean); !found || err != nil || !slices.Equal(take, gh) {
		t.Errorf("Delete from above: %v, %q, %v", found, take, err)
	}
}

func TestUnrelatedLabelsDoNotMeet(t *testing.T) {
	s := open(t, stash.Config{})
	put(t, s, "k", "1", "g")
	put(t, s, "k", "2", "h")
	if v, take := get(t, s, "k", g); v != "1" || !slices.Equal(take, g) {
		t.Errorf("g sees %s with %q", v, take)
	}
	if v, take := get(t, s, "k", gh); v != "2" || !slices.Equal(take, h) {
		t.Errorf("gh sees %s with %q, want the newer", v, take)
	}
	if v, take := get(t, s, "k", clean); v != "2" || !slices.Equal(take, gh) {
		t.Errorf("one without labels sees %s with %q", v, take)
	}
	if found, take, err := s.Delete("k", g); !found || err != nil || !slices.Equal(take, g) {
		t.Errorf("Delete: %v, %q, %v", found, take, err)
	}
	if v, _ := get(t, s, "k", h); v != "2" {
		t.Errorf("h's entry is %q after g deleted its own", v)
	}
}

func TestRefusalHandsOnLabels(t *testing.T) {
	s := open(t, stash.Config{MaxEntries: 1})
	put(t, s, "k", "1", "g")
	err := s.Put("other", []byte("1"), 0, clean)
	if e, ok := err.(*stash.Error); !ok || e.Kind != stash.Full || !slices.Equal(e.Labels, g) {
		t.Errorf("got %#v", err)
	}
}
