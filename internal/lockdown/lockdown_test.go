package lockdown_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// report has all layers active but those named.
func report(missing ...string) lockdown.Report {
	var layers []lockdown.Layer
	for _, n := range lockdown.Layers() {
		l := lockdown.Layer{Name: n, Active: !slices.Contains(missing, n)}
		if !l.Active {
			l.Reason = "because of " + n
		}
		layers = append(layers, l)
	}
	return lockdown.Report{}.With(layers...)
}

func TestLevels(t *testing.T) {
	all := lockdown.Layers()
	for _, tt := range []struct {
		name    string
		missing []string
		want    lockdown.Level
	}{
		{"all", nil, lockdown.Strict},
		{"what only root has", []string{lockdown.LayerNamespaces, lockdown.LayerUID, lockdown.LayerCgroup, lockdown.LayerProcesses, lockdown.LayerExecMemory}, lockdown.Strict},
		{"no seccomp", []string{lockdown.LayerSeccomp}, lockdown.Partial},
		{"no landlock", []string{lockdown.LayerLandlock}, lockdown.Partial},
		{"capabilities", []string{lockdown.LayerCapabilities}, lockdown.Partial},
		{"an environment", []string{lockdown.LayerEnvironment}, lockdown.Partial},
		{"limits alone", slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == lockdown.LayerRlimits }), lockdown.Partial},
		{"an empty environment alone", slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == lockdown.LayerEnvironment }), lockdown.None},
		{"nothing", all, lockdown.None},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := report(tt.missing...); r.Level != tt.want {
				t.Errorf("got %s, want %s", r.Level, tt.want)
			}
		})
	}
}

func TestReport(t *testing.T) {
	r := report(lockdown.LayerSeccomp)
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back lockdown.Report
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, back) {
		t.Errorf("%+v came back as %+v", r, back)
	}
	fixed := r.With(lockdown.Layer{Name: lockdown.LayerSeccomp, Active: true})
	if fixed.Level != lockdown.Strict || len(fixed.Layers) != len(r.Layers) {
		t.Errorf("%+v", fixed)
	}
	if r.Level != lockdown.Partial || r.Layer(lockdown.LayerSeccomp).Active {
		t.Error("With changed what it was called on")
	}
	if l := r.Layer("no such layer"); l.Active || l.Reason == "" {
		t.Errorf("%+v", l)
	}
}

func TestRequire(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report lockdown.Report
		floor  lockdown.Level
		layers []string
		want   []string // in the error; nil: none
	}{
		{"strict is strict", report(), lockdown.Strict, nil, nil},
		{"no floor", report(lockdown.Layers()...), "", nil, nil},
		{"partial will do", report(lockdown.LayerLandlock), lockdown.Partial, nil, nil},
		{"partial will not do", report(lockdown.LayerLandlock), lockdown.Strict, nil,
			[]string{"is partial", "floor is strict", "landlock (because of landlock)", "needs Linux 5.13"}},
		{"a layer that is there", report(lockdown.LayerCgroup), lockdown.Strict, []string{lockdown.LayerNamespaces}, nil},
		{"a layer that is not", report(lockdown.LayerNamespaces), lockdown.Strict, []string{lockdown.LayerNamespaces},
			[]string{"is strict", "namespaces (because of namespaces)", "CAP_SYS_ADMIN"}},
		{"an unknown floor", report(), "tight", nil, []string{`"tight"`, "strict, partial or none"}},
		{"an unknown layer", report(), "", []string{"moat"}, []string{`"moat"`, "seccomp"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := lockdown.Require(tt.report, tt.floor, tt.layers)
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("got %v", err)
			}
			for _, s := range tt.want {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
	var floor *lockdown.FloorError
	err := lockdown.Require(report(lockdown.LayerSeccomp, lockdown.LayerLandlock), lockdown.Strict, []string{lockdown.LayerSeccomp})
	if !errors.As(err, &floor) || len(floor.Missing) != 2 {
		t.Errorf("%v", err)
	}
}

func TestRemedies(t *testing.T) {
	own := []string{lockdown.LayerSession, lockdown.LayerParentDeath, lockdown.LayerDescriptors, lockdown.LayerNotDumpable}
	for _, n := range lockdown.Layers() {
		if lockdown.Remedy(n) == "" && !slices.Contains(own, n) {
			t.Errorf("nothing says what would bring %s", n)
		}
	}
}

func TestBadInput(t *testing.T) {
	for _, tt := range []struct {
		profile lockdown.Profile
		want    string
	}{
		{lockdown.Profile{Skip: []string{"moat"}}, `Profile.Skip names "moat"`},
		{lockdown.Profile{HeapLimit: -1}, "Profile.HeapLimit is -1"},
		{lockdown.Profile{HeapLimit: 1 << 50}, "Profile.HeapLimit"},
		{lockdown.Profile{Procs: -1}, "Profile.Procs is -1"},
		{lockdown.Profile{MaxProcesses: -1}, "Profile.MaxProcesses is -1"},
		{lockdown.Profile{CPU: -1}, "Profile.CPU is -1ns"},
	} {
		if _, err := lockdown.Apply(tt.profile); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.profile, err)
		}
	}
	if _, err := lockdown.NewSpawn(lockdown.HostOptions{Skip: []string{"seccomp"}}); err == nil || !strings.Contains(err.Error(), "HostOptions.Skip") {
		t.Errorf("a worker's layer in HostOptions.Skip: %v", err)
	}
}

func TestKinds(t *testing.T) {
	seen := map[lockdown.Kind]bool{}
	for _, k := range lockdown.Kinds() {
		if seen[k] || strings.HasSuffix(k.Error(), ": ") {
			t.Errorf("%q", k)
		}
		seen[k] = true
	}
	d := lockdown.Explain(nil, nil, "")
	if d.Kind != lockdown.KindUnknown || !errors.Is(d, lockdown.KindUnknown) || errors.Is(d, lockdown.KindExit) {
		t.Errorf("%v", d)
	}
}

func TestSpawnHasNoEnvironment(t *testing.T) {
	s, err := lockdown.NewSpawn(lockdown.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if e := s.Environment(); e == nil || len(e) != 0 {
		t.Errorf("%#v", e)
	}
	for _, l := range s.Layers() {
		if !l.Active && l.Reason == "" {
			t.Errorf("%s is not active and does not say why", l.Name)
		}
	}
}
