package lockdown

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/autoclave-run/autoclave/internal/lockdown/seccomp"
)

// execInput is all that the policy of another executable depends on.
type execInput struct {
	arch       string // GOARCH
	trap       bool
	executable bool // memory may become executable
	pid        int
	// The one call that executes it.
	file             int
	path, argv, envp uint64
}

// More constants of the kernel's interface, the same on both architectures.
const (
	protExec = 0x4

	mapShared    = 0x1
	mapAnonymous = 0x20
	mapDenyWrite = 0x800
	// Where the kernel is to look for an address: FIXED, NORESERVE, STACK,
	// FIXED_NOREPLACE, and DENYWRITE of the dynamic loader, which is ignored.
	mapPlaces = mapFixed | mapNoReserve | mapStack | 0x100000 | mapDenyWrite

	// openRead is what may be asked for beside reading: CLOEXEC, NONBLOCK,
	// NOCTTY, NOFOLLOW, LARGEFILE. Creating, truncating and O_PATH are not.
	openReadAMD64 = 0x80000 | 0x800 | 0x100 | 0x20000 | 0x8000
	openReadARM64 = 0x80000 | 0x800 | 0x100 | 0x8000 | 0x20000

	atEmptyPath = 0x1000

	prSetName = 15

	archSetFS = 0x1002

	errnoEPERM  = 1
	errnoEINVAL = 22
)

// execPolicy is what Node.js may ask of the kernel: memory, threads, event
// loops, clocks, and opening files to read, which landlock judges. It makes no
// process, no socket and no file, and signals nobody else.
//
// It is wider than a Go worker's, and where a library asks for something that
// it can do without, the answer is an error: killing is for what only an
// attacker asks for.
func execPolicy(in execInput) (seccomp.Policy, error) {
	p := seccomp.Policy{}
	clone := uint64(cloneGo)
	openRead := uint64(openReadAMD64)
	switch in.arch {
	case "amd64":
		p.Arch, p.X32 = auditArchAMD64, true
		clone |= cloneSetTLS
	case "arm64":
		p.Arch = auditArchARM64
		openRead = openReadARM64
	default:
		return p, fmt.Errorf("there is no system call policy for %s", in.arch)
	}
	if in.pid <= 0 || in.file < 0 {
		return p, fmt.Errorf("the process id is %d and the executable's descriptor %d", in.pid, in.file)
	}
	if in.trap {
		p.Default = seccomp.Trap
	}
	numbers := map[string]uint32{}
	for entry := range strings.FieldsSeq(callTables(in.arch)) {
		if n, name, ok := strings.Cut(entry, ":"); ok {
			if nr, err := strconv.ParseUint(n, 10, 32); err == nil {
				numbers[name] = uint32(nr)
			}
		}
	}
	// A call that an architecture does not have needs no rule there.
	answer := func(action seccomp.Action, name string, when ...seccomp.Condition) {
		if nr, ok := numbers[name]; ok {
			p.Rules = append(p.Rules, seccomp.Rule{Name: name, Nr: nr, When: when, Action: action})
		}
	}
	allow := func(name string, when ...seccomp.Condition) { answer(seccomp.Allow, name, when...) }
	refuse := func(errno uint16, names ...string) {
		for _, name := range names {
			answer(seccomp.Errno(errno), name)
		}
	}
	is := func(arg int, values ...uint64) seccomp.Condition { return seccomp.Condition{Arg: arg, Values: values} }
	bits := func(arg int, value, free uint64) seccomp.Condition {
		return seccomp.Condition{Arg: arg, Mask: 0xffffffff &^ free, Values: []uint64{value}}
	}
	wide := func(arg int, value, free uint64) seccomp.Condition {
		return seccomp.Condition{Arg: arg, Wide: true, Mask: ^free, Values: []uint64{value}}
	}

	var futexOps []uint64
	for _, op := range []uint64{futexWait, futexWake, futexRequeue, futexCmpReq, futexWakeOp, futexWaitBits, futexWaitBits | futexRealtime, 10} {
		futexOps = append(futexOps, op, op|futexPrivate)
	}
	allow("futex", is(1, futexOps...))
	for _, name := range []string{"read", "write", "readv", "writev", "epoll_wait", "epoll_pwait", "epoll_ctl", "clock_gettime", "gettimeofday", "time"} {
		allow(name)
	}

	// Memory. Executable memory is of files alone where the engine makes none.
	prot := uint64(protReadWrite)
	if in.executable {
		prot |= protExec
	}
	allow("mprotect", wide(2, 0, prot))
	allow("mmap", wide(2, 0, prot), wide(3, mapPrivateAnon&^mapAnonymous, mapPlaces|mapAnonymous))
	allow("mmap", wide(2, 0, protReadWrite), wide(3, mapShared|mapAnonymous, mapPlaces))
	allow("mmap", wide(2, 0, 0x1), wide(3, mapShared, mapPlaces))
	if !in.executable {
		allow("mmap", wide(2, 0, 0x1|protExec), wide(3, mapPrivateAnon&^mapAnonymous, mapPlaces))
	}
	for _, name := range []string{"munmap", "mremap", "brk", "madvise", "membarrier"} {
		allow(name)
	}
	refuse(errnoENOSYS, "pkey_alloc", "pkey_mprotect", "set_mempolicy", "get_mempolicy", "mbind")

	// Threads, and no processes. The arguments of clone3 are behind a pointer:
	// the C library uses clone instead where there is none.
	allow("clone", seccomp.Condition{Arg: 0, Wide: true, Values: []uint64{clone, cloneGlibc, cloneMusl}})
	refuse(errnoENOSYS, "clone3")
	for _, name := range []string{
		"set_robust_list", "rseq", "set_tid_address", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
		"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "capget", "getcpu",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group",
		"nanosleep", "clock_nanosleep", "clock_getres", "getrusage", "times", "getrandom", "uname", "sysinfo",
	} {
		allow(name)
	}
	refuse(errnoEPERM, "sched_setaffinity", "sched_setscheduler", "sched_setparam", "setpriority", "getpriority")
	allow("tgkill", is(0, uint64(in.pid)))
	allow("arch_prctl", is(0, archSetFS))
	refuse(errnoEINVAL, "arch_prctl")
	allow("prctl", is(0, prSetName))
	allow("prctl", is(0, prSetVMA), seccomp.Condition{Arg: 1, Wide: true, Values: []uint64{prSetVMAAnonName}})
	answer(seccomp.Errno(canaryErrno), "prctl", is(0, prGetSeccomp))
	refuse(errnoEINVAL, "prctl")
	// Limits can be read.
	allow("prlimit64", is(0, 0), wide(2, 0, 0))
	refuse(errnoEPERM, "prlimit64", "setrlimit")
	allow("getrlimit")

	// Descriptors, event loops, and files that are opened to be read.
	for _, name := range []string{"close", "fstat", "lseek", "pread64", "getcwd", "poll", "ppoll", "pipe2", "eventfd2", "epoll_create1"} {
		allow(name)
	}
	allow("openat", bits(2, 0, openRead))
	allow("open", bits(1, 0, openRead))
	refuse(errnoEACCES, "openat", "open")
	allow("newfstatat", bits(3, atEmptyPath, 0xffffffff&^atEmptyPath))
	allow("statx", bits(2, atEmptyPath, 0xffffffff&^atEmptyPath))
	refuse(errnoEACCES, "newfstatat", "statx", "stat", "lstat", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "statfs", "fstatfs", "getdents64")
	refuse(errnoENOSYS, "io_uring_setup")
	// F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GET_SEALS
	allow("fcntl", is(1, 0, 1, 2, 3, 4, 1030, 1034))
	refuse(errnoEINVAL, "fcntl")
	// FIONREAD, FIONBIO, FIOCLEX
	allow("ioctl", is(1, 0x541b, 0x5421, 0x5451))
	refuse(errnoENOTTY, "ioctl")

	// And the call that begins it all. Its arguments lie where nobody else can
	// know: once it is made, none like it can be.
	exact := func(arg int, v uint64) seccomp.Condition {
		return seccomp.Condition{Arg: arg, Wide: true, Values: []uint64{v}}
	}
	allow("execveat", is(0, uint64(in.file)), exact(1, in.path), exact(2, in.argv), exact(3, in.envp))
	return p, nil
}
