package upstream

import (
	"errors"

	"golang.org/x/sys/unix"
)

// waitExited waits until the process has died and leaves it unreaped, so that
// its id stays taken. It reports whether it could.
func waitExited(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}
