//go:build linux && (amd64 || arm64)

package lockdown

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// execFiles is RLIMIT_NOFILE of another executable: an event loop has four
// descriptors, and each thread that has one needs as many.
const execFiles = 128

func applyExec(p Profile, x Exec, environment Layer) ([]Layer, func() error, error) {
	w := &process{profile: p}
	if err := w.checkParent(); err != nil {
		return nil, nil, err
	}
	call, err := x.prepare()
	if err != nil {
		return nil, nil, err
	}
	// Only this thread lives on, so what a thread has is all that matters, in
	// a cgo build too.
	steps := []struct {
		name string
		do   func() Layer
	}{
		{LayerDescriptors, x.descriptors},
		{LayerNoNewPrivs, func() Layer {
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				return inactive(LayerNoNewPrivs, "prctl(PR_SET_NO_NEW_PRIVS): %v", err)
			}
			return active(LayerNoNewPrivs)
		}},
		{LayerCapabilities, func() Layer {
			if err := keepCapabilities(0); err != nil {
				return inactive(LayerCapabilities, "capset: %v", err)
			}
			if held, err := heldCapabilities(); err != nil || held != (capabilitySets{}) {
				return inactive(LayerCapabilities, "they were dropped, and read back as %+v (%v)", held, err)
			}
			return active(LayerCapabilities)
		}},
		{LayerNotDumpable, func() Layer {
			return inactive(LayerNotDumpable, "executing another program makes a process dumpable again: processes of the same user can look into it, where they can at all")
		}},
		{LayerLandlock, x.landlock},
		{LayerMemory, func() Layer { return x.memory(p) }},
		{LayerProcesses, w.processes},
		{LayerCPU, w.cpu},
		{LayerExecMemory, func() Layer { return x.execMemory(w) }},
		{LayerRlimits, x.rlimits},
		{LayerSeccomp, func() Layer { return x.seccomp(p, call) }},
	}
	layers := []Layer{environment}
	for _, step := range steps {
		switch {
		case p.Off:
			layers = append(layers, inactive(step.name, reasonOff))
		case skip(p, step.name):
			layers = append(layers, inactive(step.name, reasonSkipped))
		default:
			layers = append(layers, step.do())
		}
	}
	if p.Off {
		layers[0] = inactive(LayerEnvironment, reasonOff)
		if l := x.descriptors(); !l.Active {
			return nil, nil, errors.New(l.Reason)
		}
	}
	return layers, call.run, nil
}

// execCall is the one system call that executes x. Its arguments lie at
// addresses that only this process knows: the filter lets no other be made.
type execCall struct {
	file       int
	path, argv uintptr
	envp       uintptr
}

func (c execCall) run() error {
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(c.file), c.path, c.argv, c.envp, unix.AT_EMPTY_PATH, 0)
	return errno
}

// prepare lays the arguments down at a random place.
func (x Exec) prepare() (execCall, error) {
	page := unix.Getpagesize()
	var texts []byte
	offset := func(s string) int {
		at := len(texts)
		texts = append(append(texts, s...), 0)
		return at
	}
	offset("") // the empty path
	var argv, envp []int
	for _, s := range x.Arguments {
		argv = append(argv, offset(s))
	}
	for _, s := range x.Environment {
		envp = append(envp, offset(s))
	}
	lists := (len(texts) + 7) &^ 7
	size := lists + 8*(len(argv)+len(envp)+2)
	size = (size + page - 1) &^ (page - 1)
	for range 64 {
		var seed [8]byte
		if _, err := rand.Read(seed[:]); err != nil {
			return execCall{}, fmt.Errorf("choosing an address: %w", err)
		}
		// Within what user space has everywhere, and above what is in use.
		hint := uintptr(1<<32+binary.LittleEndian.Uint64(seed[:])%(1<<45)) &^ uintptr(page-1)
		addr, _, errno := unix.RawSyscall6(unix.SYS_MMAP, hint, uintptr(size), unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
		if errno != 0 || addr != hint {
			if errno == 0 {
				unix.RawSyscall(unix.SYS_MUNMAP, addr, uintptr(size), 0)
			}
			continue
		}
		// The address is the kernel's, not the collector's.
		mem := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), size)
		copy(mem, texts)
		put := func(at int, list []int) uintptr {
			for i, o := range list {
				binary.NativeEndian.PutUint64(mem[at+8*i:], uint64(addr)+uint64(o))
			}
			return addr + uintptr(at)
		}
		c := execCall{file: x.File, path: addr, argv: put(lists, argv)}
		c.envp = put(lists+8*(len(argv)+1), envp)
		return c, nil
	}
	return execCall{}, errors.New("no address is free for the arguments")
}

// descriptors leaves the new process what it is to have.
func (x Exec) descriptors() Layer {
	if err := unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		// Before Linux 5.11. The runtime and this package make no other.
		for fd := 3; fd < 1024; fd++ {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		}
	}
	for _, fd := range x.Keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return inactive(LayerDescriptors, "keeping descriptor %d: %v", fd, err)
		}
	}
	return weakened(LayerDescriptors, "beside the protocol's pipes it has those to the process that parses programs for it, and its event loops' own")
}

// landlock leaves the executable and its libraries to be read, and the
// executable to be executed.
func (x Exec) landlock() Layer {
	r, err := newLandlockRuleset()
	if err != nil {
		return inactive(LayerLandlock, "%v", err)
	}
	defer r.close()
	const readExecute = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
	if err := r.allow(x.File, readExecute); err != nil {
		return inactive(LayerLandlock, "%v", err)
	}
	for _, path := range x.Readable {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // it will not find it either
		}
		// The loader is executed by the kernel; it is among them.
		err = r.allow(fd, readExecute)
		_ = unix.Close(fd)
		if err != nil {
			return inactive(LayerLandlock, "%s: %v", filepath.Base(path), err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); errno != 0 {
		return inactive(LayerLandlock, "landlock_restrict_self: %v", errno)
	}
	if err := errors.Join(landlockHolds(), r.holdsNet()); err != nil {
		return inactive(LayerLandlock, "it was put in place, and %v", err)
	}
	reason := "the engine's executable and its libraries stay readable"
	if l := r.lacks(); l != "" {
		reason += "; " + l
	}
	return weakened(LayerLandlock, "%s", reason)
}

// What V8 and Node.js map for themselves: stacks of some ten threads, code, and
// the heaps of isolates that are armed beside the one that runs. What V8
// reserves and does not use is address space alone.
const (
	execData    = 448 << 20
	execReserve = 16 << 30
)

func (x Exec) memory(p Profile) Layer {
	if raceBuild && p.HeapLimit == 0 {
		return inactive(LayerMemory, "no limit of the heap is known")
	}
	data := 2*uint64(p.HeapLimit) + execData + uint64(x.Reserve)
	address := data + execReserve
	if err := setLimit("DATA", unix.RLIMIT_DATA, data, data); err != nil {
		return inactive(LayerMemory, "%v", err)
	}
	if err := setExecAS(address); err != nil {
		return inactive(LayerMemory, "%v", err)
	}
	return weakened(LayerMemory, "V8 reserves address space that it does not use: the limit of that is %d GiB, and the limit of data alone, %d MiB, can be passed by remapping once", address>>30, data>>20)
}

// setExecAS sets the limit of the address space; under the race detector this
// process has more than that already, and what it executes has not.
func setExecAS(address uint64) error {
	return setLimit("AS", unix.RLIMIT_AS, address, address)
}

func (x Exec) execMemory(w *process) Layer {
	if x.ExecutableMemory {
		return inactive(LayerExecMemory, "the engine's compiler makes code while it runs: jitless = true gives that up")
	}
	l := w.execMemory()
	if !l.Active {
		return l
	}
	return active(LayerExecMemory)
}

func (x Exec) rlimits() Layer {
	for _, l := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"CORE", unix.RLIMIT_CORE, 0},
		{"FSIZE", unix.RLIMIT_FSIZE, 0},
		{"MEMLOCK", unix.RLIMIT_MEMLOCK, 0},
		{"MSGQUEUE", unix.RLIMIT_MSGQUEUE, 0},
		{"NICE", unix.RLIMIT_NICE, 0},
		{"RTPRIO", unix.RLIMIT_RTPRIO, 0},
		{"NOFILE", unix.RLIMIT_NOFILE, execFiles},
	} {
		if err := setLimit(l.name, l.resource, l.value, l.value); err != nil {
			return inactive(LayerRlimits, "%v", err)
		}
	}
	return weakened(LayerRlimits, "%d descriptors, for event loops", execFiles)
}

func (x Exec) seccomp(p Profile, call execCall) Layer {
	pol, err := execPolicy(execInput{
		arch: runtime.GOARCH, trap: p.Trap, executable: x.ExecutableMemory, pid: unix.Getpid(),
		file: call.file, path: uint64(call.path), argv: uint64(call.argv), envp: uint64(call.envp),
	})
	if err != nil {
		return inactive(LayerSeccomp, "%v", err)
	}
	prog, err := pol.Program()
	if err != nil {
		return inactive(LayerSeccomp, "%v", err)
	}
	if slices.Contains(p.Skip, LayerNoNewPrivs) {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return inactive(LayerSeccomp, "prctl(PR_SET_NO_NEW_PRIVS): %v", err)
		}
	}
	if err := loadFilter(prog, 0); err != nil {
		return inactive(LayerSeccomp, "%v", err)
	}
	if err := filterHolds(); err != nil {
		return inactive(LayerSeccomp, "it was loaded, and %v", err)
	}
	if p.Trap {
		return inactive(LayerSeccomp, "it is loaded in debugging mode, in which a forbidden call is a signal that can be caught")
	}
	what := "the wider profile of another executable: threads, event loops, files to be opened where landlock lets them"
	if x.ExecutableMemory {
		what += ", executable memory"
	}
	return weakened(LayerSeccomp, "%s", what)
}
