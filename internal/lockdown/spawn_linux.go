//go:build linux && (amd64 || arm64)

package lockdown

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaceFlags are the namespaces that need no preparation by root: nothing
// is mounted in them and no address is given.
const namespaceFlags = unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// spawnCapabilities are what the spawning thread keeps: becoming another user,
// making namespaces, and killing who has become another user.
const spawnCapabilities = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_KILL

func inspectHost(o HostOptions) (attributes, []Layer) {
	var a attributes
	layers := []Layer{active(LayerSession), active(LayerParentDeath)}
	for i, l := range layers {
		if o.skip(l.Name) {
			layers[i] = inactive(l.Name, reasonSkipped)
		}
	}
	caps, err := heldCapabilities()
	if err != nil {
		caps = capabilitySets{}
	}
	layers = append(layers, a.inspectID(o, caps.effective), a.inspectNamespaces(o, caps.effective),
		inactive(LayerCgroup, "this version makes no control groups: memory is bounded by rlimits"))
	return a, layers
}

func (a *attributes) inspectID(o HostOptions, caps uint64) Layer {
	if o.skip(LayerUID) {
		return inactive(LayerUID, reasonSkipped)
	}
	if os.Geteuid() != 0 && caps&(1<<unix.CAP_SETUID) == 0 {
		return inactive(LayerUID, "the host is no root: workers have its own user id")
	}
	const need = 1<<unix.CAP_SETUID | 1<<unix.CAP_KILL
	if caps&need != need {
		return inactive(LayerUID, "the host is root without CAP_SETUID or CAP_KILL: workers are root, too, without capabilities")
	}
	if caps&(1<<unix.CAP_SETGID) == 0 {
		return inactive(LayerUID, "the host is root without CAP_SETGID: a worker would keep its groups")
	}
	// The thread may be confined already: files are read on another.
	mapped := make(chan func(uint32) bool, 1)
	go func() { mapped <- mappedIDs() }()
	has := <-mapped
	switch {
	case o.UID != 0:
		a.dropID = true
	case has(idBase) && has(idBase+idCount-1):
		a.dropID, a.ownID = true, true
	case has(nobody):
		a.dropID = true
		return weakened(LayerUID, "workers share the user id %d: this user namespace maps no others that could be theirs", nobody)
	default:
		return inactive(LayerUID, "this user namespace maps no user id that could be a worker's")
	}
	return active(LayerUID)
}

// mappedIDs reports which user and group ids exist in this user namespace.
func mappedIDs() func(uint32) bool {
	read := func(name string) [][2]uint64 {
		var out [][2]uint64
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil
		}
		for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
			var inside, outside, count uint64
			if _, err := fmt.Sscan(s.Text(), &inside, &outside, &count); err == nil {
				out = append(out, [2]uint64{inside, inside + count})
			}
		}
		return out
	}
	maps := [][][2]uint64{read("/proc/self/uid_map"), read("/proc/self/gid_map")}
	return func(id uint32) bool {
		for _, m := range maps {
			found := false
			for _, r := range m {
				found = found || uint64(id) >= r[0] && uint64(id) < r[1]
			}
			if !found {
				return false
			}
		}
		return true
	}
}

func (a *attributes) inspectNamespaces(o HostOptions, caps uint64) Layer {
	if o.skip(LayerNamespaces) {
		return inactive(LayerNamespaces, reasonSkipped)
	}
	if caps&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return inactive(LayerNamespaces, "the host has no CAP_SYS_ADMIN (user namespaces are not used: from a large host they cost a copy of its page tables for each worker)")
	}
	// By trying, on a thread that is thrown away: a filter around the host may
	// forbid it although the capability is there.
	err := onThread(func() error { return unix.Unshare(namespaceFlags) })
	if err != nil {
		return inactive(LayerNamespaces, "making them: %v", err)
	}
	a.flags = namespaceFlags
	return active(LayerNamespaces)
}

func (s *Spawn) sysProcAttr(uid, gid uint32) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: s.attr.flags}
	// Killing a worker's group needs a group, switched off or not. A session
	// is a group, too.
	if s.options.skip(LayerSession) {
		a.Setpgid = true
	} else {
		a.Setsid = true
	}
	if !s.options.skip(LayerParentDeath) {
		a.Pdeathsig = syscall.SIGKILL
	}
	if s.attr.dropID {
		a.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return a
}

// onThread runs f on a thread that ends with it, whatever f did to it.
func onThread(f func() error) error {
	result := make(chan error, 1)
	StartThread(func() { result <- f() })
	return <-result
}

func onMainThread() bool { return unix.Gettid() == unix.Getpid() }

// ConfineThread confines the calling thread, for good: no_new_privs, only the
// capabilities that spawning needs, and landlock, which leaves it the
// executable of this process, and where that is linked with libraries those,
// to read and execute. A worker that it spawns is so from before its first
// instruction, while package initialisers run, and in a cgo build all its
// threads inherit what Go could not put on each.
//
// The goroutine must be locked to its thread and must not be unlocked, as
// those of StartThread are. The
// thread must live as long as the workers: with it they die, where
// LayerParentDeath is active. The thread can open no file afterwards; what it
// does needs none. Other threads of the process are not touched.
//
// The layers say what was achieved; an error is a thread that may be half
// confined.
//
// others are files that are to be read and executed besides: an engine's
// executable and its libraries. One that is not there is left out.
func ConfineThread(others ...string) ([]Layer, error) {
	executables, err := openExecutables()
	if err != nil {
		return nil, fmt.Errorf("confining the spawning thread: %w", err)
	}
	for _, path := range others {
		if fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
			executables = append(executables, fd)
		}
	}
	defer func() {
		for _, fd := range executables {
			_ = unix.Close(fd)
		}
	}()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return []Layer{inactive(LayerConfinedSpawn, "prctl(PR_SET_NO_NEW_PRIVS): %v", err)}, nil
	}
	if err := keepCapabilities(spawnCapabilities); err != nil {
		return nil, fmt.Errorf("confining the spawning thread: dropping its capabilities: %w", err)
	}
	r, err := newLandlockRuleset()
	if err != nil {
		return []Layer{inactive(LayerConfinedSpawn, "%v", err)}, nil
	}
	defer r.close()
	for _, fd := range executables {
		if err := r.allow(fd, unix.LANDLOCK_ACCESS_FS_EXECUTE|unix.LANDLOCK_ACCESS_FS_READ_FILE); err != nil {
			return nil, fmt.Errorf("confining the spawning thread: %w", err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); errno != 0 {
		return []Layer{inactive(LayerConfinedSpawn, "landlock_restrict_self: %v", errno)}, nil
	}
	if err := errors.Join(landlockHolds(), r.holdsNet()); err != nil {
		return []Layer{inactive(LayerConfinedSpawn, "it was put in place, and %v", err)}, nil
	}
	if l := r.lacks(); l != "" {
		return []Layer{weakened(LayerConfinedSpawn, "%s", l)}, nil
	}
	return []Layer{active(LayerConfinedSpawn)}, nil
}

// keepCapabilities drops all capabilities of the calling thread but these.
func keepCapabilities(keep uint64) error {
	held, err := heldCapabilities()
	if err != nil {
		return err
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		shift := 32 * i
		data[i].Effective = uint32(held.effective & keep >> shift)
		data[i].Permitted = uint32(held.permitted & keep >> shift)
	}
	return unix.Capset(&hdr, &data[0])
}

// openExecutables opens, as paths only, the files whose code this process runs:
// its executable, and in a dynamically linked one the loader and the
// libraries. A worker is the same executable and needs the same.
func openExecutables() ([]int, error) {
	exe, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening /proc/self/exe: %w", err)
	}
	fds := []int{exe}
	raw, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		_ = unix.Close(exe)
		return nil, err
	}
	// The loader looks libraries up in its cache before it searches for them.
	paths := map[string]bool{"/etc/ld.so.cache": true}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) >= 6 && strings.Contains(fields[1], "x") && strings.HasPrefix(fields[5], "/") {
			paths[strings.TrimSuffix(line[strings.IndexByte(line, '/'):], "\n")] = true
		}
	}
	for path := range paths {
		// One that is gone, as is a replaced executable, cannot be looked up
		// by its name by a worker either.
		if fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}
