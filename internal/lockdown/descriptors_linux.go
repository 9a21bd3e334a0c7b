//go:build linux && (amd64 || arm64)

package lockdown

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// poller is the runtime's: an epoll instance and the event descriptor that
// wakes it. A worker keeps them, as timers need them.
type poller struct{ epoll, event int }

// Descriptors are given out from the lowest, and a worker starts with four:
// pollerSearch are looked at, and after pollerGap that are not open no more.
const (
	pollerSearch = 1024
	pollerGap    = 32
)

// findPoller starts the runtime's poller and finds its descriptors. It asks
// the kernel by epoll_ctl and not by /proc, which may not be there and which a
// confined spawning thread forbids to list.
func findPoller() (poller, error) {
	// A pipe starts the poller. A timer does so only if it is not over yet.
	r, w, err := os.Pipe()
	if err != nil {
		return poller{}, fmt.Errorf("starting the runtime's poller: %w", err)
	}
	defer r.Close()
	defer w.Close()
	probe := fdOf(r)
	if probe < 0 {
		return poller{}, errors.New("starting the runtime's poller: the pipe has no descriptor")
	}
	p := poller{epoll: -1, event: -1}
	for fd := 3; fd < pollerSearch; fd++ {
		// The runtime's instance is the one in which the pipe is already.
		if fd != probe && registered(fd, probe) {
			p.epoll = fd
			break
		}
	}
	if p.epoll < 0 {
		return poller{}, errors.New("the runtime's epoll instance was not found")
	}
	for fd, gap := 3, 0; fd < pollerSearch && gap < pollerGap; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			gap++
			continue
		}
		gap = 0
		// The order matters: what registered tries must not be tried with a
		// descriptor that would be ready at once, see there.
		if !isEventfd(fd, &st) || !registered(p.epoll, fd) {
			continue
		}
		if p.event >= 0 {
			return poller{}, fmt.Errorf("the runtime's poller could be woken by descriptor %d and by %d", p.event, fd)
		}
		p.event = fd
	}
	if p.event < 0 {
		return poller{}, errors.New("the descriptor that wakes the runtime's poller was not found")
	}
	return p, nil
}

// registered reports whether fd is in the epoll instance. Where it is not, it
// is for a moment, and wants no event. A pipe or a socket that is closed at
// its other end gets one nevertheless, and if the instance is the runtime's,
// the runtime takes it for one of its own and crashes: so fd must be the pipe
// of findPoller, which is open, or an event descriptor, which has no other end.
func registered(epoll, fd int) bool {
	err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{})
	if err == nil {
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, fd, nil)
	}
	return err == unix.EEXIST
}

// isEventfd tells by what only an event descriptor does: it is no file's, and
// takes a number. Adding zero wakes nobody.
func isEventfd(fd int, st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != 0 {
		return false
	}
	n, err := unix.Write(fd, make([]byte, 8))
	return err == nil && n == 8
}

// fdOf returns f's descriptor without turning it blocking, as Fd would.
func fdOf(f *os.File) int {
	fd := -1
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(u uintptr) { fd = int(u) })
	}
	return fd
}

// descriptors closes all but standard input, output and error and the poller,
// and looks at what the three are: a file or a terminal is more than a pipe.
func (w *process) descriptors(pollerErr error) Layer {
	if pollerErr != nil {
		return inactive(LayerDescriptors, "not knowing which to keep, none was closed: %v", pollerErr)
	}
	lo, hi := min(w.poller.epoll, w.poller.event), max(w.poller.epoll, w.poller.event)
	for _, r := range [][2]int{{3, lo - 1}, {lo + 1, hi - 1}, {hi + 1, -1}} {
		if err := closeRange(r[0], r[1]); err != nil {
			return inactive(LayerDescriptors, "closing the descriptors from %d on: %v", r[0], err)
		}
	}
	for fd := 3; fd < 64; fd++ {
		if fd == lo || fd == hi {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
			return inactive(LayerDescriptors, "they were closed, and %d is open still", fd)
		}
	}
	for fd := range 3 {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return inactive(LayerDescriptors, "descriptor %d: %v", fd, err)
		}
		if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFIFO {
			return inactive(LayerDescriptors, "descriptor %d is no pipe (its mode is %#o)", fd, st.Mode)
		}
	}
	return active(LayerDescriptors)
}

// closeRange closes the descriptors from first to last; a negative last is
// without end.
func closeRange(first, last int) error {
	if last >= 0 && first > last {
		return nil
	}
	end := uint(last)
	if last < 0 {
		end = 1<<31 - 1
	}
	err := unix.CloseRange(uint(first), end, 0)
	if err != unix.ENOSYS && err != unix.EPERM {
		return err
	}
	// Before Linux 5.9, or in a container whose filter does not know the call.
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		return err
	}
	if end = min(end, uint(limit.Cur)); end > 1<<20 {
		return fmt.Errorf("close_range: %w, and there may be %d to close one by one", err, end)
	}
	for fd := first; fd <= int(end); fd++ {
		_ = unix.Close(fd)
	}
	return nil
}
