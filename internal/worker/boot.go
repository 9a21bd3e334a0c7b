// Package worker is the child side of a worker process: it locks the process
// down, says hello, and runs one execution at a time on an isolate that was
// armed before it was asked for.
//
// It must not know who its host is, and it owns no limit that anyone relies
// on: what it keeps, it keeps for the sake of better messages.
package worker

import (
	"encoding/json"
	"fmt"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// Argv0 is what a worker's process is called. Together with the boot message
// it is what makes a process a worker.
const Argv0 = "autoclave-worker"

// bootMagic begins the boot message, so that a descriptor that happens to be
// open is not taken for one.
const bootMagic = "autoclave-boot-1\n"

// maxBoot bounds a boot message, in bytes. It is well below what a pipe holds,
// so that the host can write it before the worker exists.
const maxBoot = 16 << 10

// Boot is what the host hands to a worker at its start, before the protocol
// begins.
type Boot struct {
	Lockdown lockdown.Profile `json:"lockdown"`
	// HostLayers are the layers that the host has put in place at spawn.
	HostLayers []lockdown.Layer `json:"host_layers,omitempty"`
	// Heap and Stack are the limits of the first isolate: bytes, calls deep.
	Heap  int64 `json:"heap"`
	Stack int64 `json:"stack,omitempty"`
	// Lazy lets the worker hold back started until it has something else to
	// say, waits, or has computed for some milliseconds: the host can see by
	// itself whether a worker computes. It spares a system call that wakes
	// the host for nothing.
	Lazy bool `json:"lazy,omitempty"`
	// Compile makes this worker one that says what later workers can start
	// from, in a cache message, and ends: it never sees a program. Cached
	// says that a cache message comes before anything else.
	Compile bool `json:"compile,omitempty"`
	Cached  bool `json:"cached,omitempty"`
	// MaxFrame bounds a frame in bytes, both ways.
	MaxFrame int `json:"max_frame"`
	// Node makes this worker one of the V8 engine: it locks itself down and
	// becomes Node.js, whose executable is open at descriptor 4.
	Node *NodeBoot `json:"node,omitempty"`
	// Shape makes this worker a shaper: see shape_linux.go.
	Shape bool `json:"shape,omitempty"`
}

// NodeBoot is what a worker of the V8 engine is told besides.
type NodeBoot struct {
	// Readable are the files that node needs beside its executable: the
	// libraries that it is linked with.
	Readable []string `json:"readable,omitempty"`
	// Stock is how many isolates a worker keeps armed; zero is 2.
	Stock int `json:"stock,omitempty"`
	// CodeRange is what node sets aside for code, in bytes.
	CodeRange int64 `json:"code_range,omitempty"`
	// Jitless forbids memory that is written and then executed: V8
	// interprets.
	Jitless bool `json:"jitless,omitempty"`
}

// Encode returns the boot message.
func (b Boot) Encode() ([]byte, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encoding the worker's boot message: %w", err)
	}
	if len(raw)+len(bootMagic) > maxBoot {
		return nil, fmt.Errorf("the worker's boot message has %d bytes, at most %d are allowed", len(raw), maxBoot)
	}
	return append([]byte(bootMagic), raw...), nil
}

func decodeBoot(msg []byte) (Boot, error) {
	var b Boot
	if len(msg) < len(bootMagic) || string(msg[:len(bootMagic)]) != bootMagic {
		return b, fmt.Errorf("no boot message: a process is called %s, but no host started it", Argv0)
	}
	if err := json.Unmarshal(msg[len(bootMagic):], &b); err != nil {
		return b, fmt.Errorf("decoding the boot message: %w", err)
	}
	return b, nil
}
