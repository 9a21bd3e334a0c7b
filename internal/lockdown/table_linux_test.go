//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Groups of layers that the table's lines have in common.
const (
	files = "landlock confined_spawn seccomp "
	opens = files + "rlimits mild "
	newFD = "rlimits seccomp "
	only  = "seccomp "
	// Another's process; one that has more capabilities is out of reach, too.
	strange = "landlock confined_spawn seccomp unprivileged_uid namespaces "
	richer  = strange + "capabilities:caps "
	rootly  = "capabilities unprivileged_uid seccomp "
	// What the spawning thread's capabilities are not enough for.
	rootlier = rootly + "confined_spawn "
)

// probes is the table: each thing that is tried, and which layers stop it,
// each alone.
var probes = []probe{
	// Files.
	{name: "open a file", stop: opens, try: func(*victim) error { return openFile("/etc/passwd", unix.O_RDONLY) }},
	{name: "open a file, old call", stop: files + "rlimits " + mildARM, try: oldOpen},
	{name: "list a directory", stop: opens, try: func(*victim) error { return openFile("/proc", unix.O_RDONLY|unix.O_DIRECTORY) }},
	{name: "create a file", stop: opens, alone: true, try: func(v *victim) error { return openFile(v.file("new"), unix.O_CREAT|unix.O_WRONLY) }},
	{name: "create a file without a name", stop: opens, optional: true, try: func(v *victim) error { return openFile(v.Targets.Dir, unix.O_TMPFILE|unix.O_RDWR) }},
	{name: "write to a file", stop: opens, try: func(v *victim) error {
		fd, err := unix.Open(v.file("write"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, []byte("x"))
		return err
	}},
	{name: "truncate a file", stop: files + "rlimits ", try: func(v *victim) error { return unix.Truncate(v.file("truncate"), 10) }},
	{name: "unlink a file", stop: files, alone: true, try: func(v *victim) error { return unix.Unlink(v.file("unlink")) }},
	{name: "rename a file", stop: files, alone: true, try: func(v *victim) error { return unix.Rename(v.file("rename"), v.file("renamed")) }},
	{name: "make a link", stop: files, alone: true, try: func(v *victim) error { return unix.Link(v.file("link"), v.file("linked")) }},
	{name: "make a symbolic link", stop: files, alone: true, try: func(v *victim) error { return unix.Symlink("/", v.file("symlink")) }},
	{name: "make a directory", stop: files, alone: true, try: func(v *victim) error { return unix.Mkdir(v.file("mkdir"), 0o700) }},
	{name: "make a fifo", stop: files, alone: true, try: func(v *victim) error { return unix.Mkfifo(v.file("fifo"), 0o600) }},
	{name: "stat a file", stop: only, try: func(*victim) error { return unix.Stat("/etc/passwd", &unix.Stat_t{}) }},
	{name: "read a link", stop: only, try: func(*victim) error { _, err := unix.Readlink("/proc/self/exe", make([]byte, 100)); return err }},
	{name: "ask for access", stop: only, try: func(*victim) error { return unix.Access("/etc/passwd", unix.R_OK) }},
	{name: "change directory", stop: only, alone: true, try: func(*victim) error { return unix.Chdir("/") }},
	{name: "ask for the directory", stop: only, optional: true, try: func(*victim) error { _, err := unix.Getcwd(make([]byte, 4096)); return answers(err, unix.ENOENT) }},
	{name: "statfs", stop: only, try: func(*victim) error { return unix.Statfs("/", &unix.Statfs_t{}) }},
	{name: "write own memory by proc", stop: opens + "not_dumpable:nonroot ", try: func(*victim) error { return openFile("/proc/self/mem", unix.O_RDWR) }},
	{name: "open a handle", stop: rootly + opens, root: true, optional: true, try: openHandle},
	{name: "a leaked descriptor", stop: "descriptors seccomp ", try: func(v *victim) error {
		_, err := call(unix.SYS_READ, uintptr(v.leaked), v.buffer(), 1)
		return answers(err, unix.EAGAIN)
	}},

	// Other processes.
	{name: "read the host's memory", stop: opens + "unprivileged_uid capabilities:caps ", try: func(v *victim) error { return openFile(fmt.Sprintf("/proc/%d/mem", v.Targets.Parent), unix.O_RDONLY) }},
	{name: "read the host's environment", stop: opens + "unprivileged_uid capabilities:caps ", try: func(v *victim) error {
		return openFile(fmt.Sprintf("/proc/%d/environ", v.Targets.Parent), unix.O_RDONLY)
	}},
	{name: "ptrace", stop: richer, try: func(v *victim) error {
		_, err := call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(v.Targets.Bystander), 0, 0)
		if err == nil {
			_, _ = call(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(v.Targets.Bystander), 0, 0)
		}
		return err
	}, alone: true},
	{name: "be traced", stop: only, alone: true, try: ask(unix.SYS_PTRACE, unix.PTRACE_TRACEME)},
	{name: "read another's memory", stop: richer, try: func(v *victim) error {
		_, err := call(unix.SYS_PROCESS_VM_READV, uintptr(v.Targets.Bystander), iovec(v), 1, iovec(v), 1, 0)
		return answers(err, unix.EFAULT) // the address is our own: it got as far as looking
	}},
	{name: "write another's memory", stop: richer, try: func(v *victim) error {
		_, err := call(unix.SYS_PROCESS_VM_WRITEV, uintptr(v.Targets.Bystander), iovec(v), 1, iovec(v), 1, 0)
		return answers(err, unix.EFAULT)
	}},
	{name: "signal another", stop: strange, try: func(v *victim) error { return unix.Kill(v.Targets.Bystander, 0) }},
	{name: "signal another's thread", stop: strange, try: func(v *victim) error { return unix.Tgkill(v.Targets.Bystander, v.Targets.Bystander, 0) }},
	{name: "signal by tkill", stop: strange, try: func(v *victim) error { _, err := call(unix.SYS_TKILL, uintptr(v.Targets.Bystander), 0); return err }},
	{name: "queue a signal", stop: strange, try: func(v *victim) error {
		info := (*[32]int32)(unsafe.Pointer(unsafe.SliceData(v.scratch)))
		*info = [32]int32{2: -1} // SI_QUEUE
		_, err := call(unix.SYS_RT_SIGQUEUEINFO, uintptr(v.Targets.Bystander), 0, v.buffer())
		return err
	}},
	{name: "signal the host", stop: strange, try: func(v *victim) error { return unix.Kill(v.Targets.Parent, 0) }},
	{name: "signal own group", stop: only, try: func(*victim) error { return unix.Kill(0, 0) }},
	{name: "open a process", stop: newFD + "namespaces ", try: func(v *victim) error { return closing(unix.PidfdOpen(v.Targets.Bystander, 0)) }},
	{name: "take another's descriptor", stop: richer + "rlimits ", try: func(v *victim) error {
		fd, err := unix.PidfdOpen(v.Targets.Bystander, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return closing(unix.PidfdGetfd(fd, 0, 0))
	}},
	{name: "another's limits", stop: "unprivileged_uid namespaces seccomp ", try: func(v *victim) error {
		_, err := call(unix.SYS_PRLIMIT64, uintptr(v.Targets.Bystander), unix.RLIMIT_CPU, 0, v.buffer())
		return err
	}},
	{name: "another's processors", stop: "namespaces seccomp ", try: func(v *victim) error {
		_, err := call(unix.SYS_SCHED_GETAFFINITY, uintptr(v.Targets.Bystander), 128, v.buffer())
		return err
	}},
	{name: "another's priority", stop: "capabilities:caps confined_spawn:caps unprivileged_uid namespaces seccomp ", try: func(v *victim) error {
		_, err := call(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, uintptr(v.Targets.Bystander), 0)
		return err
	}},
	{name: "signals by input", stop: "namespaces seccomp ", try: func(v *victim) error {
		_, err := call(unix.SYS_FCNTL, 0, unix.F_SETOWN, uintptr(v.Targets.Bystander))
		return err
	}},
	{name: "compare processes", stop: richer, optional: true, try: func(v *victim) error {
		_, err := call(unix.SYS_KCMP, uintptr(v.Targets.Bystander), uintptr(v.Targets.Bystander), 1, 0, 0)
		return err
	}},

	// New processes and code.
	{name: "fork", stop: only, try: forked(unix.SYS_CLONE, uintptr(unix.SIGCHLD))},
	{name: "clone3", stop: only + "mild ", try: clone3},
	{name: "a new user namespace", stop: only, optional: true, try: forked(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD))},
	{name: "execute a file", stop: files, alone: true, try: execute("/bin/true")},
	{name: "execute itself", stop: "landlock seccomp ", alone: true, try: execute("/proc/self/exe")},
	{name: "execute memory", stop: newFD, alone: true, try: executeMemory},
	{name: "executable and writable memory", stop: "exec_memory seccomp ", try: func(*victim) error {
		return mapped(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, 0, 4096)
	}},
	{name: "make memory executable", stop: "exec_memory seccomp ", alone: true, try: func(v *victim) error {
		_, err := call(unix.SYS_MPROTECT, v.buffer(), 4096, unix.PROT_READ|unix.PROT_EXEC)
		return err
	}},
	{name: "executable memory", stop: only, try: func(*victim) error { return mapped(unix.PROT_READ|unix.PROT_EXEC, 0, 4096) }},
	{name: "many threads", stop: "process_limit memory_limits:cgo ", alone: true, slow: true, try: threads},

	// Network and other sockets.
	{name: "connect by TCP", stop: "landlock confined_spawn rlimits seccomp namespaces ", try: connectTo(unix.SOCK_STREAM, func(v *victim) unix.Sockaddr { return loopback(v.Targets.TCP) })},
	{name: "listen by TCP", stop: files + "rlimits ", try: func(*victim) error {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		return unix.Bind(s, &unix.SockaddrInet4{})
	}},
	{name: "send by UDP", stop: newFD + "namespaces ", try: connectTo(unix.SOCK_DGRAM, func(v *victim) unix.Sockaddr { return loopback(v.Targets.UDP) })},
	{name: "connect to a socket in a directory", stop: newFD, try: connectTo(unix.SOCK_STREAM, func(v *victim) unix.Sockaddr { return &unix.SockaddrUnix{Name: v.Targets.Unix} })},
	{name: "connect to an abstract socket", stop: "landlock confined_spawn rlimits seccomp namespaces ", try: connectTo(unix.SOCK_STREAM, func(v *victim) unix.Sockaddr { return &unix.SockaddrUnix{Name: v.Targets.Abstract} })},
	{name: "a netlink socket", stop: newFD, try: socketOf(unix.AF_NETLINK, unix.SOCK_RAW, 0)},
	{name: "an IPv6 socket", stop: newFD, optional: true, try: socketOf(unix.AF_INET6, unix.SOCK_DGRAM, 0)},
	{name: "a vsock socket", stop: newFD, optional: true, try: socketOf(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
	{name: "a crypto socket", stop: newFD, optional: true, try: socketOf(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)},
	{name: "a packet socket", stop: rootlier + "rlimits ", root: true, try: socketOf(unix.AF_PACKET, unix.SOCK_RAW, 0)},
	{name: "a raw socket", stop: rootlier + "rlimits ", root: true, try: socketOf(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
	{name: "a pair of sockets", stop: newFD, try: func(*victim) error {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		_ = closing(p[1], err)
		return closing(p[0], err)
	}},

	// Other descriptors, each an interface of the kernel's.
	{name: "duplicate a descriptor", stop: newFD, try: func(*victim) error { return closing(unix.Dup(0)) }},
	{name: "a pipe", stop: newFD, try: func(*victim) error { r, w, err := pipe(); _ = closing(w, err); return closing(r, err) }},
	{name: "epoll", stop: newFD, try: func(*victim) error { return closing(unix.EpollCreate1(0)) }},
	{name: "eventfd", stop: newFD, try: func(*victim) error { return closing(unix.Eventfd(0, 0)) }},
	{name: "timerfd", stop: newFD, try: func(*victim) error { return closing(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)) }},
	{name: "signalfd", stop: newFD, try: func(*victim) error { return closing(unix.Signalfd(-1, &unix.Sigset_t{}, 0)) }},
	{name: "inotify", stop: newFD, try: func(*victim) error { return closing(unix.InotifyInit1(0)) }},
	{name: "fanotify", stop: newFD, optional: true, try: func(*victim) error { return closing(unix.FanotifyInit(unix.FAN_REPORT_FID, 0)) }},
	{name: "memfd", stop: newFD, try: func(*victim) error { return closing(unix.MemfdCreate("x", 0)) }},
	{name: "userfaultfd", stop: newFD, optional: true, try: func(*victim) error { fd, err := call(unix.SYS_USERFAULTFD, 1); return closing(int(fd), err) }},
	{name: "io_uring", stop: newFD, optional: true, try: func(v *victim) error {
		clear(v.scratch[:256])
		fd, err := call(unix.SYS_IO_URING_SETUP, 1, v.buffer())
		return closing(int(fd), err)
	}},
	{name: "perf", stop: rootly + "rlimits ", root: true, optional: true, try: func(*victim) error {
		return closing(unix.PerfEventOpen(&unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: 112}, 0, -1, -1, 0))
	}},
	{name: "bpf", stop: rootly + "rlimits ", root: true, optional: true, try: func(v *victim) error {
		clear(v.scratch[:128])
		attr := (*[4]uint32)(unsafe.Pointer(unsafe.SliceData(v.scratch)))
		*attr = [4]uint32{2, 4, 4, 1} // an array of one
		fd, err := call(unix.SYS_BPF, 0, v.buffer(), 128)
		return closing(int(fd), err)
	}},
	{name: "close input", stop: only, alone: true, try: ask(unix.SYS_CLOSE, 0)},
	{name: "ask for a descriptor's flags", stop: only, try: ask(unix.SYS_FCNTL, 0, unix.F_GETFL, 0)},
	{name: "count what is in input", stop: only, try: func(v *victim) error { _, err := call(unix.SYS_IOCTL, 0, unix.TIOCINQ, v.buffer()); return err }},
	{name: "push a key to the terminal", stop: only, try: func(v *victim) error {
		_, err := call(unix.SYS_IOCTL, 0, unix.TIOCSTI, v.buffer())
		return answers(err, unix.ENOTTY, unix.EIO)
	}},
	{name: "read with a vector", stop: only, try: func(v *victim) error { _, err := call(unix.SYS_WRITEV, 1, v.buffer(), 0); return err }},
	{name: "splice", stop: only, try: ask(unix.SYS_TEE, 0, 0, 0, 0)},

	// Memory.
	{name: "much address space", stop: "memory_limits ", try: func(*victim) error { return mapped(unix.PROT_NONE, unix.MAP_NORESERVE, 8<<30) }},
	{name: "much memory", stop: "memory_limits ", try: func(*victim) error {
		return mapped(unix.PROT_READ|unix.PROT_WRITE, unix.MAP_NORESERVE, 4<<30)
	}},
	{name: "much memory by pieces", stop: "memory_limits ", try: creep},
	{name: "lock memory", stop: "rlimits:nocap seccomp ", try: func(v *victim) error { _, err := call(unix.SYS_MLOCK, v.buffer(), 4096); return err }},
	{name: "move memory", stop: only, try: func(v *victim) error {
		_, err := call(unix.SYS_MREMAP, v.buffer(), 4096, 4096, 0, 0)
		return err
	}},
	{name: "shared memory of old", stop: only, try: func(*victim) error {
		id, err := call(unix.SYS_SHMGET, 0, 4096, unix.IPC_CREAT|0o600)
		if err == nil {
			_, _ = call(unix.SYS_SHMCTL, id, unix.IPC_RMID, 0)
		}
		return err
	}},
	{name: "a message queue of old", stop: only, try: func(*victim) error {
		id, err := call(unix.SYS_MSGGET, 0, unix.IPC_CREAT|0o600)
		if err == nil {
			_, _ = call(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0)
		}
		return err
	}},
	{name: "shared memory by mapping", stop: only, try: func(*victim) error {
		addr, err := call(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_ANON, ^uintptr(0), 0)
		if err == nil {
			_, _ = call(unix.SYS_MUNMAP, addr, 4096)
		}
		return err
	}},
	{name: "the heap of old", stop: "seccomp:nocgo ", try: ask(unix.SYS_BRK, 0)},

	// Undoing the lockdown, and being someone else.
	{name: "raise a limit", stop: "rlimits:noresource seccomp ", alone: true, try: raiseLimit},
	{name: "be dumpable", stop: only, alone: true, try: ask(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1)},
	{name: "outlive the host", stop: only, alone: true, try: ask(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0)},
	{name: "take another name", stop: only, alone: true, try: func(v *victim) error {
		_, err := call(unix.SYS_PRCTL, unix.PR_SET_NAME, v.buffer())
		return err
	}},
	{name: "ask for filters", stop: only, try: func(v *victim) error {
		*(*uint32)(unsafe.Pointer(unsafe.SliceData(v.scratch))) = 0x7fff0000
		_, err := call(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, v.buffer())
		return err
	}},
	{name: "a new session", stop: only, try: func(*victim) error { _, err := unix.Setsid(); return answers(err, unix.EPERM) }},
	{name: "be the same user", stop: only, alone: true, try: ask(unix.SYS_SETRESUID, ^uintptr(0), ^uintptr(0), ^uintptr(0))},
	{name: "be another group", stop: rootly, root: true, alone: true, try: func(*victim) error {
		_, err := call(unix.SYS_SETRESGID, 54321, 54321, 54321)
		return err
	}},
	{name: "take capabilities", stop: rootly, root: true, alone: true, try: func(*victim) error {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_SYS_ADMIN, Permitted: 1 << unix.CAP_SYS_ADMIN}}
		return unix.Capset(&hdr, &data[0])
	}},
	{name: "another personality", stop: only, try: ask(unix.SYS_PERSONALITY, 0xffffffff)},
	{name: "leave the network", stop: rootly, root: true, alone: true, try: ask(unix.SYS_UNSHARE, unix.CLONE_NEWNET)},
	{name: "leave the files", stop: only, alone: true, try: ask(unix.SYS_UNSHARE, unix.CLONE_FILES)},
	{name: "another root", stop: rootlier, root: true, alone: true, try: func(*victim) error { return unix.Chroot("/") }},
	{name: "mount", stop: rootly + "landlock confined_spawn ", root: true, alone: true, try: func(v *victim) error {
		return answers(unix.Mount("none", "/", "nosuchfs", 0, ""), unix.ENODEV)
	}},
	{name: "set the host's name", stop: rootly, root: true, try: func(*victim) error {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return err
		}
		return unix.Sethostname([]byte(unix.ByteSliceToString(u.Nodename[:])))
	}},
	{name: "remove a module", stop: rootly, root: true, optional: true, try: func(*victim) error {
		return answers(unix.DeleteModule("no_such_module_here", unix.O_NONBLOCK), unix.ENOENT)
	}},
	{name: "read the kernel's log", stop: rootlier, root: true, try: func(*victim) error { _, err := unix.Klogctl(3, make([]byte, 64)); return err }},
	{name: "add a key", stop: only, optional: true, try: func(v *victim) error {
		_, err := call(unix.SYS_ADD_KEY, cstr("user"), cstr("autoclave-probe"), v.buffer(), 4, ^uintptr(1)) // the process's keyring
		return err
	}},
	{name: "a timer that signals", stop: only, alone: true, try: func(v *victim) error {
		_, err := call(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, v.buffer())
		return err
	}},

	// What the kernel would tell.
	{name: "name the machine", stop: only, try: func(*victim) error { return unix.Uname(&unix.Utsname{}) }},
	{name: "the machine's state", stop: only, try: func(*victim) error { return unix.Sysinfo(&unix.Sysinfo_t{}) }},
	{name: "random numbers", stop: only, try: func(v *victim) error { _, err := call(unix.SYS_GETRANDOM, v.buffer(), 8, 0); return err }},
	{name: "adjust the clock", stop: only, try: func(*victim) error { _, err := unix.Adjtimex(&unix.Timex{}); return err }},
	{name: "own user id", stop: only, try: ask(unix.SYS_GETUID)},
	{name: "own parent", stop: only, try: ask(unix.SYS_GETPPID)},

	// Other doors into the kernel.
	{name: "a 32-bit call", stop: only, optional: true, try: int80},
	{name: "an x32 call", stop: only, never: true, try: ask(0x40000000 | 39)},
	{name: "a call that there is not", stop: only, never: true, try: ask(9999)},
	{name: "a negative call", stop: only, never: true, try: ask(^uintptr(0))},
}
