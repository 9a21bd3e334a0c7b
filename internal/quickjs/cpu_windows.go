package quickjs

import (
	"time"

	"golang.org/x/sys/windows"
)

// cpuTime is what this process has computed so far. The process runs one
// execution at a time, so a difference is what an execution took.
func cpuTime() time.Duration {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user); err != nil {
		return 0
	}
	// Both count spans of 100 ns, unlike what Filetime.Nanoseconds is for.
	span := func(t windows.Filetime) time.Duration {
		return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
	}
	return span(kernel) + span(user)
}
