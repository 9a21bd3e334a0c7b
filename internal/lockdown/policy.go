package lockdown

import (
	"fmt"

	"github.com/autoclave-run/autoclave/internal/lockdown/seccomp"
)

// filterInput is all that the seccomp policy depends on.
type filterInput struct {
	arch string // GOARCH
	// cgo: threads come from the C library. race: so do some more calls.
	cgo, race bool
	pid       int
	// epoll and event are the descriptors of the runtime's poller.
	epoll, event int
	trap         bool
}

// canaryErrno is what the filter answers to prctl(PR_GET_SECCOMP), a call that
// changes nothing and that the kernel would answer otherwise: by it the worker
// knows that this filter is in force. It is EL2HLT, which nothing returns.
const canaryErrno = 51

// The constants of the kernel's interface that the policy compares with. They
// are the same on amd64 and arm64, and they stand here and not in a package of
// one platform because the policy is tested on all.
const (
	auditArchAMD64 = 0xc000003e
	auditArchARM64 = 0xc00000b7

	prGetSeccomp     = 21
	prSetVMA         = 0x53564d41
	prSetVMAAnonName = 0

	protReadWrite = 0x3

	mapPrivateAnon = 0x22
	mapFixed       = 0x10
	mapNoReserve   = 0x4000
	mapStack       = 0x20000

	futexPrivate  = 0x80
	futexWait     = 0
	futexWake     = 1
	futexRequeue  = 3
	futexCmpReq   = 4
	futexWakeOp   = 5
	futexWaitBits = 9
	futexRealtime = 0x100

	madvDontNeed   = 4
	madvFree       = 8
	madvHugePage   = 14
	madvNoHugePage = 15
	madvDontDump   = 16
	madvCollapse   = 25

	// What Go asks of clone: VM, FS, FILES, SIGHAND, SYSVSEM, THREAD; on
	// amd64 SETTLS besides.
	cloneGo     = 0x50f00
	cloneSetTLS = 0x80000
	cloneGlibc  = 0x3d0f00 // besides PARENT_SETTID and CHILD_CLEARTID
	cloneMusl   = 0x7d0f00 // and DETACHED, which means nothing
	pollStdin   = 1        // ppoll on one descriptor
	errnoEACCES = 13
	errnoENOSYS = 38

	tcGets      = 0x5401
	errnoENOTTY = 25
)

// numbers are the system calls that the policy names.
type numbers struct {
	read, write, futex, epollPwait, mmap, munmap, madvise, tgkill, clone, nanosleep, schedYield, getpid, gettid,
	rtSigprocmask, sigaltstack, rtSigreturn, rtSigaction, exit, exitGroup, clockGettime, restartSyscall, ppoll,
	prctl, clone3, rseq, setRobustList, mprotect, schedGetaffinity, brk, openat, ioctl uint32
}

var numbersAMD64 = numbers{
	read: 0, write: 1, futex: 202, epollPwait: 281, mmap: 9, munmap: 11, madvise: 28, tgkill: 234, clone: 56,
	nanosleep: 35, schedYield: 24, getpid: 39, gettid: 186, rtSigprocmask: 14, sigaltstack: 131, rtSigreturn: 15,
	rtSigaction: 13, exit: 60, exitGroup: 231, clockGettime: 228, restartSyscall: 219, ppoll: 271, prctl: 157,
	clone3: 435, rseq: 334, setRobustList: 273, mprotect: 10, schedGetaffinity: 204, brk: 12, openat: 257, ioctl: 16,
}

var numbersARM64 = numbers{
	read: 63, write: 64, futex: 98, epollPwait: 22, mmap: 222, munmap: 215, madvise: 233, tgkill: 131, clone: 220,
	nanosleep: 101, schedYield: 124, getpid: 172, gettid: 178, rtSigprocmask: 135, sigaltstack: 132, rtSigreturn: 139,
	rtSigaction: 134, exit: 93, exitGroup: 94, clockGettime: 113, restartSyscall: 128, ppoll: 73, prctl: 167,
	clone3: 435, rseq: 293, setRobustList: 99, mprotect: 226, schedGetaffinity: 123, brk: 214, openat: 56, ioctl: 29,
}

// policy is what a locked down Go process may ask of the kernel: what its
// runtime needs after the start, reading standard input, and writing standard
// output and error.
func policy(in filterInput) (seccomp.Policy, error) {
	var nr numbers
	p := seccomp.Policy{}
	clone := uint64(cloneGo)
	switch in.arch {
	case "amd64":
		nr, p.Arch, p.X32 = numbersAMD64, auditArchAMD64, true
		clone |= cloneSetTLS
	case "arm64":
		nr, p.Arch = numbersARM64, auditArchARM64
	default:
		return p, fmt.Errorf("there is no system call policy for %s", in.arch)
	}
	// A descriptor that was not found must not turn into one that matches.
	if in.epoll < 3 || in.event < 3 {
		return p, fmt.Errorf("the runtime's poller has the descriptors %d and %d: expected two above 2", in.epoll, in.event)
	}
	if in.pid <= 0 {
		return p, fmt.Errorf("the process id is %d", in.pid)
	}
	if in.trap {
		p.Default = seccomp.Trap
	}
	allow := func(name string, nr uint32, when ...seccomp.Condition) {
		p.Rules = append(p.Rules, seccomp.Rule{Name: name, Nr: nr, When: when})
	}
	is := func(arg int, values ...uint64) seccomp.Condition {
		return seccomp.Condition{Arg: arg, Values: values}
	}
	// The kernel takes these arguments as longs: all 64 bits count.
	only := func(arg int, bits uint64) seccomp.Condition {
		return seccomp.Condition{Arg: arg, Wide: true, Mask: ^bits, Values: []uint64{0}}
	}
	with := func(arg int, value, free uint64) seccomp.Condition {
		return seccomp.Condition{Arg: arg, Wide: true, Mask: ^free, Values: []uint64{value}}
	}
	stdin, stdout, stderr := uint64(0), uint64(1), uint64(2)
	epoll, event := uint64(in.epoll), uint64(in.event)

	futexOps := []uint64{futexPrivate | futexWait, futexPrivate | futexWake}
	mapFree := uint64(mapFixed | mapNoReserve)
	advice := []uint64{madvDontNeed, madvFree, madvHugePage, madvNoHugePage, madvCollapse}
	clones := []uint64{clone}
	if in.cgo {
		for _, op := range []uint64{futexRequeue, futexCmpReq, futexWakeOp, futexWaitBits, futexWaitBits | futexRealtime} {
			futexOps = append(futexOps, futexPrivate|op)
		}
		// The C library waits for a thread's end on a futex that the kernel
		// wakes as a shared one.
		futexOps = append(futexOps, futexWait, futexWake, futexWaitBits|futexRealtime)
		mapFree |= mapStack
		clones = append(clones, cloneGlibc, cloneMusl)
	}
	if in.race {
		advice = append(advice, madvDontDump)
	}

	// In the order of how often they are made.
	allow("futex", nr.futex, is(1, futexOps...))
	allow("read", nr.read, is(0, stdin, event))
	allow("write", nr.write, is(0, stdout, stderr, event))
	allow("clock_gettime", nr.clockGettime) // modernc's libc does not use the vDSO
	allow("epoll_pwait", nr.epollPwait, is(0, epoll))
	allow("nanosleep", nr.nanosleep)
	allow("ppoll", nr.ppoll, is(1, pollStdin))
	allow("madvise", nr.madvise, is(2, advice...))
	allow("mmap", nr.mmap, only(2, protReadWrite), with(3, mapPrivateAnon, mapFree))
	allow("munmap", nr.munmap)
	allow("tgkill", nr.tgkill, is(0, uint64(in.pid)))
	allow("getpid", nr.getpid)
	allow("gettid", nr.gettid)
	allow("rt_sigreturn", nr.rtSigreturn)
	allow("rt_sigprocmask", nr.rtSigprocmask)
	allow("sched_yield", nr.schedYield)
	allow("clone", nr.clone, seccomp.Condition{Arg: 0, Wide: true, Values: clones})
	allow("sigaltstack", nr.sigaltstack)
	// Without it the death by a closed standard output looks like SIGSYS:
	// the runtime resets the handler first.
	allow("rt_sigaction", nr.rtSigaction)
	// Made by the kernel itself after SIGSTOP and SIGCONT.
	allow("restart_syscall", nr.restartSyscall)
	allow("exit", nr.exit)
	allow("exit_group", nr.exitGroup)
	// The runtime names its mappings; where the kernel can do that, it does
	// not stop.
	allow("prctl", nr.prctl, is(0, prSetVMA), seccomp.Condition{Arg: 1, Wide: true, Values: []uint64{prSetVMAAnonName}})
	p.Rules = append(p.Rules, seccomp.Rule{
		Name: "prctl", Nr: nr.prctl, When: []seccomp.Condition{is(0, prGetSeccomp)}, Action: seccomp.Errno(canaryErrno),
	})
	// esbuild asks whether standard error is a terminal before it strips
	// types, whatever it is told about logging. The answer is that of a pipe,
	// without the kernel being asked.
	p.Rules = append(p.Rules, seccomp.Rule{
		Name: "ioctl", Nr: nr.ioctl, When: []seccomp.Condition{is(0, stderr), is(1, tcGets)}, Action: seccomp.Errno(errnoENOTTY),
	})
	if in.cgo {
		// The arguments of clone3 are behind a pointer, so it cannot be
		// judged; told that there is none, the C library uses clone.
		p.Rules = append(p.Rules, seccomp.Rule{Name: "clone3", Nr: nr.clone3, Action: seccomp.Errno(errnoENOSYS)})
		allow("rseq", nr.rseq)
		allow("set_robust_list", nr.setRobustList)
		allow("mprotect", nr.mprotect, only(2, protReadWrite))
		allow("brk", nr.brk)
		// glibc counts the processors when it makes its ninth arena of memory:
		// it looks for a file, and does without.
		p.Rules = append(p.Rules, seccomp.Rule{Name: "openat", Nr: nr.openat, Action: seccomp.Errno(errnoEACCES)})
		allow("sched_getaffinity", nr.schedGetaffinity, is(0, 0)) // the caller's own
	}
	return p, nil
}
