//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// echo sends the victim a line and waits for it.
func (v *running) echo(line string) error {
	if _, err := io.WriteString(v.stdin, line+"\n"); err != nil {
		return err
	}
	got, err := v.stdout.ReadString('\n')
	if err != nil {
		return err
	}
	if got != line+"\n" {
		return fmt.Errorf("the victim echoes %q for %q", got, line)
	}
	return nil
}

// mustEnd waits for a victim that is to end by itself with status 0.
func mustEnd(t testing.TB, v *running) {
	t.Helper()
	state, text := v.wait()
	if d := lockdown.Explain(state, []byte(text), ""); d.Kind != lockdown.KindExit || d.ExitCode != 0 {
		t.Fatalf("%v; it wrote %q", d, text)
	}
}

func TestApplyIsStrict(t *testing.T) {
	s := strictSpawner(t)
	v := startVictim(t, s, job{Deed: "echo", Leak: true})
	if err := v.echo("hello"); err != nil {
		t.Fatal(err)
	}
	r, err := lockdown.Verify(v.proc.Pid, v.report)
	if err != nil {
		t.Fatal(err)
	}
	mustEnd(t, v)
	need(t, lockdown.Best() == lockdown.Strict, "this kernel cannot give a strict lockdown")
	if r.Level != lockdown.Strict {
		t.Errorf("the level is %s: %s", r.Level, inactiveLayers(r))
	}
	for _, name := range lockdown.Layers() {
		l := r.Layer(name)
		optional := []string{lockdown.LayerCgroup, lockdown.LayerCPU, lockdown.LayerExecMemory}
		if os.Geteuid() != 0 {
			optional = append(optional, lockdown.LayerUID, lockdown.LayerNamespaces, lockdown.LayerProcesses)
		}
		if raceTest {
			optional = append(optional, lockdown.LayerMemory)
		}
		if !l.Active && !slices.Contains(optional, name) {
			t.Errorf("%s is not active: %s", name, l.Reason)
		}
		if !l.Active && l.Reason == "" {
			t.Errorf("%s is not active and does not say why", name)
		}
	}
	if l := r.Layer(lockdown.LayerSeccomp); raceTest != strings.Contains(l.Reason, "race") {
		t.Errorf("race detector %v, and the seccomp layer says %q", raceTest, l.Reason)
	}
	if l := r.Layer(lockdown.LayerSeccomp); isCgo() && l.Reason == "" {
		t.Error("a cgo build does not report its wider profile")
	}
}

func TestApplyOff(t *testing.T) {
	s, err := newSpawner(spawnerOptions{host: lockdown.HostOptions{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	v := startVictim(t, s, job{Deed: "echo", Profile: lockdown.Profile{Off: true}})
	r, err := lockdown.Verify(v.proc.Pid, v.report)
	if err != nil {
		t.Fatal(err)
	}
	if r.Level != lockdown.None {
		t.Errorf("the level is %s", r.Level)
	}
	for _, l := range r.Layers {
		if l.Active || !strings.Contains(l.Reason, "switched off") {
			t.Errorf("%+v", l)
		}
	}
	mustEnd(t, v)
}

// A worker that claims more than it has is found out.
func TestVerifyDoesNotBelieve(t *testing.T) {
	s, err := newSpawner(spawnerOptions{host: lockdown.HostOptions{Skip: []string{lockdown.LayerUID}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, tt := range []struct {
		layer string
		able  bool // whether a worker here can lack it
	}{
		{lockdown.LayerSeccomp, true},
		{lockdown.LayerRlimits, true},
		{lockdown.LayerMemory, !raceTest},
		{lockdown.LayerCapabilities, os.Geteuid() == 0},
	} {
		t.Run(tt.layer, func(t *testing.T) {
			if !tt.able {
				t.Skip("a worker cannot lack it here")
			}
			v := startVictim(t, s, job{Deed: "echo", Profile: lockdown.Profile{Skip: []string{tt.layer}}})
			lie := v.report.With(lockdown.Layer{Name: tt.layer, Active: true})
			r, err := lockdown.Verify(v.proc.Pid, lie)
			if err != nil {
				t.Fatal(err)
			}
			if l := r.Layer(tt.layer); l.Active || !strings.Contains(l.Reason, "from outside") {
				t.Errorf("%+v", l)
			}
			if r.Level == lockdown.Strict {
				t.Error("the level is strict still")
			}
			mustEnd(t, v)
		})
	}
}

func TestVerifyDeadWorker(t *testing.T) {
	s := strictSpawner(t)
	v := startVictim(t, s, job{Deed: "echo"})
	mustEnd(t, v)
	if r, err := lockdown.Verify(v.proc.Pid, v.report); err == nil {
		t.Errorf("a dead worker verifies as %s", r.Level)
	}
}

// The runtime must not ask for what the filter forbids once the worker has
// been idle for seconds: it looks for processors once a second.
func TestIdleWorkerLives(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds")
	}
	v := startVictim(t, strictSpawner(t), job{Deed: "echo"})
	ended := make(chan error, 1)
	go func() {
		var info unix.Siginfo
		ended <- unix.Waitid(unix.P_PID, v.proc.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
	}()
	select {
	case <-ended:
		state, text := v.wait()
		t.Fatal(lockdown.Explain(state, []byte(text), ""), text)
	case <-time.After(4 * time.Second):
	}
	if err := v.echo("still here"); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, v)
}

// A stopped and continued worker goes on: the kernel restarts its calls by
// one that the filter has to allow.
func TestStopAndContinue(t *testing.T) {
	v := startVictim(t, strictSpawner(t), job{Deed: "echo"})
	for i := range 5 {
		if err := v.proc.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the victim has stopped", func() bool {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.proc.Pid))
			return err == nil && strings.Contains(string(raw), ") T ")
		})
		if err := v.proc.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := v.echo(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	mustEnd(t, v)
}

// TestStarts starts workers, one after the other, and lets each answer. By
// default it is short; LOCKDOWN_STARTS=2000 is the long form.
func TestStarts(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 50
	}
	if s := os.Getenv("LOCKDOWN_STARTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("LOCKDOWN_STARTS is %q: it is a number of starts", s)
		}
	}
	s := strictSpawner(t)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for i := range next {
				if err := startOnce(s); err != nil {
					t.Errorf("start %d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	t.Logf("%d starts, %s build", n, buildName())
}

func startOnce(s *spawner) error {
	v, err := s.start(job{Deed: "echo"})
	if err != nil {
		return err
	}
	err = v.echo("hello")
	state, text := v.wait()
	if d := lockdown.Explain(state, []byte(text), ""); d.Kind != lockdown.KindExit || d.ExitCode != 0 {
		return errors.Join(err, fmt.Errorf("%v; it wrote %q", d, text))
	}
	return err
}

// TestBusy keeps the runtime of locked down workers busy with all that it may
// want from the kernel. By default it is short; LOCKDOWN_BUSY=10m is the long
// form.
func TestBusy(t *testing.T) {
	if raceTest {
		t.Skip("the detector slows it to nothing: run it in a build without")
	}
	d := 4 * time.Second
	if testing.Short() {
		d = time.Second
	}
	if s := os.Getenv("LOCKDOWN_BUSY"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			t.Fatalf("LOCKDOWN_BUSY: %v", err)
		}
	}
	s := strictSpawner(t)
	var wg sync.WaitGroup
	for i := range 2 {
		v := startVictim(t, s, job{Deed: "busy", Args: []string{fmt.Sprint(d.Seconds())}, Profile: lockdown.Profile{Procs: 2 + 2*i}})
		if l := v.report.Layer(lockdown.LayerSeccomp); !l.Active {
			t.Fatal("seccomp:", l.Reason)
		}
		v.deadline.Reset(d + victimDeadline)
		wg.Go(func() {
			line, err := v.stdout.ReadString('\n')
			state, text := v.wait()
			death := lockdown.Explain(state, []byte(text), "")
			death.Syscall = lockdown.ForbiddenCall(v.proc.Pid)
			if err != nil || death.Kind != lockdown.KindExit || death.ExitCode != 0 {
				t.Errorf("a busy worker: %v (%v); it wrote %q", death, err, text)
				return
			}
			t.Logf("%s build, %v: %s", buildName(), d, strings.TrimSpace(line))
		})
	}
	wg.Wait()
}

// The parent-death signal follows the thread that spawned.
func TestWorkersDieWithTheSpawner(t *testing.T) {
	s, err := newSpawner(spawnerOptions{confine: true})
	if err != nil {
		t.Fatal(err)
	}
	v := startVictim(t, s, job{Deed: "wait"})
	s.close()
	// It would wait for ever: its input is open.
	_, _ = io.Copy(io.Discard, v.stdout)
	state, text := v.wait()
	d := lockdown.Explain(state, []byte(text), "")
	if d.Kind != lockdown.KindKilled || d.Signal != "SIGKILL" {
		t.Errorf("%v", d)
	}
}

// Confining the spawning thread must not reach the rest of the host.
func TestConfineThreadIsOneThreads(t *testing.T) {
	s := strictSpawner(t)
	l := s.layers[0]
	need(t, l.Active, "this kernel has no landlock: "+l.Reason)
	var inside error
	done := make(chan struct{})
	s.requests <- func() {
		defer close(done)
		_, inside = os.Open("/")
	}
	<-done
	if !errors.Is(inside, unix.EACCES) {
		t.Errorf("on the confined thread opening the root directory ends with %v", inside)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			f, err := os.Open("/")
			if err != nil {
				t.Error("a thread of the host is confined:", err)
				return
			}
			f.Close()
		})
	}
	wg.Wait()
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("no_new_privs is %d on the test's thread (%v)", n, err)
	}
}

func TestProbeLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	r := lockdown.Probe()
	t.Logf("%s: %s", r.Level, inactiveLayers(r))
	goleak.VerifyNone(t, ignore)
	for range 50 {
		f, err := os.Open("/")
		if err != nil {
			t.Fatal("the probe has confined a thread that lives:", err)
		}
		f.Close()
	}
	need(t, r.Level == lockdown.Strict, "this kernel cannot give a strict lockdown: "+inactiveLayers(r))
	if got := lockdown.Best(); got != r.Level {
		t.Errorf("Best is %s, Probe says %s", got, r.Level)
	}
}

// Each worker of a root host is a user of its own.
func TestOwnUserID(t *testing.T) {
	need(t, os.Geteuid() == 0, "only root can give a worker another user id")
	s := strictSpawner(t)
	seen := map[uint32]bool{}
	for range 100 {
		a := s.spawn.Attr()
		if a.Credential == nil || a.Credential.Uid < 0x70000000 || a.Credential.Uid != a.Credential.Gid || seen[a.Credential.Uid] {
			t.Fatalf("%+v", a.Credential)
		}
		seen[a.Credential.Uid] = true
	}
	fixed, _, err := lockdown.HostAttr(lockdown.HostOptions{UID: 4711})
	if err != nil {
		t.Fatal(err)
	}
	if c := fixed.Credential; c == nil || c.Uid != 4711 || c.Gid != 4711 {
		t.Errorf("%+v", c)
	}
}

// Not even root can make anything in the directory that workers start in.
func TestEmptyDir(t *testing.T) {
	f, err := lockdown.EmptyDir()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Openat(int(f.Fd()), "x", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	if err != unix.ENOENT {
		t.Errorf("creating a file in it ends with %v", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&0o777 != 0o555 {
		t.Errorf("its mode is %#o (%v)", st.Mode, err)
	}
}
