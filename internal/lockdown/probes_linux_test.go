//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// targets are what victims try things at.
type targets struct {
	Dir       string // writable by all; has the files rename, link, unlink, truncate, write, read
	TCP, UDP  int    // ports on 127.0.0.1
	Unix      string // a socket in Dir
	Abstract  string
	Bystander int // a process of the victim's kind that is not confined
	Parent    int // the host
}

// A probe is one thing that a worker which has been taken over might do by
// itself, without the engine.
type probe struct {
	name string
	// try returns nil where the kernel did what was asked.
	try func(v *victim) error
	// stop are the layers of which each alone keeps it from being done. What
	// seccomp stops dies of it, unless it is not in this list. A name with a
	// colon is for some victims only: ":nonroot", whose user id is not 0;
	// ":nocap", who have no capabilities; ":noresource", who may not raise
	// limits; ":caps", whose host has capabilities; of some builds, ":cgo" and
	// ":nocgo". The word mild says that in a cgo build seccomp answers with an
	// error instead of killing.
	stop string
	// root is for what only root may do at all.
	root bool
	// alone has an effect on what comes after it in the same process.
	alone bool
	// optional is for what not every kernel has, or lets everyone have: where
	// it fails with no layer active it is not there.
	optional bool
	// never is for what fails without any layer, too; it must die of seccomp
	// nevertheless.
	never bool
	// slow is tried in fewer combinations.
	slow bool
}

func call(nr uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

// ask makes a call for its error alone.
func ask(nr uintptr, args ...uintptr) func(*victim) error {
	return func(*victim) error {
		_, err := call(nr, args...)
		return err
	}
}

// answers takes an error for success: the call went through to where it is
// found to be impossible here.
func answers(err error, fine ...error) error {
	for _, f := range fine {
		if errors.Is(err, f) {
			return nil
		}
	}
	return err
}

func closing(fd int, err error) error {
	if err == nil {
		unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	}
	return err
}

func cstr(s string) uintptr {
	b := append([]byte(s), 0)
	kept = append(kept, b)
	return addressOf(b)
}

// kept holds what was passed to the kernel as a number.
var kept [][]byte

func (v *victim) file(name string) string { return v.Targets.Dir + "/" + name }

func (v *victim) buffer() uintptr { return addressOf(v.scratch) }

func openFile(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
	return closing(fd, err)
}

func socketOf(domain, kind, proto int) func(*victim) error {
	return func(*victim) error { return closing(unix.Socket(domain, kind, proto)) }
}

func connectTo(kind int, addr func(*victim) unix.Sockaddr) func(*victim) error {
	return func(v *victim) error {
		a := addr(v)
		domain := unix.AF_INET
		if _, ok := a.(*unix.SockaddrUnix); ok {
			domain = unix.AF_UNIX
		}
		s, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		if kind == unix.SOCK_DGRAM {
			return unix.Sendto(s, []byte("x"), 0, a)
		}
		return unix.Connect(s, a)
	}
}

func loopback(port int) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

// forked makes a process that ends at once, by a call that returns twice.
func forked(nr uintptr, args ...uintptr) func(*victim) error {
	return func(*victim) error {
		var a [6]uintptr
		copy(a[:], args)
		pid, err := fork(nr, a)
		if err != nil {
			return err
		}
		_, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, pid, 0, unix.WALL, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	}
}

// fork is apart so that the child does nothing but end. The runtime is not
// told of it.
//
//go:norace
//go:nosplit
func fork(nr uintptr, a [6]uintptr) (uintptr, error) {
	pid, _, errno := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno == 0 && pid == 0 {
		for {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	if errno != 0 {
		return 0, errno
	}
	return pid, nil
}

func mapped(prot, flags uintptr, size uintptr) error {
	addr, err := call(unix.SYS_MMAP, 0, size, prot, flags|unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	if err == nil {
		unix.RawSyscall(unix.SYS_MUNMAP, addr, size, 0)
	}
	return err
}

// execute replaces the process. Its success is that it does not return.
func execute(path string) func(*victim) error {
	return func(*victim) error {
		argv := [2]uintptr{cstr(argExecuted), 0}
		_, err := call(unix.SYS_EXECVE, cstr(path), uintptr(unsafe.Pointer(&argv)), 0)
		return err
	}
}

func executeMemory(*victim) error {
	fd, err := unix.MemfdCreate("x", 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, exitELF); err != nil {
		return err
	}
	argv := [2]uintptr{cstr(argExecuted), 0}
	_, err = call(unix.SYS_EXECVEAT, uintptr(fd), cstr(""), uintptr(unsafe.Pointer(&argv)), 0, unix.AT_EMPTY_PATH)
	return err
}

func int80(v *victim) error {
	if v.int80 == 0 {
		return unix.ENOSYS
	}
	code := v.int80
	p := &code
	f := *(*func() uintptr)(unsafe.Pointer(&p))
	if pid := int32(f()); pid < 0 {
		return unix.Errno(-pid)
	}
	return nil
}

// creep takes gigabytes of memory in the way in which the limit of data is
// counted too late: reserved without access, and made writable piece by piece.
func creep(*victim) error {
	const piece = 64 << 20
	size := uintptr(7 << 29)
	if isCgo() {
		size = 11 << 29 // more is reserved there
	}
	addr, err := call(unix.SYS_MMAP, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	if err != nil {
		return err
	}
	defer unix.RawSyscall(unix.SYS_MUNMAP, addr, size, 0)
	for at := addr; at < addr+size; at += piece {
		if _, err := call(unix.SYS_MMAP, at, piece, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED, ^uintptr(0), 0); err != nil {
			return err
		}
	}
	return nil
}

// threads makes more threads than a worker may have; the runtime cannot go on
// where it is refused one.
func threads(*victim) error {
	const n = 200
	ready := make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			select {}
		}()
	}
	for range n {
		select {
		case <-ready:
		case <-time.After(10 * time.Second):
			return unix.EAGAIN
		}
	}
	return nil
}

func raiseLimit(*victim) error {
	l := unix.Rlimit{Cur: 4096, Max: 4096}
	if _, err := call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&l)), 0); err != nil {
		return err
	}
	return closing(unix.Dup(0))
}

func iovec(v *victim) uintptr {
	p := (*[2]uintptr)(unsafe.Pointer(unsafe.SliceData(v.scratch)))
	p[0], p[1] = v.buffer()+64, 8
	return v.buffer()
}

func clone3(*victim) error {
	// struct clone_args up to exit_signal, and the rest of its first version.
	args := [8]uint64{4: uint64(unix.SIGCHLD)}
	return forked(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))(nil)
}

// openHandle opens a file by its handle, past all directories.
func openHandle(*victim) error {
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/etc/passwd", 0)
	if err != nil {
		return err
	}
	mount, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	return closing(unix.OpenByHandleAt(mount, h, unix.O_RDONLY))
}

// probeDeed tries its probes one after the other and says before each that it
// does, so that the host knows which one it died of.
func probeDeed(v *victim) int {
	for _, i := range v.Probes {
		say(fmt.Sprintf("try %d", i))
		if err := probes[i].try(v); err != nil {
			say(fmt.Sprintf("no %d %v", i, err))
			continue
		}
		say(fmt.Sprintf("yes %d", i))
	}
	return 0
}
