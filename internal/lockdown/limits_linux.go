//go:build linux && (amd64 || arm64)

package lockdown

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setLimit sets both the soft and the hard limit, and looks whether they are.
// A hard limit that is lower already stays.
func setLimit(name string, resource int, soft, hard uint64) error {
	var have unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &have); err != nil {
		return fmt.Errorf("reading RLIMIT_%s: %w", name, err)
	}
	want := unix.Rlimit{Cur: min(soft, have.Max), Max: min(hard, have.Max)}
	if err := unix.Prlimit(0, resource, &want, nil); err != nil {
		return fmt.Errorf("setting RLIMIT_%s to %d: %w", name, want.Max, err)
	}
	if err := unix.Prlimit(0, resource, nil, &have); err != nil || have != want {
		return fmt.Errorf("RLIMIT_%s was set to %d and reads back as %d (%v)", name, want.Max, have.Max, err)
	}
	return nil
}

// noFile is RLIMIT_NOFILE. It is one and not zero because ppoll refuses more
// descriptors than that, and the worker waits for standard input with it.
// Descriptor 0 is open, so that no other can be made.
const noFile = 1

// rlimits takes away what a worker never needs: new descriptors, growing
// files, core dumps, locked memory, message queues and priority.
func (w *process) rlimits() Layer {
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
		{"NOFILE", unix.RLIMIT_NOFILE, noFile},
	} {
		if err := setLimit(l.name, l.resource, l.value, l.value); err != nil {
			return inactive(LayerRlimits, "%v", err)
		}
	}
	if fd, err := unix.Dup(0); err == nil {
		_ = unix.Close(fd)
		return inactive(LayerRlimits, "they were set, and a descriptor could still be made")
	} else if err != unix.EMFILE {
		return inactive(LayerRlimits, "making a descriptor fails with %v where %v was due: is standard input open?", err, unix.EMFILE)
	}
	return active(LayerRlimits)
}

// memory bounds the address space and the data. The limit of data alone can be
// walked around (memory mapped without access and then remapped is counted one
// call late), that of the address space counts what is only reserved: both.
func (w *process) memory() Layer {
	if raceBuild {
		return inactive(LayerMemory, "the race detector's shadow memory takes the whole address space")
	}
	data, address := w.profile.memoryLimits(w.cgo)
	if err := setLimit("DATA", unix.RLIMIT_DATA, data, data); err != nil {
		return inactive(LayerMemory, "%v", err)
	}
	if err := setLimit("AS", unix.RLIMIT_AS, address, address); err != nil {
		return inactive(LayerMemory, "%v", err)
	}
	for _, m := range []struct {
		what string
		size uint64
		prot uintptr
	}{
		{"address space", address, unix.PROT_NONE},
		{"memory", data, unix.PROT_READ | unix.PROT_WRITE},
	} {
		addr, _, errno := unix.RawSyscall6(unix.SYS_MMAP, 0, uintptr(m.size), m.prot,
			unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE, ^uintptr(0), 0)
		if errno == 0 {
			unix.RawSyscall(unix.SYS_MUNMAP, addr, uintptr(m.size), 0)
			return inactive(LayerMemory, "the limits were set, and %d bytes of %s more could still be had", m.size, m.what)
		}
	}
	return active(LayerMemory)
}

func (w *process) processes() Layer {
	n := uint64(w.profile.MaxProcesses)
	if n == 0 {
		return inactive(LayerProcesses, "the kernel counts all processes of a user id, and the worker has none of its own (the seccomp filter forbids processes nevertheless, not threads)")
	}
	if err := setLimit("NPROC", unix.RLIMIT_NPROC, n, n); err != nil {
		return inactive(LayerProcesses, "%v", err)
	}
	return active(LayerProcesses)
}

// sigaction is the kernel's struct, the same on amd64 and arm64 in its size.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// cpu bounds the processor time. Go ignores the signal of the soft limit; its
// default is restored, so that the death names its cause.
func (w *process) cpu() Layer {
	if w.profile.CPU == 0 {
		return inactive(LayerCPU, "no limit is configured (the host measures each program)")
	}
	var dfl sigaction
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGXCPU), uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0); errno != 0 {
		return inactive(LayerCPU, "restoring SIGXCPU: %v", errno)
	}
	seconds := uint64(math.Ceil(float64(w.profile.CPU) / float64(time.Second)))
	if err := setLimit("CPU", unix.RLIMIT_CPU, seconds, seconds+1); err != nil {
		return inactive(LayerCPU, "%v", err)
	}
	return active(LayerCPU)
}
