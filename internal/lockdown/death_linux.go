//go:build linux && (amd64 || arm64)

package lockdown

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// OOMKills counts the processes that the kernel has killed for want of memory
// in the host's control group. Only its growth means something. It reports
// false where there is no such group: what the whole machine has killed says
// nothing of a worker.
func OOMKills() (uint64, bool) {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		if group, v2 := strings.CutPrefix(strings.TrimSpace(line), "0::"); v2 {
			return countField("/sys/fs/cgroup"+group+"/memory.events", "oom_kill")
		}
	}
	return 0, false
}

func countField(path, field string) (uint64, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == field {
			n, err := strconv.ParseUint(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// maxLogRecords bounds how much of the kernel's log is looked through.
const maxLogRecords = 1 << 14

var auditSeccomp = regexp.MustCompile(`type=1326 .*\bpid=(\d+) .*\bsig=31 .*\bsyscall=(-?\d+)`)

// ForbiddenCall looks in the kernel's log for the system call for which the
// filter killed a process, and returns its name. It finds none where the log
// may not be read (without CAP_SYSLOG, mostly), where an audit daemon takes
// the records, or where the kernel writes none: the kernel has no other way to
// tell. It takes milliseconds; it is for deaths by SIGSYS only.
func ForbiddenCall(pid int) string {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	found := ""
	// A read returns one record.
	for buf, i := make([]byte, 8192), 0; i < maxLogRecords; i++ {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EINTR) || errors.Is(err, unix.EINVAL) {
			continue // overwritten meanwhile, or too long to be ours
		}
		if err != nil || n == 0 {
			break
		}
		if !bytes.Contains(buf[:n], []byte("type=1326")) {
			continue
		}
		m := auditSeccomp.FindSubmatch(buf[:n])
		if m == nil || string(m[1]) != strconv.Itoa(pid) {
			continue
		}
		if nr, err := strconv.ParseInt(string(m[2]), 10, 64); err == nil {
			found = callName(uint32(nr)) // the last one: pids come again
		}
	}
	return found
}
