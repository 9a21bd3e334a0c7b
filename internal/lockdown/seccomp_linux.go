//go:build linux && (amd64 || arm64)

package lockdown

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// seccomp loads the filter on all threads. It comes last: hardly anything of
// what the other layers do is possible after it.
func (w *process) seccomp(pollerErr error) Layer {
	if pollerErr != nil {
		return inactive(LayerSeccomp, "a filter would kill the runtime: %v", pollerErr)
	}
	pol, err := policy(filterInput{
		arch: runtime.GOARCH, cgo: w.cgo, race: raceBuild, pid: unix.Getpid(),
		epoll: w.poller.epoll, event: w.poller.event, trap: w.profile.Trap,
	})
	if err != nil {
		return inactive(LayerSeccomp, "%v", err)
	}
	prog, err := pol.Program()
	if err != nil {
		return inactive(LayerSeccomp, "%v", err)
	}
	if skip(w.profile, LayerNoNewPrivs) {
		// The kernel asks for it, or for a capability that is worth more.
		if err := w.setNoNewPrivs(); err != nil {
			return inactive(LayerSeccomp, "prctl(PR_SET_NO_NEW_PRIVS): %v", err)
		}
	}
	if err := loadFilter(prog, unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return inactive(LayerSeccomp, "%v", err)
	}
	if err := filterHolds(); err != nil {
		return inactive(LayerSeccomp, "it was loaded, and %v", err)
	}
	switch {
	case w.profile.Trap:
		return inactive(LayerSeccomp, "it is loaded in debugging mode, in which a forbidden call is a signal that can be caught")
	case raceBuild:
		return weakened(LayerSeccomp, "the wider profile of builds with the race detector")
	case w.cgo:
		return weakened(LayerSeccomp, "the wider profile of cgo builds: the C library's thread calls, its heap, memory protection up to writable; opening a file and clone3 fail instead of killing")
	}
	return active(LayerSeccomp)
}

// loadFilter installs a filter on the calling thread, or on all with TSYNC.
func loadFilter(prog []bpf.Instruction, flags uintptr) error {
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return fmt.Errorf("assembling the filter: %w", err)
	}
	// bpf.RawInstruction is laid out as the kernel's struct sock_filter.
	fprog := unix.SockFprog{Len: uint16(len(raw)), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))}
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(raw)
	switch {
	case errno != 0:
		return fmt.Errorf("seccomp(SECCOMP_SET_MODE_FILTER): %w", errno)
	case r != 0:
		return fmt.Errorf("thread %d could not be given the filter", r)
	}
	return nil
}

// filterHolds makes a call that only our filter answers in this way.
func filterHolds() error {
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_SECCOMP, 0, 0)
	if errno != canaryErrno {
		return fmt.Errorf("the canary call ends with %v where %v was due", errno, unix.Errno(canaryErrno))
	}
	return nil
}
