package lockdown

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
)

// Spawn is what a host does to each worker that it starts. Make one with
// NewSpawn on the locked thread that starts the workers, after ConfineThread.
// Its methods are safe for concurrent use.
type Spawn struct {
	options HostOptions
	layers  []Layer
	attr    attributes
	next    atomic.Uint32
}

// attributes is what was found out about this host, once.
type attributes struct {
	flags  uintptr // namespaces
	dropID bool
	// ownID says that ids of no user are mapped here, so that each worker can
	// have one.
	ownID bool
}

// The user ids from idBase on, for idCount, belong to no user and no container
// by what distributions and systemd have agreed on.
const (
	idBase  = 0x70000000
	idCount = 0x0f000000
	nobody  = 65534
)

// ownProcesses is RLIMIT_NPROC of a worker with an id of its own: the runtime
// takes fewer than twenty threads.
const ownProcesses = 64

// NewSpawn finds out what this host can do, and returns what it will do. The
// calling thread's capabilities are those that count.
func NewSpawn(o HostOptions) (*Spawn, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.GID == 0 {
		o.GID = o.UID
	}
	s := &Spawn{options: o}
	// Where two hosts share a machine, their workers should not share ids.
	var seed [4]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("choosing the workers' user ids: %w", err)
	}
	s.next.Store(binary.LittleEndian.Uint32(seed[:]) % idCount)
	if o.Off {
		s.layers = allInactive(hostLayers, reasonOff)
		return s, nil
	}
	s.attr, s.layers = inspectHost(o)
	return s, nil
}

func (o HostOptions) skip(name string) bool { return o.Off || slices.Contains(o.Skip, name) }

// Layers returns what Attr puts in place, to be added to the worker's report.
func (s *Spawn) Layers() []Layer { return slices.Clone(s.layers) }

// Attr returns the attributes of the next worker's process. They are that
// worker's alone: where the host is root, it gets a user id of its own.
func (s *Spawn) Attr() *syscall.SysProcAttr {
	id := uint32(nobody)
	if s.attr.ownID {
		id = idBase + s.next.Add(1)%idCount
	}
	uid, gid := id, id
	if s.options.UID != 0 {
		uid, gid = s.options.UID, s.options.GID
	}
	return s.sysProcAttr(uid, gid)
}

// Profile returns p with what depends on Attr.
func (s *Spawn) Profile(p Profile) Profile {
	if p.MaxProcesses == 0 && s.attr.dropID && s.attr.ownID && s.options.UID == 0 {
		p.MaxProcesses = ownProcesses
	}
	return p
}

// Environment returns a worker's environment: none. It is not nil, which
// package os would take for the host's own.
func (s *Spawn) Environment() []string { return []string{} }

// HostAttr is NewSpawn for a host that uses the same attributes for all its
// workers: they share a user id, and their number of processes is not limited.
func HostAttr(o HostOptions) (*syscall.SysProcAttr, []Layer, error) {
	s, err := NewSpawn(o)
	if err != nil {
		return nil, nil, err
	}
	return s.Attr(), s.Layers(), nil
}

// StartThread runs f on a new goroutine that has a thread to itself, and
// returns at once. The thread ends when f returns: nothing that f has done to
// it reaches another goroutine. It is never the process's main thread, which
// the runtime cannot end, so that neither would what f has done to it, nor
// would the workers die that it has started.
func StartThread(f func()) {
	go func() {
		// Locked when the goroutine ends: the runtime ends the thread.
		runtime.LockOSThread()
		if !onMainThread() {
			f()
			return
		}
		// While this goroutine holds the main thread, another cannot get it.
		started := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(started)
			f()
		}()
		<-started
		runtime.UnlockOSThread()
	}()
}

// EmptyDir makes a directory in which there is nothing and can be nothing:
// read-only, and without a name by the time that it is returned. The caller
// closes it, after the last worker has started in /proc/self/fd/N.
func EmptyDir() (*os.File, error) {
	name, err := os.MkdirTemp("", "autoclave-")
	if err != nil {
		return nil, fmt.Errorf("making an empty directory: %w", err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening an empty directory: %w", err), os.Remove(name))
	}
	// Whoever the worker is, it has to be able to enter.
	if err := errors.Join(f.Chmod(0o555), os.Remove(name)); err != nil {
		f.Close()
		return nil, fmt.Errorf("making a directory read-only: %w", err)
	}
	return f, nil
}
