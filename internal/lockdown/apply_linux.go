//go:build linux && (amd64 || arm64)

package lockdown

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func skip(p Profile, name string) bool { return slices.Contains(p.Skip, name) }

// process is the worker while it confines itself.
type process struct {
	profile Profile
	// cgo says that the C library makes threads. Go cannot make a system call
	// on all of those; what is a thread's own has to be inherited instead.
	cgo    bool
	poller poller
}

// apply puts the layers in place, those first that later ones need or that
// need what later ones take away: descriptors are found before none can be
// made, files are tried before landlock, and seccomp forbids all the rest.
func apply(p Profile, environment Layer) ([]Layer, error) {
	// The thread is locked by the caller; a second lock does no harm.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := &process{profile: p}
	if err := w.checkParent(); err != nil {
		return nil, err
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0)
	w.cgo = errno == unix.ENOTSUP
	// Also where descriptors stay as they are: the filter has to know it.
	var pollerErr error
	w.poller, pollerErr = findPoller()

	layers := []Layer{environment}
	for _, step := range []struct {
		name string
		do   func() Layer
	}{
		{LayerDescriptors, func() Layer { return w.descriptors(pollerErr) }},
		{LayerNoNewPrivs, w.noNewPrivs},
		{LayerCapabilities, w.capabilities},
		{LayerNotDumpable, w.notDumpable},
		{LayerLandlock, w.landlock},
		{LayerMemory, w.memory},
		{LayerProcesses, w.processes},
		{LayerCPU, w.cpu},
		{LayerExecMemory, w.execMemory},
		// After all that needs a descriptor.
		{LayerRlimits, w.rlimits},
		{LayerSeccomp, func() Layer { return w.seccomp(pollerErr) }},
	} {
		if skip(p, step.name) {
			layers = append(layers, inactive(step.name, reasonSkipped))
			continue
		}
		layers = append(layers, step.do())
	}
	return layers, nil
}

// checkParent asks for death with the host, which the host has done as well:
// a host that died since is noticed, one that died before closed the pipes. A
// worker in a process namespace of its own has no parent that it can see.
func (w *process) checkParent() error {
	before := unix.Getppid()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("asking for death with the host: %w", err)
	}
	if unix.Getppid() != before {
		return ErrParentGone
	}
	return nil
}

// allThreads makes a call on every thread of the process where Go can do that.
//
//go:uintptrescapes
func (w *process) allThreads(trap, a1, a2, a3 uintptr) error {
	if w.cgo {
		return errCgo
	}
	if _, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, a3, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

var errCgo = errors.New("this build's threads are the C library's, on which Go cannot make it")

// noNewPrivs is a thread's own. In a cgo build it comes from the spawning
// thread, or to all threads with the filter.
func (w *process) noNewPrivs() Layer {
	if err := w.setNoNewPrivs(); err != nil {
		return inactive(LayerNoNewPrivs, "prctl(PR_SET_NO_NEW_PRIVS): %v", err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n != 1 {
		return inactive(LayerNoNewPrivs, "it was set, and reads back as %d (%v)", n, err)
	}
	if w.cgo && skip(w.profile, LayerSeccomp) {
		return weakened(LayerNoNewPrivs, "set on the main thread alone, unless the spawning thread was confined: without seccomp a cgo build cannot reach the others")
	}
	return active(LayerNoNewPrivs)
}

func (w *process) setNoNewPrivs() error {
	if w.cgo {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return w.allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
}

// capabilities are a thread's own, too.
func (w *process) capabilities() Layer {
	held, err := heldCapabilities()
	if err != nil {
		return inactive(LayerCapabilities, "capget: %v", err)
	}
	if held == (capabilitySets{}) {
		// Threads have what the one had that made them: none ever had any.
		return active(LayerCapabilities)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := w.allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data[0])), 0); err != nil {
		return inactive(LayerCapabilities, "capset: %v", err)
	}
	if held, err = heldCapabilities(); err != nil || held != (capabilitySets{}) {
		return inactive(LayerCapabilities, "they were dropped, and read back as %+v (%v)", held, err)
	}
	return active(LayerCapabilities)
}

type capabilitySets struct{ effective, permitted, inheritable uint64 }

func heldCapabilities() (capabilitySets, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return capabilitySets{}, err
	}
	join := func(lo, hi uint32) uint64 { return uint64(hi)<<32 | uint64(lo) }
	return capabilitySets{
		effective:   join(data[0].Effective, data[1].Effective),
		permitted:   join(data[0].Permitted, data[1].Permitted),
		inheritable: join(data[0].Inheritable, data[1].Inheritable),
	}, nil
}

func (w *process) notDumpable() Layer {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return inactive(LayerNotDumpable, "prctl(PR_SET_DUMPABLE): %v", err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		return inactive(LayerNotDumpable, "it was cleared, and reads back as %d (%v)", n, err)
	}
	return active(LayerNotDumpable)
}

// execMemory makes the kernel refuse memory that is writable and executable,
// or that becomes executable.
func (w *process) execMemory() Layer {
	if err := unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0); err != nil {
		return inactive(LayerExecMemory, "prctl(PR_SET_MDWE): %v (the seccomp filter forbids executable memory nevertheless)", err)
	}
	size := uintptr(unix.Getpagesize())
	addr, _, errno := unix.RawSyscall6(unix.SYS_MMAP, 0, size, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC,
		unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	if errno == 0 {
		unix.RawSyscall(unix.SYS_MUNMAP, addr, size, 0)
		return inactive(LayerExecMemory, "it was asked for, and executable memory could still be made")
	}
	return active(LayerExecMemory)
}
