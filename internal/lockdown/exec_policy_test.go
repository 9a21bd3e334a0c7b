package lockdown

import (
	"strconv"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/lockdown/seccomp"
)

// TestExecPolicy holds the filter of another executable to a table, for both
// architectures.
func TestExecPolicy(t *testing.T) {
	const (
		path, argv, envp = 0x123456789000, 0x123456789100, 0x123456789200
		rw, rwx, rx      = 3, 7, 5
		anon, file       = 0x22, 0x2
		minusOne         = ^uint64(0)
	)
	enosys, eacces := seccomp.Errno(errnoENOSYS), seccomp.Errno(errnoEACCES)
	for _, arch := range []string{"amd64", "arm64"} {
		for _, executable := range []bool{true, false} {
			p, err := execPolicy(execInput{arch: arch, executable: executable, pid: testPID, file: 4, path: path, argv: argv, envp: envp})
			if err != nil {
				t.Fatal(err)
			}
			prog, err := p.Program()
			if err != nil {
				t.Fatal(err)
			}
			numbers := map[string]uint32{}
			for entry := range strings.FieldsSeq(callTables(arch)) {
				n, name, _ := strings.Cut(entry, ":")
				nr, err := strconv.ParseUint(n, 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				numbers[name] = uint32(nr)
			}
			jit := seccomp.KillProcess
			if executable {
				jit = seccomp.Allow
			}
			for _, c := range []struct {
				call string
				args []uint64
				want seccomp.Action
			}{
				{"read", []uint64{0}, seccomp.Allow},
				{"write", []uint64{1}, seccomp.Allow},
				{"mmap", []uint64{0, 4096, rw, anon, minusOne, 0}, seccomp.Allow},
				{"mmap", []uint64{0, 4096, 0, anon | mapNoReserve, minusOne, 0}, seccomp.Allow},
				{"mmap", []uint64{0, 4096, rx, file, 5, 0}, seccomp.Allow},
				{"mmap", []uint64{0, 4096, rwx, anon, minusOne, 0}, jit},
				{"mmap", []uint64{0, 4096, rx, anon, minusOne, 0}, jit},
				{"mmap", []uint64{0, 4096, rwx, file, 5, 0}, jit},
				{"mmap", []uint64{0, 4096, rw, mapShared, 5, 0}, seccomp.KillProcess},
				{"mprotect", []uint64{0, 4096, rw}, seccomp.Allow},
				{"mprotect", []uint64{0, 4096, rx}, jit},
				{"mprotect", []uint64{0, 4096, 1 << 32}, seccomp.KillProcess},
				{"clone", []uint64{cloneGlibc}, seccomp.Allow},
				{"clone", []uint64{17}, seccomp.KillProcess},                    // fork
				{"clone", []uint64{cloneGlibc &^ 0x10000}, seccomp.KillProcess}, // no thread
				{"clone", []uint64{cloneGlibc | 0x10000000}, seccomp.KillProcess},
				{"clone3", nil, enosys},
				{"openat", []uint64{minusOne, 0, 0x80000}, seccomp.Allow},
				{"openat", []uint64{minusOne, 0, 1}, eacces},
				{"openat", []uint64{minusOne, 0, 2}, eacces},
				{"openat", []uint64{minusOne, 0, 0x40}, eacces},
				{"openat", []uint64{minusOne, 0, 0x200}, eacces},
				{"openat2", nil, seccomp.KillProcess},
				{"newfstatat", []uint64{3, 0, 0, atEmptyPath}, seccomp.Allow},
				{"newfstatat", []uint64{3, 0, 0, 0}, eacces},
				{"execveat", []uint64{4, path, argv, envp, atEmptyPath}, seccomp.Allow},
				{"execveat", []uint64{5, path, argv, envp, atEmptyPath}, seccomp.KillProcess},
				{"execveat", []uint64{4, path + 1, argv, envp, atEmptyPath}, seccomp.KillProcess},
				{"execveat", []uint64{4, path, 0, envp, atEmptyPath}, seccomp.KillProcess},
				{"execveat", []uint64{4, path, argv, 0, atEmptyPath}, seccomp.KillProcess},
				{"execve", nil, seccomp.KillProcess},
				{"fork", nil, seccomp.KillProcess},
				{"vfork", nil, seccomp.KillProcess},
				{"socket", []uint64{2}, seccomp.KillProcess},
				{"socketpair", nil, seccomp.KillProcess},
				{"connect", nil, seccomp.KillProcess},
				{"kill", []uint64{testPID, 9}, seccomp.KillProcess},
				{"tkill", nil, seccomp.KillProcess},
				{"tgkill", []uint64{testPID, 1, 6}, seccomp.Allow},
				{"tgkill", []uint64{testPID + 1, 1, 6}, seccomp.KillProcess},
				{"ptrace", nil, seccomp.KillProcess},
				{"process_vm_readv", nil, seccomp.KillProcess},
				{"pidfd_open", nil, seccomp.KillProcess},
				{"unshare", nil, seccomp.KillProcess},
				{"mount", nil, seccomp.KillProcess},
				{"setuid", nil, seccomp.KillProcess},
				{"capset", nil, seccomp.KillProcess},
				{"bpf", nil, seccomp.KillProcess},
				{"seccomp", nil, seccomp.KillProcess},
				{"userfaultfd", nil, seccomp.KillProcess},
				{"perf_event_open", nil, seccomp.KillProcess},
				{"memfd_create", nil, seccomp.KillProcess},
				{"keyctl", nil, seccomp.KillProcess},
				{"io_uring_setup", nil, enosys},
				{"io_uring_enter", nil, seccomp.KillProcess},
				{"prlimit64", []uint64{0, 7, 0, 1}, seccomp.Allow},
				{"prlimit64", []uint64{0, 7, 1, 0}, seccomp.Errno(errnoEPERM)},
				{"prctl", []uint64{prGetSeccomp}, seccomp.Errno(canaryErrno)},
				{"prctl", []uint64{22}, seccomp.Errno(errnoEINVAL)},
				{"ioctl", []uint64{0, 0x5412}, seccomp.Errno(errnoENOTTY)}, // TIOCSTI
			} {
				nr, ok := numbers[c.call]
				if !ok {
					continue // arm64 has no fork
				}
				if got := action(t, prog, p.Arch, nr, c.args...); got != c.want {
					t.Errorf("%s, executable memory %v: %s%#x is %#x, want %#x", arch, executable, c.call, c.args, got, c.want)
				}
			}
			if got := action(t, prog, p.Arch^1, numbers["read"], 0); got != seccomp.KillProcess {
				t.Errorf("%s: another architecture's call is %#x", arch, got)
			}
		}
	}
	if _, err := execPolicy(execInput{arch: "sparc64", pid: 1}); err == nil {
		t.Error("there is a policy for sparc64")
	}
	if _, err := execPolicy(execInput{arch: "amd64"}); err == nil {
		t.Error("there is a policy for no process")
	}
}
