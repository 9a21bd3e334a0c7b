package stash_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/autoclave-run/autoclave/internal/stash"
)

func open(t testing.TB, cfg stash.Config) *stash.Store {
	t.Helper()
	s, err := stash.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *stash.Store, key, value string, labels ...string) {
	t.Helper()
	if err := s.Put(key, json.RawMessage(value), 0, labels); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

func kind(err error) stash.Kind {
	if e, ok := errors.AsType[*stash.Error](err); ok {
		return e.Kind
	}
	return ""
}

func TestPutGetDelete(t *testing.T) {
	s := open(t, stash.Config{})
	e, err := s.Get("k", nil)
	if err != nil || e.Value != nil {
		t.Fatalf("an absent key gave %s, %v", e.Value, err)
	}
	value := []byte(`{"z":1,"a":1e400}`)
	put(t, s, "k", string(value))
	put(t, s, "a.b-c_d:E9", "2")
	if e, _ := s.Get("k", nil); string(e.Value) != string(value) {
		t.Errorf("got %s, want %s", e.Value, value)
	}
	if keys, _, err := s.Keys(); err != nil || !slices.Equal(keys, []string{"a.b-c_d:E9", "k"}) {
		t.Errorf("Keys: %q, %v", keys, err)
	}
	if got, want := s.Bytes(), int64(1+len(value)+10+1); got != want || s.Len() != 2 {
		t.Errorf("%d entries of %d bytes, want 2 of %d", s.Len(), got, want)
	}
	put(t, s, "k", "null")
	if got, want := s.Bytes(), int64(1+4+10+1); got != want || s.Len() != 2 {
		t.Errorf("after a replacement: %d entries of %d bytes, want 2 of %d", s.Len(), got, want)
	}
	for _, want := range []bool{true, false} {
		if found, _, err := s.Delete("k", nil); err != nil || found != want {
			t.Errorf("Delete: %v, %v; want %v", found, err, want)
		}
	}
	s.Close()
	s.Close()
	if err := s.Put("k", []byte("1"), 0, nil); kind(err) != stash.Closed {
		t.Errorf("Put after Close: %v", err)
	}
	if s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("a closed store has %d entries of %d bytes", s.Len(), s.Bytes())
	}
}

// The form is what a store elsewhere keeps.
func TestEntryJSON(t *testing.T) {
	e := stash.Entry{Value: []byte(`{"z":1,"a":1e400}`), Labels: []string{"g"}, Expires: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	const want = `{"value":{"z":1,"a":1e400},"labels":["g"],"expires":"2026-01-02T03:04:05.000000006Z"}`
	b, err := json.Marshal(e)
	if err != nil || string(b) != want {
		t.Fatalf("got %s, %v", b, err)
	}
	var back stash.Entry
	if err := json.Unmarshal(b, &back); err != nil || string(back.Value) != string(e.Value) || !slices.Equal(back.Labels, e.Labels) || !back.Expires.Equal(e.Expires) {
		t.Errorf("back came %+v, %v", back, err)
	}
}

func TestPutCopies(t *testing.T) {
	s := open(t, stash.Config{})
	value := []byte(`"abc"`)
	if err := s.Put("k", value, 0, nil); err != nil {
		t.Fatal(err)
	}
	copy(value, `"xyz"`)
	if e, _ := s.Get("k", nil); string(e.Value) != `"abc"` {
		t.Errorf("the caller's buffer shows through: %s", e.Value)
	}
}

func TestErrors(t *testing.T) {
	cfg := stash.Config{MaxEntries: 2, MaxValue: 8, MaxTotal: 11, MaxTTL: time.Minute}
	for name, tt := range map[string]struct {
		key, value string
		ttl        time.Duration
		kind       stash.Kind
		says       string
	}{
		"empty key":     {"", "1", 0, stash.BadKey, "empty"},
		"space":         {"a b", "1", 0, stash.BadKey, "byte 1"},
		"slash":         {"a/b", "1", 0, stash.BadKey, "byte 1"},
		"look-alike":    {"\u0430", "1", 0, stash.BadKey, `"\u0430"`},
		"NUL":           {"a\x00", "1", 0, stash.BadKey, "byte 1"},
		"not UTF-8":     {"\xff", "1", 0, stash.BadKey, "byte 0"},
		"long key":      {strings.Repeat("k", 257), "1", 0, stash.BadKey, "257 bytes, and 256"},
		"no value":      {"k", "", 0, stash.BadValue, "empty"},
		"large value":   {"k", "123456789", 0, stash.TooLarge, "9 bytes, and 8"},
		"negative ttl":  {"k", "1", -1, stash.BadTTL, "negative"},
		"long ttl":      {"k", "1", 2 * time.Minute, stash.BadTTL, "120 seconds, and 60"},
		"third entry":   {"k", "1", 0, stash.Full, "2 entries"},
		"12 bytes":      {"a", "12345678", 0, stash.Full, "12"},
		"replace":       {"a", "1234567", 0, "", ""},
		"longest ttl":   {"a", "1", time.Minute, "", ""},
		"longest value": {"b", "123456", 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, cfg)
			put(t, s, "a", "1")
			put(t, s, "b", "12")
			err := s.Put(tt.key, []byte(tt.value), tt.ttl, nil)
			if kind(err) != tt.kind || (err != nil) != (tt.kind != "") {
				t.Fatalf("got %v, want an error of kind %q", err, tt.kind)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not say %q", err, tt.says)
			}
		})
	}
	s := open(t, stash.Config{})
	put(t, s, strings.Repeat("k", 256), "1")
	if _, err := s.Get("a b", nil); kind(err) != stash.BadKey {
		t.Errorf("Get: %v", err)
	}
	if _, _, err := s.Delete("a b", nil); kind(err) != stash.BadKey {
		t.Errorf("Delete: %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	for field, cfg := range map[string]stash.Config{
		"MaxEntries": {MaxEntries: -1},
		"MaxValue":   {MaxValue: -1},
		"MaxTotal":   {MaxTotal: -1},
		"DefaultTTL": {DefaultTTL: 2 * time.Hour, MaxTTL: time.Hour},
	} {
		if _, err := stash.New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, stash.Config{DefaultTTL: 10 * time.Second, MaxTTL: -1})
		put(t, s, "default", "1")
		for i, ttl := range []time.Duration{30 * time.Second, 20 * time.Second, 300 * 24 * time.Hour} {
			if err := s.Put(fmt.Sprint("k", i), []byte("22"), ttl, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			wait time.Duration
			keys []string
		}{
			{10*time.Second - 1, []string{"default", "k0", "k1", "k2"}},
			{1, []string{"k0", "k1", "k2"}},
			{10 * time.Second, []string{"k0", "k2"}},
			{10 * time.Second, []string{"k2"}},
		} {
			time.Sleep(step.wait)
			keys, _, err := s.Keys()
			if err != nil || !slices.Equal(keys, step.keys) {
				t.Fatalf("keys are %q, want %q (%v)", keys, step.keys, err)
			}
		}
		if s.Len() != 1 || s.Bytes() != 4 {
			t.Errorf("%d entries of %d bytes left, want 1 of 4", s.Len(), s.Bytes())
		}
		put(t, s, "k2", "1") // a replacement has its own time
		time.Sleep(10 * time.Second)
		if e, _ := s.Get("k2", nil); e.Value != nil {
			t.Errorf("k2 outlived its second ttl: %s", e.Value)
		}
		forever := open(t, stash.Config{DefaultTTL: -1, MaxTTL: -1})
		put(t, forever, "k", "1")
		time.Sleep(100 * 365 * 24 * time.Hour)
		if e, _ := forever.Get("k", nil); e.Value == nil || !e.Expires.IsZero() {
			t.Errorf("an entry without an end is gone: %+v", e)
		}
	})
}

// noDeadline hides Deadline, which must not be called in made-up time.
type noDeadline struct{ rapid.TB }

// TestModel holds the store against a map, in made-up time.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(rt *rapid.T) {
			type item struct {
				value   string
				expires time.Time
			}
			model := map[string]item{}
			s := open(t, stash.Config{MaxEntries: 4, MaxTotal: 40, DefaultTTL: 5 * time.Second})
			key := rapid.SampledFrom([]string{"a", "bb", "ccc", "d", "e", "f"})
			rt.Repeat(map[string]func(*rapid.T){
				"put": func(t *rapid.T) {
					k, n := key.Draw(t, "key"), rapid.IntRange(1, 20).Draw(t, "size")
					ttl := time.Duration(rapid.IntRange(0, 9).Draw(t, "ttl")) * time.Second
					v := strings.Repeat("1", n)
					next := map[string]item{k: {v, time.Now().Add(ttl)}}
					if ttl == 0 {
						next[k] = item{v, time.Now().Add(5 * time.Second)}
					}
					total := 0
					for o, i := range model {
						if o != k {
							next[o] = i
						}
					}
					for o, i := range next {
						total += len(o) + len(i.value)
					}
					err := s.Put(k, []byte(v), ttl, nil)
					if fits := total <= 40 && len(next) <= 4; fits != (err == nil) {
						t.Fatalf("Put(%q, %d bytes): %v with %d bytes in %d entries", k, n, err, total, len(next))
					}
					if err == nil {
						model = next
					}
				},
				"delete": func(t *rapid.T) {
					k := key.Draw(t, "key")
					_, had := model[k]
					delete(model, k)
					if found, _, err := s.Delete(k, nil); err != nil || found != had {
						t.Fatalf("Delete(%q): %v, %v; want %v", k, found, err, had)
					}
				},
				"wait": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
					for k, i := range model {
						if !i.expires.After(time.Now()) {
							delete(model, k)
						}
					}
				},
				"": func(t *rapid.T) {
					total := int64(0)
					for k, i := range model {
						total += int64(len(k) + len(i.value))
						if e, err := s.Get(k, nil); err != nil || string(e.Value) != i.value || !e.Expires.Equal(i.expires) {
							t.Fatalf("Get(%q): %s until %v, %v; want %s until %v", k, e.Value, e.Expires, err, i.value, i.expires)
						}
					}
					if s.Len() != len(model) || s.Bytes() != total {
						t.Fatalf("%d entries of %d bytes, want %d of %d", s.Len(), s.Bytes(), len(model), total)
					}
				},
			})
		})
	})
}

func TestConcurrency(t *testing.T) {
	s := open(t, stash.Config{MaxEntries: 8})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			label := []string{fmt.Sprint("g", g%3)}
			for i := range 200 {
				k := fmt.Sprint("k", (g+i)%6)
				_ = s.Put(k, []byte("1"), time.Duration(i%2)*time.Nanosecond, label) // may be full
				_, _ = s.Get(k, label)
				_, _, _ = s.Keys()
				_, _, _ = s.Delete(k, label)
				s.Raise(label)
			}
		})
	}
	wg.Wait()
	keys, _, _ := s.Keys()
	for _, k := range keys {
		for _, l := range []string{"g0", "g1", "g2"} {
			_, _, _ = s.Delete(k, []string{l})
		}
	}
	if s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("%d entries of %d bytes after everything was deleted", s.Len(), s.Bytes())
	}
}
