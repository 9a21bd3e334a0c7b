//go:build !(linux || darwin || freebsd || windows)

package quickjs

import "time"

// cpuTime is not known here: the worker keeps no CPU limit, the host's holds.
func cpuTime() time.Duration { return 0 }
