//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// A setting is where and as whom the host runs.
type setting struct {
	Name string
	// UID is the host's user; zero is root.
	UID uint32
	// NoCaps is root without any capability, as in a container that drops all.
	NoCaps bool
	// NoUserNS forbids user namespaces.
	NoUserNS bool
	// OwnNet runs the host in a network namespace with a loopback device only.
	OwnNet bool
}

var settings = []setting{
	{Name: "root"},
	{Name: "user", UID: 12345},
	{Name: "root without capabilities", NoCaps: true},
	{Name: "user without user namespaces", UID: 12345, NoUserNS: true},
	{Name: "root in a network of its own", OwnNet: true},
}

// An outcome is what came of one probe under one set of layers.
type outcome struct {
	Variant string // which layers
	Probe   int
	Done    bool   // the kernel did it
	Death   string // the kind, where the victim died of it
	Error   string
}

// matrixLayers are the layers that the matrix switches. The others show in
// other tests.
func matrixLayers(s setting) []string {
	l := []string{
		lockdown.LayerConfinedSpawn, lockdown.LayerDescriptors, lockdown.LayerNoNewPrivs, lockdown.LayerCapabilities,
		lockdown.LayerNotDumpable, lockdown.LayerLandlock, lockdown.LayerRlimits, lockdown.LayerMemory,
		lockdown.LayerExecMemory, lockdown.LayerSeccomp,
	}
	if s.UID == 0 && !s.NoCaps {
		l = append(l, lockdown.LayerUID, lockdown.LayerNamespaces, lockdown.LayerProcesses)
	}
	return l
}

// variants are the sets of layers: none, each alone, all but one, all.
func variants(s setting) map[string][]string {
	all := matrixLayers(s)
	v := map[string][]string{"none": {}, "all": all}
	for _, l := range all {
		v["only "+l] = []string{l}
		v["all but "+l] = slices.DeleteFunc(slices.Clone(all), func(o string) bool { return o == l })
	}
	return v
}

// effective is what a set of layers amounts to: some need another.
func effective(set []string) []string {
	has := func(n string) bool { return slices.Contains(set, n) }
	drop := func(n string) {
		set = slices.DeleteFunc(slices.Clone(set), func(o string) bool { return o == n })
	}
	if raceTest {
		drop(lockdown.LayerMemory)
	}
	// A process limit is for a user id of its own.
	if !has(lockdown.LayerUID) {
		drop(lockdown.LayerProcesses)
	}
	if isCgo() {
		// Landlock comes from the spawning thread, and so do capabilities.
		if has(lockdown.LayerConfinedSpawn) {
			drop(lockdown.LayerLandlock)
		} else {
			drop(lockdown.LayerLandlock)
		}
		if !has(lockdown.LayerUID) {
			drop(lockdown.LayerCapabilities)
		}
	}
	return set
}

// expect is what the table promises of a probe under a set of layers.
func (p probe) expect(s setting, set []string) (done bool) {
	set = effective(set)
	has := func(n string) bool { return slices.Contains(set, n) }
	if p.never || p.root && (s.UID != 0 || s.NoCaps) {
		return false
	}
	nonroot := s.UID != 0 || has(lockdown.LayerUID)
	nocap := nonroot || s.NoCaps || has(lockdown.LayerCapabilities)
	for _, name := range strings.Fields(p.stop) {
		name, cond, _ := strings.Cut(name, ":")
		applies := map[string]bool{
			"": true, "nonroot": nonroot, "nocap": nocap,
			"caps":       s.UID == 0 && !s.NoCaps,
			"noresource": nocap || !rootHas(unix.CAP_SYS_RESOURCE),
			"cgo":        isCgo(), "nocgo": !isCgo(),
		}
		if has(name) && applies[cond] {
			return false
		}
	}
	return true
}

// rootHas reports whether the test, which is root, has a capability.
func rootHas(c int) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&hdr, &data[0]) == nil && data[c/32].Effective&(1<<(c%32)) != 0
}

// killed reports whether the filter kills who tries it.
func (p probe) killed() bool {
	words := strings.Fields(p.stop)
	has := func(w string) bool { return slices.Contains(words, w) }
	if isCgo() && has("mild") {
		return false
	}
	return p.never || has(lockdown.LayerSeccomp) || has(lockdown.LayerSeccomp+":nocgo") && !isCgo()
}

func TestProbes(t *testing.T) {
	need(t, os.Geteuid() == 0, "the probes run as several users, which only root can start")
	if n := len(probes); n < 60 {
		t.Fatalf("the table has %d probes, it is to have 60 at least", n)
	}
	for _, s := range settings {
		// With the race detector a start takes ten times as long, and the
		// filter is the wider one that no worker of ours runs under.
		if (testing.Short() || raceTest) && s.Name != "root" && s.Name != "user" {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			outcomes := runHost(t, s)
			checkOutcomes(t, s, outcomes)
		})
	}
}

func checkOutcomes(t *testing.T, s setting, outcomes []outcome) {
	t.Helper()
	absent := map[int]bool{}
	died, tried := 0, 0
	for _, o := range outcomes {
		if o.Variant == "none" && !o.Done && probes[o.Probe].optional {
			absent[o.Probe] = true
		}
	}
	sets := variants(s)
	for _, o := range outcomes {
		p := probes[o.Probe]
		set := sets[o.Variant]
		want := p.expect(s, set)
		sigsys := slices.Contains(set, lockdown.LayerSeccomp) && p.killed()
		if o.Variant == "all" {
			tried++
			if o.Death == string(lockdown.KindSIGSYS) {
				died++
			}
		}
		switch {
		case sigsys && o.Death != string(lockdown.KindSIGSYS):
			t.Errorf("%s, %s: it must die of seccomp: done %v, death %q, error %q", o.Variant, p.name, o.Done, o.Death, o.Error)
		case sigsys || absent[o.Probe]:
		case o.Done != want:
			t.Errorf("%s, %s: done is %v, must be %v (death %q, error %q)", o.Variant, p.name, o.Done, want, o.Death, o.Error)
		}
	}
	for i := range probes {
		if absent[i] {
			t.Logf("not on this kernel or not for this user: %s", probes[i].name)
		}
	}
	t.Logf("%s build: %d outcomes; with all layers %d of %d probes died by SIGSYS", buildName(), len(outcomes), died, tried)
	if tried == 0 {
		t.Error("no probe was tried under all layers")
	}
}

// hostTime is how long a host of victims may take: it takes half a minute.
const hostTime = 4 * time.Minute

// runHost runs a host in a setting and returns what its victims achieved. A
// host was once seen to hang, idle, under the race detector, with no victim left:
// one that does says where, and is run again, once.
func runHost(t *testing.T, s setting) []outcome {
	t.Helper()
	outcomes, hung := tryHost(t, s)
	if hung != "" {
		t.Logf("the host as %s hung:\n%s", s.Name, hung)
		if outcomes, hung = tryHost(t, s); hung != "" {
			t.Fatalf("the host as %s hung again:\n%s", s.Name, hung)
		}
	}
	return outcomes
}

func tryHost(t *testing.T, s setting) (outcomes []outcome, hung string) {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := hostCommand(s)
	cmd.Stdin = bytes.NewReader(raw)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	cmd.WaitDelay = 10 * time.Second // a victim may have its end of a pipe
	var late atomic.Bool
	run := func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		defer time.AfterFunc(hostTime, func() {
			late.Store(true)
			_ = cmd.Process.Signal(unix.SIGQUIT)
		}).Stop()
		return cmd.Wait()
	}
	if s.NoCaps {
		all := run
		run = func() error { return withoutCapabilities(all) }
	}
	if err := run(); late.Load() {
		return nil, text.String()
	} else if err != nil {
		t.Fatalf("the host as %s: %v\n%s", s.Name, err, text.String())
	}
	if err := json.Unmarshal(out.Bytes(), &outcomes); err != nil {
		t.Fatalf("decoding what the host says: %v\n%s\n%s", err, out.String(), text.String())
	}
	return outcomes, ""
}

func hostCommand(s setting) *exec.Cmd {
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{argHost}, Dir: "/",
		Env: []string{"TMPDIR=" + os.TempDir(), "GOCOVERDIR="}, SysProcAttr: &syscall.SysProcAttr{},
	}
	switch {
	case s.NoUserNS:
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
		cmd.SysProcAttr.GidMappingsEnableSetgroups = true
	case s.UID != 0:
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.UID, Gid: s.UID}
	case s.OwnNet:
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNET
	}
	return cmd
}

// withoutCapabilities runs f on a thread that has none and can get none.
func withoutCapabilities(f func() error) error {
	result := make(chan error)
	lockdown.StartThread(func() {
		for c := uintptr(0); c <= 63; c++ {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				break // above the last that the kernel knows
			}
		}
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			result <- err
			return
		}
		result <- f()
	})
	return <-result
}
