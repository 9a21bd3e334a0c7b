//go:build unix

package upstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

func openSet(t *testing.T, cfgs ...upstream.Config) *upstream.Set {
	t.Helper()
	s, err := upstream.OpenSet(t.Context(), cfgs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func named(cfg upstream.Config, name string) upstream.Config {
	cfg.Name = name
	return cfg
}

func TestSet(t *testing.T) {
	mute := named(fakeConfig(t, "mute"), "mute")
	s := openSet(t, named(fakeConfig(t, "plain"), "good"), mute, named(fakeConfig(t, "exit"), "dead"))

	// The good one is there while the mute one is still starting.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	u, err := s.Get(ctx, "good")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := u.Call(ctx, "raw", nil); err != nil || string(got) != rawResult {
		t.Errorf("got %s, %v", got, err)
	}
	_, err = s.Get(ctx, "dead")
	wantKind(t, err, upstream.Unavailable)
	_, err = s.Get(ctx, "nobody")
	if !errors.Is(err, upstream.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	_, err = s.Get(short, "mute")
	wantKind(t, err, upstream.TimedOut)
	if err := s.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	m := s.Members()
	if len(m) != 3 || m[0].Name != "good" || m[1].Name != "mute" || m[2].Name != "dead" {
		t.Fatalf("got %+v", m)
	}
	if !m[0].Up || len(m[0].Tools) != 2 || m[0].Info.Name != "fake" || m[0].Took <= 0 {
		t.Errorf("good: %+v", m[0])
	}
	if !m[1].Pending || m[1].Up || m[1].Err != nil {
		t.Errorf("mute: %+v", m[1])
	}
	if m[2].Up || m[2].Pending || m[2].Err == nil {
		t.Errorf("dead: %+v", m[2])
	}

	// One that ends later is seen to have ended.
	before := s.Version()
	if before != 2 {
		t.Errorf("version %d after two outcomes", before)
	}
	_, err = u.Call(ctx, "die", nil)
	wantKind(t, err, upstream.Unavailable)
	<-u.Done()
	_, err = s.Get(ctx, "good")
	wantKind(t, err, upstream.Unavailable)
	poll(t, "the end of the good one to be seen, and it to be back", func() bool {
		m := s.Members()[0]
		if !m.Up && (m.Err == nil || len(m.Tools) != 2) {
			t.Fatalf("good, after its end: %+v", m)
		}
		return m.Up && s.Version() == before+2
	})
	if got, err := s.Call(ctx, "good", "raw", nil); err != nil || string(got) != rawResult {
		t.Errorf("after its return: got %s, %v", got, err)
	}
}

func TestSetClosesWhatIsStarting(t *testing.T) {
	s, err := upstream.OpenSet(t.Context(), []upstream.Config{fakeConfig(t, "mute")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(ctx, "fake")
	wantKind(t, err, upstream.Cancelled)
}

func TestSetNames(t *testing.T) {
	for _, c := range []struct {
		says string
		cfgs []upstream.Config
	}{
		{`upstreams[1]: Name is "A", which "a" has already`, []upstream.Config{named(fakeConfig(t, "plain"), "a"), named(fakeConfig(t, "plain"), "A")}},
		{`upstreams[1]: upstream: Name is "b/c"`, []upstream.Config{named(fakeConfig(t, "plain"), "a"), named(fakeConfig(t, "plain"), "b/c")}},
	} {
		if _, err := upstream.OpenSet(t.Context(), c.cfgs); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want %q", err, c.says)
		}
	}
	if s := openSet(t); len(s.Names()) != 0 || len(s.Members()) != 0 || s.Wait(t.Context()) != nil {
		t.Error("an empty set is not empty")
	}
}
