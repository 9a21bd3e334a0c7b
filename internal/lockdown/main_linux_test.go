//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// The test binary plays three parts besides the test: the victim, a worker
// that locks itself down and then tries what it must not be able to do; the
// host, which starts victims as some other user or in some other place; and a
// bystander, at whom victims try things. The first argument says which.
const (
	argVictim    = "lockdown-victim"
	argHost      = "lockdown-host"
	argBystander = "lockdown-bystander"
	// What a victim has become that executed the test binary once more.
	argExecuted = "lockdown-executed"
)

func TestMain(m *testing.M) {
	switch os.Args[0] {
	case argVictim:
		runtime.LockOSThread()
		// Not os.Exit, for which the race detector sleeps a second.
		syscall.Exit(victimMain())
	case argHost:
		os.Exit(hostMain())
	case argExec:
		runtime.LockOSThread()
		syscall.Exit(execMain())
	case argExecuted:
		syscall.Exit(0)
	case argBystander:
		// Until it is killed, or its test is gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// job is what a victim is to do, handed over on descriptor 3 as a worker's
// boot message is.
type job struct {
	Profile lockdown.Profile
	// Deed is what to do after the lockdown, by name.
	Deed string
	// Probes are indexes into the table, for the deed "probe".
	Probes  []int
	Targets targets
	// Leak opens a descriptor that was forgotten to be closed.
	Leak bool
	// Args are the deed's own.
	Args []string
}

func victimMain() int {
	f := os.NewFile(3, "job")
	raw, err := io.ReadAll(f)
	f.Close()
	var j job
	if err == nil {
		err = json.Unmarshal(raw, &j)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "victim: reading the job:", err)
		return 90
	}
	v := &victim{job: j}
	v.prepare()
	report, err := lockdown.Apply(j.Profile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "victim: locking down:", err)
		return 91
	}
	line, err := json.Marshal(report)
	if err != nil {
		return 92
	}
	say(string(line))
	deed, ok := deeds[j.Deed]
	if !ok {
		say("no such deed: " + j.Deed)
		return 93
	}
	return deed(v)
}

// say writes a line by the system call itself: what a victim says must not
// depend on what is left of package os.
func say(line string) {
	b := []byte(line + "\n")
	for len(b) > 0 {
		n, err := unix.Write(1, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		b = b[n:]
	}
}

type victim struct {
	job
	leaked  int
	int80   uintptr // code that makes a 32-bit system call
	scratch []byte
}

// prepare does what a victim can do only before it is locked down.
func (v *victim) prepare() {
	v.leaked = -1
	if v.Leak {
		if fd, err := unix.Open("/proc/self/status", unix.O_RDONLY, 0); err == nil {
			v.leaked = fd
		} else if r, _, err := pipe(); err == nil {
			v.leaked = r
		}
	}
	v.scratch, _ = unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	v.int80 = machineCode(int80Code)
}

func pipe() (r, w int, err error) {
	var p [2]int
	err = unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK)
	return p[0], p[1], err
}

// machineCode puts code where it can be run.
func machineCode(code []byte) uintptr {
	if len(code) == 0 {
		return 0
	}
	m, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return 0
	}
	copy(m, code)
	if err := unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		return 0
	}
	return addressOf(m)
}

// deeds are what victims do, by name.
var deeds = map[string]func(*victim) int{
	"probe": probeDeed,
	"echo":  echoDeed,
	"busy":  busyDeed,
	"die":   dieDeed,
	"wait":  waitDeed,
}

// isCgo asks in the way in which the lockdown does.
func isCgo() bool {
	_, _, errno := allThreadsGetpid()
	return errno == unix.ENOTSUP
}

func buildName() string {
	var s []string
	if isCgo() {
		s = append(s, "cgo")
	}
	if raceTest {
		s = append(s, "race")
	}
	if len(s) == 0 {
		return "plain"
	}
	return strings.Join(s, "+")
}
