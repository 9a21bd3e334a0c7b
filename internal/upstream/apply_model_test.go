package upstream

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// server is one connection as the model knows it.
type server struct {
	me    string
	until time.Time // when it ends at the latest; zero: as long as it is in the set
}

type modelView struct {
	v       *View
	has     map[string]*server
	order   []string
	release bool
}

type modelCall struct {
	to    *server
	where *modelView // nil: the set
	got   chan string
}

// TestApplyModel holds a set to a model, after random steps.
func TestApplyModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { applyModel(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func applyModel(t *testing.T, r *rand.Rand) {
	f := newFleet()
	s, err := openSet(t.Context(), nil, f.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	var (
		now   = &modelView{has: map[string]*server{}}
		views []*modelView
		calls []*modelCall
		all   []*server
		next  int
		gen   uint64
		trail []string
	)
	versionOf := func(x *server) (v int) {
		_, _ = fmt.Sscanf(x.me[strings.IndexByte(x.me, '/')+1:], "%d", &v)
		return v
	}
	alive := func(x *server) bool {
		if x.until.IsZero() {
			return true
		}
		if !time.Now().Before(x.until) {
			return false
		}
		has := func(v *modelView) bool { return !v.release && v.has[x.me[:strings.IndexByte(x.me, '/')]] == x }
		return slices.ContainsFunc(views, has) || slices.ContainsFunc(calls, func(c *modelCall) bool { return c.to == x })
	}
	// pick is a view or the set.
	pick := func() *modelView {
		if len(views) > 0 && r.IntN(3) > 0 {
			return views[r.IntN(len(views))]
		}
		return now
	}
	through := func(v *modelView, name, tool string) (json.RawMessage, error) {
		if v.v == nil {
			return s.Call(t.Context(), name, tool, nil)
		}
		return v.v.Call(t.Context(), name, tool, nil)
	}
	expect := func(v *modelView, name string) string {
		x := v.has[name]
		switch {
		case v.v != nil && v.release:
			return string(Closed)
		case x == nil:
			return "unknown"
		case !alive(x):
			return string(Closed)
		}
		return x.me
	}
	for range 120 {
		switch name := string("abcd"[r.IntN(4)]); r.IntN(9) {
		case 0, 1: // another configuration
			grace := []time.Duration{-1, 10 * time.Second, 0}[r.IntN(3)]
			limit := map[time.Duration]time.Duration{-1: 0, 0: defaultGrace, 10 * time.Second: 10 * time.Second}[grace]
			after := &modelView{has: map[string]*server{}}
			var cfgs []Config
			var want Changes
			for _, n := range r.Perm(4) {
				name := string("abcd"[n])
				was := now.has[name]
				what := r.IntN(5)
				if what == 0 {
					continue // it is not there, or goes
				}
				if was != nil && what < 4 {
					after.has[name] = was
					want.Unchanged = append(want.Unchanged, name)
				} else {
					next++
					after.has[name] = &server{me: identity(name, next)}
					all = append(all, after.has[name])
					if was != nil {
						want.Changed = append(want.Changed, name)
					} else {
						want.Added = append(want.Added, name)
					}
				}
				after.order = append(after.order, name)
				cfgs = append(cfgs, fleetConfig(name, versionOf(after.has[name])))
			}
			for _, name := range now.order {
				if after.has[name] == nil {
					want.Removed = append(want.Removed, name)
				}
			}
			if r.IntN(4) == 0 && len(cfgs) > 0 { // one is wrong: nothing happens
				trail = append(trail, "apply a wrong one")
				all = all[:len(all)-len(want.Added)-len(want.Changed)]
				cfgs[len(cfgs)-1].MaxFrame = -1
				if got, err := s.Apply(cfgs, grace); err == nil || got.Any() {
					t.Fatalf("a wrong configuration: %+v, %v", got, err)
				}
				break
			}
			trail = append(trail, fmt.Sprintf("apply %v, grace %v", after.order, grace))
			got, err := s.Apply(cfgs, grace)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got %+v, %v, want %+v", got, err, want)
			}
			for name, x := range now.has {
				if after.has[name] != x {
					x.until = time.Now().Add(limit)
				}
			}
			if want.Any() || !slices.Equal(now.order, after.order) {
				gen++
			}
			now = after
		case 2:
			trail = append(trail, "view")
			v := &modelView{v: s.View(), has: now.has, order: now.order}
			if v.v.Generation() != gen {
				t.Fatalf("generation %d, want %d", v.v.Generation(), gen)
			}
			views = append(views, v)
		case 3: // twice, at times
			if v := pick(); v.v != nil {
				trail = append(trail, "release")
				v.v.Release()
				v.release = true
			}
		case 4, 5:
			v := pick()
			want := expect(v, name)
			trail = append(trail, "call "+name+" of "+want)
			if got := who(through(v, name, "t")); got != want {
				t.Fatalf("%s: got %s, want %s", strings.Join(trail, "\n"), got, want)
			}
		case 6: // a call that stays
			v := pick()
			if want := expect(v, name); want != string(Closed) && want != "unknown" {
				trail = append(trail, "wait for "+want)
				c := &modelCall{to: v.has[name], where: v, got: make(chan string, 1)}
				calls = append(calls, c)
				go func() { c.got <- who(through(v, name, "wait")) }()
			}
		case 7:
			if len(calls) > 0 {
				me := calls[r.IntN(len(calls))].to.me
				trail = append(trail, "let go "+me)
				f.letGo(me)
				synctest.Wait()
				calls = slices.DeleteFunc(calls, func(c *modelCall) bool {
					if c.to.me != me {
						return false
					}
					if got := <-c.got; got != me {
						t.Fatalf("%s: a call of %s got %s", strings.Join(trail, "\n"), me, got)
					}
					return true
				})
			}
		case 8:
			d := time.Duration(r.IntN(20)+1) * time.Second
			trail = append(trail, "sleep "+d.String())
			time.Sleep(d)
		}
		synctest.Wait()

		// A call under way ends with its server, and no sooner.
		calls = slices.DeleteFunc(calls, func(c *modelCall) bool {
			dead := !alive(c.to)
			select {
			case got := <-c.got:
				if !dead || got != string(Closed) {
					t.Fatalf("%s: a call of %s, dead %t, got %s", strings.Join(trail, "\n"), c.to.me, dead, got)
				}
			default:
				if dead {
					t.Fatalf("%s: a call of %s, which is gone, has not ended", strings.Join(trail, "\n"), c.to.me)
				}
			}
			return dead
		})
		want := map[string]int{}
		for _, x := range all {
			if alive(x) {
				want[x.me]++
			} else {
				x.until = time.Unix(1, 0) // it does not come back
			}
		}
		if got := f.connections(); !maps.Equal(got, want) {
			t.Fatalf("%s: connections %v, want %v", strings.Join(trail, "\n"), got, want)
		}
		for _, v := range append(views, now) {
			members := s.Members
			if v.v != nil {
				members = v.v.Members
			}
			var names []string
			for _, m := range members() {
				names = append(names, m.Name)
				if x := v.has[m.Name]; m.Up != alive(x) || m.Pending || (m.Err == nil) != m.Up || len(m.Tools) != 1 {
					t.Fatalf("%s: %s is %+v", strings.Join(trail, "\n"), x.me, m)
				}
			}
			if !slices.Equal(names, v.order) {
				t.Fatalf("members %q, want %q", names, v.order)
			}
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	synctest.Wait()
	if left := f.connections(); len(left) > 0 {
		t.Errorf("left after Close: %v", left)
	}
	for _, c := range calls {
		if got := <-c.got; got != string(Closed) {
			t.Errorf("a call of %s at Close got %s", c.to.me, got)
		}
	}
	if _, err := s.Apply(nil, 0); err == nil {
		t.Error("a closed set was changed")
	}
}
