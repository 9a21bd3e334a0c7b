//go:build unix

package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
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
	if before != 3 {
		t.Errorf("version %d after the beginning and two outcomes", before)
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
	wantKind(t, err, upstream.Closed)
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

// TestApply changes a set of processes while they are called: who is gone is
// gone as a process too, and not before the last call has ended.
func TestApply(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at /proc")
	}
	stays, changes, goes := named(fakeConfig(t, "plain"), "stays"), named(fakeConfig(t, "plain"), "changes"), named(fakeConfig(t, "leaves a child"), "goes")
	s := openSet(t, stays, changes, goes)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	type caller interface {
		Call(ctx context.Context, name, tool string, args json.RawMessage) (json.RawMessage, error)
	}
	pids := func(c caller, name string) []int {
		t.Helper()
		raw, err := c.Call(ctx, name, "pids", nil)
		if err != nil {
			t.Fatal(err)
		}
		var r struct{ StructuredContent struct{ PIDs []int } }
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		return r.StructuredContent.PIDs
	}
	before := map[string][]int{}
	for _, name := range s.Names() {
		before[name] = pids(s, name)
	}
	v := s.View()
	hung := make(chan error, 1)
	hangs, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, err := s.Call(hangs, "goes", "hang", nil)
		hung <- err
	}()
	up, err := v.Get(ctx, "goes")
	if err != nil {
		t.Fatal(err)
	}
	callID(t, up) // a call is answered after those before it were read

	changes.Env = append(changes.Env, "MORE=1")
	added := named(fakeConfig(t, "plain"), "new")
	got, err := s.Apply([]upstream.Config{added, changes, stays}, 0)
	if err != nil || fmt.Sprint(got) != "{[new] [goes] [changes] [stays]}" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := s.Call(ctx, "goes", "pids", nil); !errors.Is(err, upstream.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if got := pids(s, "stays"); got[0] != before["stays"][0] {
		t.Error("one that did not change has another process")
	}
	after := pids(s, "changes")
	if after[0] == before["changes"][0] {
		t.Error("one that changed has the old process")
	}
	if pids(s, "new")[0] == 0 {
		t.Error("the new one is not there")
	}
	for name, pid := range before {
		if got := pids(v, name); got[0] != pid[0] {
			t.Errorf("the view has another process of %s", name)
		}
	}
	v.Release()
	v.Release()
	poll(t, "the end of the old process of the one that changed", func() bool { return !alive(before["changes"][0]) })
	for _, pid := range before["goes"] {
		if !alive(pid) {
			t.Errorf("process %d ended under a call", pid)
		}
	}
	stop()
	wantKind(t, <-hung, upstream.Cancelled)
	for _, pid := range before["goes"] {
		poll(t, "the end of the one that was removed, and of its child", func() bool { return !alive(pid) })
	}
	if !alive(before["stays"][0]) || !alive(after[0]) {
		t.Error("one that is in the set has ended")
	}
}

// TestApplyKeepsAll is a configuration of which one part is wrong.
func TestApplyKeepsAll(t *testing.T) {
	good := named(fakeConfig(t, "plain"), "good")
	s := openSet(t, good)
	version := s.Version()
	for says, cfgs := range map[string][]upstream.Config{
		`upstreams[1]: upstream: Name is "b/c"`:                     {named(good, "new"), named(good, "b/c")},
		`upstreams[1]: Name is "Good", which "good" has already`:    {good, named(good, "Good")},
		`upstreams[0]: upstream good: Command is empty`:             {{Name: "good"}},
		`upstreams[0]: upstream good: Env has an entry of 5 bytes `: {{Name: "good", Command: []string{"x"}, Env: []string{"token"}}},
	} {
		got, err := s.Apply(cfgs, 0)
		if err == nil || !strings.Contains(err.Error(), says) || got.Any() || len(got.Unchanged) > 0 {
			t.Errorf("got %+v, %v, want %q", got, err, says)
		}
		if err := upstream.Check(cfgs); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Check: got %v, want %q", err, says)
		}
	}
	if names := s.Names(); len(names) != 1 || names[0] != "good" {
		t.Errorf("the set has %q", names)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil || s.Version() != version+1 && s.Version() != version {
		t.Errorf("version %d after %d, %v", s.Version(), version, err)
	}
	if raw, err := s.Call(ctx, "good", "raw", nil); err != nil || string(raw) != rawResult {
		t.Errorf("got %s, %v", raw, err)
	}
	if got, err := s.Apply([]upstream.Config{good}, 0); err != nil || got.Any() || len(got.Unchanged) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestCloseWithViews ends what only a view has.
func TestCloseWithViews(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at /proc")
	}
	stubborn := named(fakeConfig(t, "stubborn"), "stubborn")
	stubborn.Grace = time.Hour
	s := openSet(t, stubborn)
	v := s.View() // never released
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	up, err := v.Get(ctx, "stubborn")
	if err != nil {
		t.Fatal(err)
	}
	pids := structured[struct{ PIDs []int }](t, up, "pids").PIDs
	if _, err := s.Apply(nil, 0); err != nil {
		t.Fatal(err)
	}
	now, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Close(now); err != nil {
		t.Fatal(err)
	}
	if alive(pids[0]) {
		t.Error("its process is still there")
	}
	poll(t, "the end of its child", func() bool { return !alive(pids[1]) })
	_, err = v.Call(ctx, "stubborn", "raw", nil)
	wantKind(t, err, upstream.Closed)
}

// BenchmarkView is what an execution pays to end with what it began with.
func BenchmarkView(b *testing.B) {
	s, err := upstream.OpenSet(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		s.View().Release()
	}
}
