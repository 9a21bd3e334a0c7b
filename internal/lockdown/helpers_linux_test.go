//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func allThreadsGetpid() (uintptr, uintptr, syscall.Errno) {
	return syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0)
}

// spawner starts victims from one thread, as a host does.
type spawner struct {
	spawn    *lockdown.Spawn
	layers   []lockdown.Layer
	dir      *os.File
	requests chan func()
	done     chan struct{}
}

type spawnerOptions struct {
	host    lockdown.HostOptions
	confine bool
}

func newSpawner(o spawnerOptions) (*spawner, error) {
	s := &spawner{requests: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	lockdown.StartThread(func() { s.thread(o, ready) })
	return s, <-ready
}

func (s *spawner) thread(o spawnerOptions, ready chan<- error) {
	defer close(s.done)
	var err error
	if s.dir, err = lockdown.EmptyDir(); err != nil {
		ready <- err
		return
	}
	defer s.dir.Close()
	if o.confine {
		if s.layers, err = lockdown.ConfineThread(); err != nil {
			ready <- err
			return
		}
	}
	if s.spawn, err = lockdown.NewSpawn(o.host); err != nil {
		ready <- err
		return
	}
	s.layers = append(s.layers, s.spawn.Layers()...)
	close(ready)
	for f := range s.requests {
		f()
	}
}

// close ends the thread, and with it by their parent-death signal the victims
// that are left.
func (s *spawner) close() {
	close(s.requests)
	<-s.done
}

// running is a victim.
type running struct {
	proc   *os.Process
	stdin  *os.File
	stdout *bufio.Reader
	out    *os.File
	report lockdown.Report

	mu     sync.Mutex
	stderr []byte
	read   chan struct{} // stderr is at its end

	deadline *time.Timer
}

const victimDeadline = 20 * time.Second

const maxStderr = 64 << 10

// start starts a victim and reads its report.
func (s *spawner) start(j job) (*running, error) {
	v, err := s.launch(j)
	if err != nil {
		return nil, err
	}
	line, err := v.stdout.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &v.report)
	}
	if err != nil {
		state, text := v.wait()
		return nil, fmt.Errorf("a victim's report: %w; it died: %v; it wrote %q", err, lockdown.Explain(state, []byte(text), ""), text)
	}
	v.report = v.report.With(s.layers...)
	return v, nil
}

func (s *spawner) launch(j job) (*running, error) {
	j.Profile = s.spawn.Profile(j.Profile)
	raw, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	pipe := func() (r, w *os.File) {
		if err != nil {
			return nil, nil
		}
		r, w, err = os.Pipe()
		return r, w
	}
	inR, inW := pipe()
	outR, outW := pipe()
	errR, errW := pipe()
	bootR, bootW := pipe()
	if err != nil {
		return nil, err
	}
	files = []*os.File{inR, outW, errW, bootR, bootW}
	if _, err := bootW.Write(raw); err != nil {
		return nil, err
	}
	v := &running{stdin: inW, stdout: bufio.NewReader(outR), out: outR, read: make(chan struct{})}
	// No victim takes this long: it hangs, and its test says where.
	v.deadline = time.AfterFunc(victimDeadline, v.kill)
	started := make(chan struct{})
	s.requests <- func() {
		defer close(started)
		v.proc, err = os.StartProcess("/proc/self/exe", []string{argVictim}, &os.ProcAttr{
			Dir: fmt.Sprintf("/proc/self/fd/%d", s.dir.Fd()), Env: s.spawn.Environment(),
			Files: []*os.File{inR, outW, errW, bootR}, Sys: s.spawn.Attr(),
		})
	}
	<-started
	if err != nil {
		files = append(files, inW, outR, errR)
		return nil, fmt.Errorf("starting a victim: %w", err)
	}
	go func() {
		defer close(v.read)
		defer errR.Close()
		b := make([]byte, 4096)
		for {
			n, err := errR.Read(b)
			v.mu.Lock()
			v.stderr = append(v.stderr, b[:min(n, maxStderr-len(v.stderr))]...)
			v.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return v, nil
}

// wait closes the victim's pipes and waits for its end.
func (v *running) wait() (*os.ProcessState, string) {
	v.stdin.Close()
	_, _ = io.Copy(io.Discard, v.stdout)
	v.out.Close()
	v.deadline.Stop()
	state, err := v.proc.Wait()
	if err != nil {
		return nil, err.Error()
	}
	<-v.read
	return state, string(v.stderr)
}

func (v *running) kill() { _ = v.proc.Kill() }

// startVictim is start for a test.
func startVictim(t testing.TB, s *spawner, j job) *running {
	t.Helper()
	v, err := s.start(j)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func strictSpawner(t testing.TB) *spawner {
	t.Helper()
	s, err := newSpawner(spawnerOptions{confine: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// need skips a test that cannot run here, and fails it on a CI machine, which
// was set up for it.
func need(t testing.TB, ok bool, reason string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI lacks what this test needs:", reason)
	}
	t.Skip(reason)
}

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func inactiveLayers(r lockdown.Report) string {
	var s []string
	for _, l := range r.Layers {
		if !l.Active {
			s = append(s, l.Name+": "+l.Reason)
		}
	}
	return strings.Join(s, "; ")
}
