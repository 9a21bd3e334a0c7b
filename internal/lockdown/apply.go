package lockdown

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// ErrParentGone is what Apply returns in a worker whose host has died.
var ErrParentGone = errors.New("the host that started this worker is gone")

// maxStack bounds a goroutine's stack in bytes, so that recursion ends the
// process before the machine's memory is gone.
const maxStack = 64 << 20

// Apply confines the process that calls it, for good. A worker calls it once,
// on the goroutine that is locked to its thread, after its start and before it
// has read a byte of a program.
//
// The report has each layer, active or not; that one is missing is no error:
// whether it may be is the host's to judge. After an error the process is of
// no use, as it may be half confined.
//
// Afterwards the process can read standard input (blocking reads, or ppoll on
// it alone), write standard output and error, allocate, start goroutines, wait
// and exit. It can open, close or create nothing: a file that was closed for
// the process here must not be closed again by it. time.Local is UTC, and so
// is TZ.
func Apply(p Profile) (Report, error) {
	p, err := p.withDefaults()
	if err != nil {
		return Report{}, err
	}
	// Before anything is set in it.
	environment := os.Environ()
	// Setting it, to whatever value, ends the runtime's asking the kernel
	// each second how many processors there are.
	runtime.GOMAXPROCS(p.Procs)
	debug.SetMaxStack(maxStack)
	// Zone data would be read from files at the first use of a date: Go's by
	// time.Local, the C library's by TZ.
	time.Local = time.UTC
	if err := os.Setenv("TZ", "UTC0"); err != nil {
		return Report{}, err
	}
	if p.Off {
		return newReport(allInactive(workerLayers, reasonOff)), nil
	}
	layers, err := apply(p, environmentLayer(p, environment))
	if err != nil {
		return Report{}, err
	}
	return newReport(layers), nil
}

// environmentLayer says whether the host handed over an environment. The
// values are never told, and of the names only how many there are.
func environmentLayer(p Profile, environment []string) Layer {
	if skip(p, LayerEnvironment) {
		return inactive(LayerEnvironment, reasonSkipped)
	}
	n := 0
	for _, v := range environment {
		if v != "TZ=UTC0" {
			n++
		}
	}
	if n > 0 {
		return inactive(LayerEnvironment, "the worker was started with %d variables", n)
	}
	return active(LayerEnvironment)
}
