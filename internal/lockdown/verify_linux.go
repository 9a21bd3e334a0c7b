//go:build linux && (amd64 || arm64)

package lockdown

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown/seccomp"
)

// Verify looks at a worker from outside, by what the kernel says of each of
// its threads, and takes from the report what is not so: no_new_privs, a
// seccomp filter, no capabilities, and the resource limits. It is to be called
// after the report has come and before the worker has a byte of a program, so
// that nothing hostile has run yet. What the kernel does not show - landlock,
// above all - is the report's word.
//
// An error is a worker that could not be looked at, a dead one for example.
func Verify(pid int, r Report) (Report, error) { return verify(pid, r, noFile) }

// VerifyExec is Verify for a worker that ApplyExec has made another
// executable.
func VerifyExec(pid int, r Report) (Report, error) { return verify(pid, r, execFiles) }

func verify(pid int, r Report, files uint64) (Report, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return Report{}, fmt.Errorf("listing the threads of worker %d: %w", pid, err)
	}
	wrong := map[string]string{}
	buf := make([]byte, 8<<10)
	seen := 0
	for _, t := range tasks {
		raw, err := readProc(dir+"/"+t.Name()+"/status", buf)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return Report{}, fmt.Errorf("looking at a thread of worker %d: %w", pid, err)
		}
		seen++
		checkStatus(t.Name(), raw, wrong)
	}
	if seen == 0 {
		return Report{}, fmt.Errorf("worker %d has no threads left", pid)
	}
	raw, err := readProc(fmt.Sprintf("/proc/%d/limits", pid), buf)
	if err != nil {
		return Report{}, fmt.Errorf("reading the limits of worker %d: %w", pid, err)
	}
	checkLimits(raw, files, wrong)
	layers := make([]Layer, len(r.Layers))
	for i, l := range r.Layers {
		if reason, bad := wrong[l.Name]; bad && l.Active {
			l = inactive(l.Name, "the worker reports it, and seen from outside %s", reason)
		}
		layers[i] = l
	}
	return newReport(layers), nil
}

// readProc reads what the kernel makes up in one piece, into buf. Unlike
// os.ReadFile it does not bother the runtime's poller with it.
func readProc(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err == nil && n == len(buf) {
		err = fmt.Errorf("%s is longer than %d bytes", path, len(buf))
	}
	return buf[:max(n, 0)], err
}

// checkStatus adds to wrong what a thread's status contradicts, by layer.
func checkStatus(thread string, raw []byte, wrong map[string]string) {
	for _, want := range []struct{ layer, field, value string }{
		{LayerNoNewPrivs, "NoNewPrivs", "1"},
		{LayerSeccomp, "Seccomp", "2"},
		{LayerCapabilities, "CapEff", "0000000000000000"},
		{LayerCapabilities, "CapPrm", "0000000000000000"},
	} {
		got := "nothing"
		if _, rest, ok := bytes.Cut(raw, []byte("\n"+want.field+":")); ok {
			line, _, _ := bytes.Cut(rest, []byte("\n"))
			got = string(bytes.TrimSpace(line))
		}
		if got != want.value {
			wrong[want.layer] = fmt.Sprintf("thread %s has %s %q instead of %q", thread, want.field, got, want.value)
		}
	}
}

// checkLimits adds to wrong what a process's limits contradict. Of the memory
// limits it is known only that there must be some.
func checkLimits(raw []byte, files uint64, wrong map[string]string) {
	for _, want := range []struct {
		layer, name string
		most        uint64
	}{
		{LayerRlimits, "Max core file size", 0},
		{LayerRlimits, "Max file size", 0},
		{LayerRlimits, "Max open files", files},
		{LayerRlimits, "Max locked memory", 0},
		{LayerMemory, "Max address space", 1 << 62},
		{LayerMemory, "Max data size", 1 << 62},
	} {
		hard := "nothing"
		for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
			if rest, ok := strings.CutPrefix(s.Text(), want.name); ok {
				if f := strings.Fields(rest); len(f) >= 2 {
					hard = f[1]
				}
			}
		}
		if n, err := strconv.ParseUint(hard, 10, 64); err != nil || n > want.most {
			wrong[want.layer] = fmt.Sprintf("its %q is %s", want.name, hard)
		}
	}
}

// Probe says which layers this machine can give, by trying those that can be
// tried on a thread that is thrown away. The layers that only a worker can try
// are not in the report.
func Probe() Report {
	layers := []Layer{active(LayerEnvironment), active(LayerCapabilities), active(LayerRlimits)}
	if raceBuild {
		layers = append(layers, inactive(LayerMemory, "the race detector's shadow memory takes the whole address space"))
	} else {
		layers = append(layers, active(LayerMemory))
	}
	try := func(name string, f func() error) {
		if err := onThread(f); err != nil {
			layers = append(layers, inactive(name, "%v", err))
			return
		}
		layers = append(layers, active(name))
	}
	noNewPrivs := func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
	try(LayerNoNewPrivs, noNewPrivs)
	try(LayerLandlock, func() error {
		if err := noNewPrivs(); err != nil {
			return err
		}
		r, err := newLandlockRuleset()
		if err != nil {
			return err
		}
		defer r.close()
		if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); errno != 0 {
			return errno
		}
		return errors.Join(landlockHolds(), r.holdsNet())
	})
	try(LayerSeccomp, func() error {
		if err := noNewPrivs(); err != nil {
			return err
		}
		// The thread has to end well: only the canary is filtered.
		canary := bpf.RetConstant{Val: uint32(seccomp.Errno(canaryErrno))}
		prog := []bpf.Instruction{
			bpf.LoadAbsolute{Off: 0, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_PRCTL, SkipFalse: 3},
			bpf.LoadAbsolute{Off: 16, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: prGetSeccomp, SkipFalse: 1},
			canary,
			bpf.RetConstant{Val: uint32(seccomp.Allow)},
		}
		if err := loadFilter(prog, 0); err != nil {
			return err
		}
		return filterHolds()
	})
	return newReport(layers)
}

// Best is the strongest level that this machine can give.
func Best() Level { return Probe().Level }
