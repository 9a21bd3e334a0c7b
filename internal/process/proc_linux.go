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

// reapGroup reaps what a process that is gone has left in its group: where this
// process is the first of its container, or a subreaper, the children of its
// children are its own in the end. All of them have been killed.
func reapGroup(pid int) {
	for {
		if _, err := unix.Wait4(-pid, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return // there are none
		}
	}
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// CanMeasureCPU says whether CPUTime works on this platform.
const CanMeasureCPU = true

// CPUTime is what the process has computed so far, all its threads together,
// to the microsecond, and with it the process that it has parse for it; false
// where it is gone. Only whoever has the lease may call it.
func (w *Worker) CPUTime() (time.Duration, bool) {
	own, ok := cpuTime(w.proc.Pid)
	if !ok || w.shaper == 0 {
		return own, ok
	}
	// A worker that has been taken over can have its shaper end and be reaped.
	// That must neither stop the clock nor set it back.
	if more, there := cpuTime(w.shaper); there {
		w.shaperCPU = max(w.shaperCPU, more)
	}
	return own + w.shaperCPU, true
}

func cpuTime(pid int) (time.Duration, bool) {
	// The clock of another process: its pid, inverted, above the kind of the
	// clock (CPUCLOCK_SCHED), as clock_getcpuclockid(3) forms it.
	clock := int32(^uint32(pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// onlyChild is the one process that the process has started; 0 where it has
// none or several, or the kernel does not tell.
func onlyChild(pid int) int {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	child, err := strconv.Atoi(string(bytes.TrimSpace(raw)))
	if err != nil {
		return 0
	}
	return child
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
