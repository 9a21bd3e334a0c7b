//go:build linux

package worker

import (
	"errors"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// input reads frames from descriptor 0 on the caller's thread. Reads block in
// the kernel rather than in the runtime's poller: the thread that waits is the
// thread that runs the program, and no goroutine has to be woken in between.
type input struct {
	r *wire.Reader
}

func newInput(maxFrame int) *input {
	return &input{r: wire.NewReader(rawIn{}, maxFrame)}
}

// next returns the next frame, quickjs.ErrTimeout when none has begun within
// the timeout. A negative timeout is none.
func (in *input) next(timeout time.Duration) (*wire.Header, []byte, error) {
	if timeout >= 0 && !in.r.Buffered() {
		ready, err := pollIn(timeout)
		if err != nil {
			return nil, nil, err
		}
		if !ready {
			return nil, nil, quickjs.ErrTimeout
		}
	}
	return in.r.Next()
}

func pollIn(timeout time.Duration) (bool, error) {
	deadline := time.Now().Add(timeout)
	for {
		ts := unix.NsecToTimespec(int64(max(timeout, 0)))
		fds := [1]unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
		n, err := unix.Ppoll(fds[:], &ts, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			timeout = time.Until(deadline)
		case err != nil:
			return false, err
		default:
			return n > 0, nil
		}
	}
}

type rawIn struct{}

// linger is how long a read waits inside the runtime's view of a running
// thread before it tells the scheduler that it blocks. In a sequence of host
// calls the next byte is tens of microseconds away, and each time that the
// scheduler is told, it wakes a thread to take over what there is not: on two
// cores that thread is in the host's way. It is well below the 10 ms after
// which the runtime would try to preempt.
const linger = 500 * time.Microsecond

func (rawIn) Read(p []byte) (int, error) {
	if len(p) > 0 && readable(linger) {
		if n, _, errno := unix.RawSyscall(unix.SYS_READ, 0, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))); errno == 0 {
			if n == 0 {
				return 0, io.EOF
			}
			return int(n), nil
		}
	}
	for {
		n, err := unix.Read(0, p)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// readable reports whether there is something to read within the time, without
// a word to the scheduler.
func readable(within time.Duration) bool {
	ts := unix.NsecToTimespec(int64(within))
	fds := [1]unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	return errno == 0 && n > 0
}

type rawOut struct{}

func (rawOut) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := unix.Write(1, p[written:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return written, err
		default:
			written += n
		}
	}
	return written, nil
}
