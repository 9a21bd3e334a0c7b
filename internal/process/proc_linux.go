//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// awaitExit blocks until the process has ended, without reaping it: until it
// is reaped its pid cannot become another process's. It reports false where
// the kernel does not let it wait.
func awaitExit(pid int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// CanMeasureCPU says whether CPUTime works on this platform.
const CanMeasureCPU = true

// CPUTime is what the process has computed so far, all its threads together,
// to the microsecond; false where it is gone.
func (w *Worker) CPUTime() (time.Duration, bool) {
	// The clock of another process: its pid, inverted, above the kind of the
	// clock (CPUCLOCK_SCHED), as clock_getcpuclockid(3) forms it.
	clock := int32(^uint32(w.proc.Pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// Memory is the process's private resident memory, in bytes.
func (w *Worker) Memory() (int64, bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.proc.Pid))
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(raw)
	if len(fields) < 3 {
		return 0, false
	}
	resident, err1 := strconv.ParseInt(string(fields[1]), 10, 64)
	shared, err2 := strconv.ParseInt(string(fields[2]), 10, 64)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	return (resident - shared) * int64(os.Getpagesize()), true
}
