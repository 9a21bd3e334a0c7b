//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

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
		if testing.Short() && s.Name != "root" && s.Name != "user" {
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

// runHost runs a host in a setting and returns what its victims achieved.
func runHost(t *testing.T, s setting) []outcome {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := hostCommand(s)
	cmd.Stdin = bytes.NewReader(raw)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	run := cmd.Run
	if s.NoCaps {
		run = func() error { return withoutCapabilities(cmd.Run) }
	}
	if err := run(); err != nil {
		t.Fatalf("the host as %s: %v\n%s", s.Name, err, text.String())
	}
	var outcomes []outcome
	if err := json.Unmarshal(out.Bytes(), &outcomes); err != nil {
		t.Fatalf("decoding what the host says: %v\n%s\n%s", err, out.String(), text.String())
	}
	return outcomes
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

func hostMain() int {
	var s setting
	raw, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil && s.NoUserNS {
		return forbidUserNamespaces(s)
	}
	var outcomes []outcome
	if err == nil {
		outcomes, err = host(s)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(outcomes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		return 1
	}
	return 0
}

// forbidUserNamespaces runs the host once more, as a user who can make none.
func forbidUserNamespaces(s setting) int {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		fmt.Fprintln(os.Stderr, "host: forbidding user namespaces:", err)
		return 1
	}
	s.NoUserNS = false
	raw, err := json.Marshal(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		return 1
	}
	cmd := hostCommand(s)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		return 1
	}
	return 0
}

// host runs all variants in its own setting.
func host(s setting) ([]outcome, error) {
	if s.OwnNet {
		if err := loopbackUp(); err != nil {
			return nil, fmt.Errorf("bringing the loopback device up: %w", err)
		}
	}
	// No file mode is to be in the way of what landlock is to be.
	unix.Umask(0)
	tg, stop, err := makeTargets()
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := checkStrict(); err != nil {
		return nil, err
	}
	var (
		mu       sync.Mutex
		outcomes []outcome
		failed   error
		wg       sync.WaitGroup
		slots    = make(chan struct{}, runtime.NumCPU())
	)
	for name, set := range variants(s) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			o, err := runVariant(name, set, tg)
			mu.Lock()
			defer mu.Unlock()
			outcomes = append(outcomes, o...)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wg.Wait()
	return outcomes, failed
}

// checkStrict makes sure that a worker is strict wherever this host runs.
func checkStrict() error {
	s, err := newSpawner(spawnerOptions{confine: true})
	if err != nil {
		return err
	}
	defer s.close()
	v, err := s.start(job{Deed: "echo"})
	if err != nil {
		return err
	}
	r, err := lockdown.Verify(v.proc.Pid, v.report)
	_, _ = v.wait()
	if err == nil {
		err = lockdown.Require(r, lockdown.Strict, nil)
	}
	return err
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(ifr))); errno != 0 {
		return errno
	}
	return nil
}

// makeTargets makes what victims try things at. Files are made anew for each
// variant.
func makeTargets() (targets, func(), error) {
	tg := targets{Parent: os.Getpid(), Abstract: fmt.Sprintf("@lockdown-%d", os.Getpid())}
	dir, err := os.MkdirTemp("", "lockdown-")
	if err != nil {
		return tg, nil, err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return tg, nil, err
	}
	tg.Dir, tg.Unix = dir, filepath.Join(dir, "socket")
	var closers []io.Closer
	listen := func(network, addr string) (port int) {
		if err != nil {
			return 0
		}
		if network == "udp" {
			var c net.PacketConn
			if c, err = net.ListenPacket(network, addr); err == nil {
				closers = append(closers, c)
				port = c.LocalAddr().(*net.UDPAddr).Port
			}
			return port
		}
		var l net.Listener
		if l, err = net.Listen(network, addr); err != nil {
			return 0
		}
		closers = append(closers, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			port = a.Port
		}
		return port
	}
	tg.TCP = listen("tcp", "127.0.0.1:0")
	tg.UDP = listen("udp", "127.0.0.1:0")
	listen("unix", tg.Unix)
	listen("unix", tg.Abstract)
	// Whoever the victim is, these are open to it.
	err = errors.Join(err, os.Chmod(tg.Unix, 0o777))
	bystander := &exec.Cmd{Path: "/proc/self/exe", Args: []string{argBystander}, Env: []string{}}
	in, err2 := bystander.StdinPipe()
	if err = errors.Join(err, err2); err == nil {
		err = bystander.Start()
	}
	stop := func() {
		for _, c := range closers {
			c.Close()
		}
		if in != nil {
			in.Close()
		}
		_ = bystander.Wait()
		os.RemoveAll(dir)
	}
	if err != nil {
		stop()
		return tg, nil, err
	}
	tg.Bystander = bystander.Process.Pid
	return tg, stop, nil
}

func runVariant(name string, set []string, tg targets) ([]outcome, error) {
	has := func(n string) bool { return slices.Contains(set, n) }
	j := job{Deed: "probe", Targets: tg, Leak: true}
	tg.Dir = filepath.Join(tg.Dir, strings.ReplaceAll(name, " ", "_"))
	if err := os.Mkdir(tg.Dir, 0o777); err != nil {
		return nil, err
	}
	for _, f := range []string{"rename", "link", "unlink", "truncate", "write"} {
		if err := os.WriteFile(filepath.Join(tg.Dir, f), []byte("content"), 0o666); err != nil {
			return nil, err
		}
	}
	j.Targets.Dir = tg.Dir
	var host lockdown.HostOptions
	for _, l := range []string{lockdown.LayerUID, lockdown.LayerNamespaces} {
		if !has(l) {
			host.Skip = append(host.Skip, l)
		}
	}
	for _, l := range matrixLayers(setting{}) {
		switch l {
		case lockdown.LayerConfinedSpawn, lockdown.LayerUID, lockdown.LayerNamespaces:
		default:
			if !has(l) {
				j.Profile.Skip = append(j.Profile.Skip, l)
			}
		}
	}
	s, err := newSpawner(spawnerOptions{host: host, confine: has(lockdown.LayerConfinedSpawn)})
	if err != nil {
		return nil, err
	}
	defer s.close()

	var outcomes []outcome
	var todo []int
	for i := range probes {
		if p := probes[i]; p.slow && name != "all" && name != "none" && !strings.HasPrefix(name, "all but "+lockdown.LayerProcesses) {
			continue
		}
		todo = append(todo, i)
	}
	for len(todo) > 0 {
		// Together as far as one does not change the next one's process.
		n := 1
		for !probes[todo[0]].alone && n < len(todo) && !probes[todo[n]].alone {
			n++
		}
		got, err := tryProbes(s, j, todo[:n])
		if err != nil {
			return outcomes, err
		}
		for i := range got {
			got[i].Variant = name
		}
		outcomes = append(outcomes, got...)
		todo = todo[len(got):]
	}
	return outcomes, nil
}

// tryProbes runs a victim and returns as many outcomes as it lived for, that
// of which it died among them.
func tryProbes(s *spawner, j job, which []int) ([]outcome, error) {
	j.Probes = which
	v, err := s.start(j)
	if err != nil {
		return nil, err
	}
	var outcomes []outcome
	trying := -1
	for {
		line, err := v.stdout.ReadString('\n')
		if err != nil {
			break
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		num, reason, _ := strings.Cut(rest, " ")
		i, err := strconv.Atoi(num)
		if err != nil {
			return nil, fmt.Errorf("a victim says %q", line)
		}
		switch verb {
		case "try":
			trying = i
		case "yes", "no":
			outcomes = append(outcomes, outcome{Probe: i, Done: verb == "yes", Error: reason})
			trying = -1
		}
	}
	state, text := v.wait()
	if trying < 0 {
		if len(outcomes) == 0 {
			return nil, fmt.Errorf("a victim ended before it tried: %v %s", state, text)
		}
		return outcomes, nil
	}
	// It ended while it tried. That is what was to be shown, or what it tried
	// was to become another program.
	d := lockdown.Explain(state, []byte(text), "")
	o := outcome{Probe: trying, Death: string(d.Kind), Error: d.String()}
	if strings.HasPrefix(probes[trying].name, "execute") && d.Kind == lockdown.KindExit {
		o.Done, o.Death = true, ""
	}
	return append(outcomes, o), nil
}
