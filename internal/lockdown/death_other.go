//go:build !linux || !(amd64 || arm64)

package lockdown

// OOMKills counts the processes that the kernel has killed for want of memory.
// It reports false where the kernel does not tell, as here.
func OOMKills() (uint64, bool) { return 0, false }

// ForbiddenCall returns the system call for which a filter killed a process,
// where that can be known.
func ForbiddenCall(int) string { return "" }
