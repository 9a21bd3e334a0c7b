//go:build linux && (amd64 || arm64)

package lockdown

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlockAttr is the kernel's struct landlock_ruleset_attr up to its third
// field: an older kernel takes a longer one only where the rest is zero.
type landlockAttr struct{ fs, net, scoped uint64 }

// What the versions of the interface (the index plus one) can restrict.
var landlockABI = []landlockAttr{
	{fs: 0x1fff},
	{fs: 0x3fff},
	{fs: 0x7fff},
	{fs: 0x7fff, net: 0x3},
	{fs: 0xffff, net: 0x3},
	{fs: 0xffff, net: 0x3, scoped: 0x3},
	{fs: 0xffff, net: 0x3, scoped: 0x3},
}

// landlockNewer are restrictions of versions after those in the table. They
// are tried, and left out where the kernel does not know them.
var landlockNewer = []landlockAttr{
	{fs: 0x1ffff, net: 0xf, scoped: 0x3},
	{fs: 0x1ffff, net: 0x3, scoped: 0x3},
}

const (
	// Erratum 2: threads of one process may signal each other although each
	// is in a domain of its own. Without it the runtime could not preempt.
	landlockErratumSignals = 1 << 1
	// From this version on a process can be restricted with all its threads.
	landlockABITsync = 8
)

type landlockRuleset struct {
	fd      int
	abi     int
	handled landlockAttr
}

// newLandlockRuleset makes a ruleset that restricts all that the kernel can
// and allows nothing. The caller closes it.
func newLandlockRuleset() (landlockRuleset, error) {
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || abi == 0 {
		switch errno {
		case unix.ENOSYS:
			return landlockRuleset{}, errors.New("the kernel has no landlock")
		case unix.EOPNOTSUPP:
			return landlockRuleset{}, errors.New("landlock is switched off at the kernel's start")
		}
		return landlockRuleset{}, fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	candidates := []landlockAttr{landlockABI[min(int(abi), len(landlockABI))-1]}
	if int(abi) > len(landlockABI) {
		candidates = append(landlockNewer[:len(landlockNewer):len(landlockNewer)], candidates...)
	}
	// Where the interface cannot tell its errata, it has none of the mends.
	errata, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	if errno != 0 {
		errata = 0
	}
	var err error
	for _, attr := range candidates {
		if errata&landlockErratumSignals == 0 {
			attr.scoped &^= unix.LANDLOCK_SCOPE_SIGNAL
		}
		fd, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
		if errno == 0 {
			return landlockRuleset{fd: int(fd), abi: int(abi), handled: attr}, nil
		}
		err = fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	return landlockRuleset{}, err
}

func (r landlockRuleset) close() { _ = unix.Close(r.fd) }

// allow lets a file, opened as path, be used.
func (r landlockRuleset) allow(path int, access uint64) error {
	// Packed in the kernel: the padding that Go adds comes after all of it.
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access & r.handled.fs, Parent_fd: int32(path)}
	if _, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("landlock_add_rule: %w", errno)
	}
	return nil
}

// lacks says what the kernel's version does not restrict.
func (r landlockRuleset) lacks() string {
	switch {
	case r.handled.net == 0:
		return fmt.Sprintf("landlock's version is %d: it does not restrict TCP, device ioctls, abstract sockets or signals", r.abi)
	case r.handled.scoped == 0:
		return fmt.Sprintf("landlock's version is %d: it does not restrict abstract sockets or signals", r.abi)
	case r.handled.scoped&unix.LANDLOCK_SCOPE_SIGNAL == 0:
		return "this kernel's landlock would keep the threads of one process from signalling each other, so signals are not restricted"
	}
	return ""
}

// landlock forbids every file, TCP port and abstract socket, and signals to
// other processes. Restrictions are a thread's own: all threads are restricted
// one by one, or together where the kernel can; in a cgo build on an older
// kernel they are what the spawning thread left them.
func (w *process) landlock() Layer {
	inherited := landlockHolds() == nil
	r, err := newLandlockRuleset()
	if err != nil {
		return inactive(LayerLandlock, "%v", err)
	}
	defer r.close()
	if skip(w.profile, LayerNoNewPrivs) {
		// The kernel asks for it, or for a capability that is worth more.
		if err := w.setNoNewPrivs(); err != nil {
			return inactive(LayerLandlock, "prctl(PR_SET_NO_NEW_PRIVS): %v", err)
		}
	}
	switch {
	case r.abi >= landlockABITsync:
		if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), unix.LANDLOCK_RESTRICT_SELF_TSYNC, 0); errno != 0 {
			return inactive(LayerLandlock, "landlock_restrict_self on all threads: %v", errno)
		}
	case !w.cgo:
		if err := w.allThreads(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); err != nil {
			return inactive(LayerLandlock, "landlock_restrict_self: %v", err)
		}
	case inherited:
		reason := "inherited from the spawning thread, as this is a cgo build: the worker's executable and the libraries that it is linked with stay readable"
		if l := r.lacks(); l != "" {
			reason += "; " + l
		}
		return weakened(LayerLandlock, "%s", reason)
	default:
		return inactive(LayerLandlock, "this is a cgo build, whose threads only a confined spawning thread can restrict on this kernel, and it was not confined")
	}
	if err := landlockHolds(); err != nil {
		return inactive(LayerLandlock, "it was put in place, and %v", err)
	}
	if err := r.holdsNet(); err != nil {
		return inactive(LayerLandlock, "it was put in place, and %v", err)
	}
	if l := r.lacks(); l != "" {
		return weakened(LayerLandlock, "%s", l)
	}
	return active(LayerLandlock)
}

// landlockHolds tries what the calling thread must not be able to do: opening
// the root directory, which any user may list.
func landlockHolds() error {
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		_ = unix.Close(fd)
		return errors.New("the root directory could still be opened")
	case err != unix.EACCES:
		return fmt.Errorf("opening the root directory fails with %w where %w was due", err, unix.EACCES)
	}
	return nil
}

// holdsNet tries to connect. The port does not matter: landlock refuses
// before the network is asked.
func (r landlockRuleset) holdsNet() error {
	if r.handled.net == 0 {
		return nil
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		// No socket at all: nothing is left to restrict.
		return nil
	}
	defer unix.Close(s)
	if err := unix.Connect(s, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}); err != unix.EACCES {
		return fmt.Errorf("connecting by TCP ends with %v where %w was due", err, unix.EACCES)
	}
	return nil
}
