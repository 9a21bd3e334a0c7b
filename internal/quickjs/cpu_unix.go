//go:build linux || darwin || freebsd

package quickjs

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what this process has computed so far. The process runs one
// execution at a time, so a difference is what an execution took.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
