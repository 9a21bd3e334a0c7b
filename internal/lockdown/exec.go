package lockdown

import "os"

// Exec is another executable that a worker becomes once it is locked down: an
// engine that is not ours. What confines it is put in place before, by a
// process that then executes it, and is inherited.
type Exec struct {
	// File is the descriptor of the executable. It is closed by executing it.
	File int
	// Arguments are the new process's, its name first, and Environment is all
	// that it has of one: nothing of the caller's.
	Arguments   []string
	Environment []string
	// Keep are the descriptors that it has beside standard input, output and
	// error.
	Keep []int
	// Readable are the files that it may read: its libraries.
	Readable []string
	// ExecutableMemory leaves it memory that is written and then executed,
	// which a compiler needs that compiles while it runs.
	ExecutableMemory bool
	// Reserve is what it sets aside and counts as data, in bytes, beside what
	// Profile.HeapLimit asks for.
	Reserve int64
}

// ApplyExec confines the calling thread for what x is, and returns what makes
// the process x, on that same thread: nothing of the process outlives that but
// the descriptors in x.Keep. Until then it can write to descriptors that are
// open. The caller is locked to its thread.
//
// The layers are those of Apply, as far as another executable can live with
// them; the reasons say in what they are weaker.
func ApplyExec(p Profile, x Exec) (exec func() error, report Report, err error) {
	p, err = p.withDefaults()
	if err != nil {
		return nil, Report{}, err
	}
	environment := environmentLayer(p, os.Environ())
	layers, exec, err := applyExec(p, x, environment)
	if err != nil {
		return nil, Report{}, err
	}
	return exec, newReport(layers), nil
}
