// Package lockdown takes from a worker process all that it does not need, says
// exactly what it took, and tells afterwards how such a process died.
//
// It has three parts. What the host does at spawn: ConfineThread, Spawn and
// HostAttr. What the worker does to itself, before it reads a byte of a
// program: Apply. And what the host holds the result to: Verify, Require and
// Explain. On Linux all of it works; elsewhere the reports say what is missing.
//
// It must not know what a worker runs, how it talks to its host, or what is
// done about a worker that falls below the floor.
package lockdown

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level sums a Report up in one word.
type Level string

// The levels, from the strongest. Strict is seccomp, no_new_privs, no
// capabilities, resource limits, landlock and an empty environment; Partial
// lacks some of these; None has none that would hold a worker back.
const (
	Strict  Level = "strict"
	Partial Level = "partial"
	None    Level = "none"
)

func (l Level) rank() int { return slices.Index([]Level{None, Partial, Strict}, l) }

// The layers by name. Those that the host puts in place at spawn come first.
const (
	LayerConfinedSpawn = "confined_spawn"      // no_new_privs and landlock before the worker's first instruction
	LayerSession       = "session"             // a session and process group of its own
	LayerParentDeath   = "parent_death_signal" // the worker dies with the host's spawning thread
	LayerUID           = "unprivileged_uid"    // a root host's worker is nobody's
	LayerNamespaces    = "namespaces"          // pid, net, mount, ipc, uts and cgroup namespaces
	LayerCgroup        = "cgroup"              // memory and pids by a control group

	LayerEnvironment  = "environment"   // empty
	LayerDescriptors  = "descriptors"   // only the protocol's pipes
	LayerNoNewPrivs   = "no_new_privs"  // no exec gains anything
	LayerCapabilities = "capabilities"  // none
	LayerNotDumpable  = "not_dumpable"  // no ptrace, no core, /proc/PID is root's
	LayerLandlock     = "landlock"      // no file, TCP port, abstract socket; no signal to others
	LayerRlimits      = "rlimits"       // no new descriptor, file growth, core, locked memory
	LayerMemory       = "memory_limits" // address space and data
	LayerProcesses    = "process_limit" // processes and threads of the worker's uid
	LayerCPU          = "cpu_limit"     // processor time over the worker's life
	LayerExecMemory   = "exec_memory"   // memory cannot become executable
	LayerSeccomp      = "seccomp"       // an allowlist of system calls; all others kill
)

// strictLayers make up Strict.
var strictLayers = []string{
	LayerSeccomp, LayerNoNewPrivs, LayerCapabilities, LayerRlimits, LayerMemory, LayerLandlock, LayerEnvironment,
}

// holding are the layers of which one alone makes the level Partial.
var holding = []string{LayerSeccomp, LayerNoNewPrivs, LayerRlimits, LayerMemory, LayerLandlock}

var hostLayers = []string{
	LayerConfinedSpawn, LayerSession, LayerParentDeath, LayerUID, LayerNamespaces, LayerCgroup,
}

var workerLayers = []string{
	LayerEnvironment, LayerDescriptors, LayerNoNewPrivs, LayerCapabilities, LayerNotDumpable, LayerLandlock,
	LayerRlimits, LayerMemory, LayerProcesses, LayerCPU, LayerExecMemory, LayerSeccomp,
}

// Layers returns the names of all layers, in the order in which they are put
// in place.
func Layers() []string { return slices.Concat(hostLayers, workerLayers) }

// Layer is one protection.
type Layer struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
	// Reason says why the layer is not active; of an active one, in what it
	// is weaker than its name promises.
	Reason string `json:"reason,omitempty"`
}

func active(name string) Layer { return Layer{Name: name, Active: true} }

func weakened(name, format string, args ...any) Layer {
	return Layer{Name: name, Active: true, Reason: fmt.Sprintf(format, args...)}
}

func inactive(name, format string, args ...any) Layer {
	return Layer{Name: name, Reason: fmt.Sprintf(format, args...)}
}

// Report says what confines a worker.
type Report struct {
	Level  Level   `json:"level"`
	Layers []Layer `json:"layers"`
}

// Layer returns the layer of that name, an inactive one where the report has
// none.
func (r Report) Layer(name string) Layer {
	for _, l := range r.Layers {
		if l.Name == name {
			return l
		}
	}
	return inactive(name, "not reported")
}

// With returns the report with more layers in front, and its level anew. A
// layer that is in the report already is replaced.
func (r Report) With(layers ...Layer) Report {
	out := slices.Clone(layers)
	for _, l := range r.Layers {
		if !slices.ContainsFunc(layers, func(o Layer) bool { return o.Name == l.Name }) {
			out = append(out, l)
		}
	}
	return newReport(out)
}

func newReport(layers []Layer) Report {
	r := Report{Layers: layers}
	has := func(name string) bool { return r.Layer(name).Active }
	missing := slices.DeleteFunc(slices.Clone(strictLayers), has)
	if raceBuild {
		// The detector's shadow memory needs the whole address space. The
		// layer itself reports it.
		missing = slices.DeleteFunc(missing, func(n string) bool { return n == LayerMemory })
	}
	switch {
	case len(missing) == 0:
		r.Level = Strict
	case slices.ContainsFunc(holding, has):
		r.Level = Partial
	default:
		r.Level = None
	}
	return r
}

// Profile is what a worker applies to itself. The host hands it to the worker
// at its start, as JSON.
type Profile struct {
	// Off applies nothing. The report says so.
	Off bool `json:"off,omitempty"`
	// HeapLimit is the engine's heap, in bytes. The limits of address space
	// and data are sized from it: twice that for the engine's arena, and what
	// Go needs besides. Zero stands for 128 MiB.
	HeapLimit int64 `json:"heap_limit,omitempty"`
	// Skip names layers that are not applied: for benchmarks and tests.
	Skip []string `json:"skip,omitempty"`
	// Procs is the worker's GOMAXPROCS; zero stands for 2. It is set even
	// when Off, as it also stops the runtime from asking the kernel each
	// second how many there are.
	Procs int `json:"procs,omitempty"`
	// MaxProcesses limits the processes and threads of the worker's user id.
	// Zero is no limit: the kernel counts all that run under the id, so it is
	// right only for an id that no other process has. Spawn.Profile sets it.
	MaxProcesses int `json:"max_processes,omitempty"`
	// CPU limits the processor time of the worker's whole life, rounded up to
	// seconds; zero is no limit. It is a backstop: the host measures programs.
	CPU time.Duration `json:"cpu,omitempty"`
	// Trap makes a forbidden system call a SIGSYS that Go reports with the
	// number and a stack, instead of an end without a word. It is for
	// debugging only: what can be caught can be tried again.
	Trap bool `json:"trap,omitempty"`
}

const (
	defaultHeap  = 128 << 20
	maxHeap      = 1 << 40
	defaultProcs = 2
)

// goData is what Go may map for itself beside the engine's arena: its heap
// with the garbage of a collection cycle, frames on their way in and out, and
// stacks. goReserve is address space that it reserves and does not use; a
// worker is at 1.2 GiB before it has done anything. The C library adds to both
// in a cgo build: 8 MiB of stack for each thread, 64 MiB of arena for most.
const (
	goData     = 640 << 20
	goReserve  = 2 << 30
	cgoData    = 256 << 20
	cgoReserve = 2 << 30
)

// memoryLimits are RLIMIT_DATA and RLIMIT_AS, in bytes.
func (p Profile) memoryLimits(cgo bool) (data, address uint64) {
	data = 2*uint64(p.HeapLimit) + goData
	address = data + goReserve
	if cgo {
		data += cgoData
		address += cgoData + cgoReserve
	}
	return data, address
}

func (p Profile) withDefaults() (Profile, error) {
	if err := checkNames("Profile.Skip", p.Skip, workerLayers); err != nil {
		return p, err
	}
	switch {
	case p.HeapLimit == 0:
		p.HeapLimit = defaultHeap
	case p.HeapLimit < 0 || p.HeapLimit > maxHeap:
		return p, fmt.Errorf("Profile.HeapLimit is %d: it is a number of bytes, at most %d", p.HeapLimit, int64(maxHeap))
	}
	switch {
	case p.Procs == 0:
		p.Procs = defaultProcs
	case p.Procs < 0:
		return p, fmt.Errorf("Profile.Procs is %d: it is a number of processors", p.Procs)
	}
	if p.MaxProcesses < 0 {
		return p, fmt.Errorf("Profile.MaxProcesses is %d: it cannot be negative", p.MaxProcesses)
	}
	if p.CPU < 0 {
		return p, fmt.Errorf("Profile.CPU is %v: it cannot be negative", p.CPU)
	}
	return p, nil
}

func checkNames(field string, names, known []string) error {
	for _, n := range names {
		if !slices.Contains(known, n) {
			return fmt.Errorf("%s names %q: the layers are %s", field, n, strings.Join(known, ", "))
		}
	}
	return nil
}

// skipped are the reasons of layers that were not asked for.
const (
	reasonOff     = "the lockdown is switched off"
	reasonSkipped = "skipped by configuration"
)

func allInactive(names []string, reason string) []Layer {
	layers := make([]Layer, len(names))
	for i, n := range names {
		layers[i] = inactive(n, "%s", reason)
	}
	return layers
}

// HostOptions say what the host does when it spawns workers. The zero value is
// everything that it can.
type HostOptions struct {
	// Off does nothing but what killing a worker needs.
	Off bool
	// Skip names layers that are not put in place.
	Skip []string
	// UID and GID are what a root host's workers run as. Zero stands for an
	// id that no user has: one for each worker from Spawn, one for all from
	// HostAttr. UID without GID is the same number for both.
	UID, GID uint32
}

func (o HostOptions) check() error { return checkNames("HostOptions.Skip", o.Skip, hostLayers) }

// FloorError is a worker that is confined by less than was required.
type FloorError struct {
	Floor   Level
	Level   Level
	Missing []Layer // with the reasons
}

func (e *FloorError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the lockdown is %s", e.Level)
	if e.Level.rank() < e.Floor.rank() {
		fmt.Fprintf(&b, ", the configured floor is %s", e.Floor)
	}
	b.WriteString("; missing:")
	for i, l := range e.Missing {
		if i > 0 {
			b.WriteString(";")
		}
		fmt.Fprintf(&b, " %s", l.Name)
		if l.Reason != "" {
			fmt.Fprintf(&b, " (%s)", l.Reason)
		}
		if r := Remedy(l.Name); r != "" {
			fmt.Fprintf(&b, ", which needs %s", r)
		}
	}
	return b.String()
}

// Require holds a report to a floor and to layers that must be active besides.
// An empty floor is None. What is missing is a *FloorError.
func Require(r Report, floor Level, layers []string) error {
	if floor == "" {
		floor = None
	}
	if floor.rank() < 0 {
		return fmt.Errorf("the lockdown floor is %q: it can be %s, %s or %s", floor, Strict, Partial, None)
	}
	if err := checkNames("the list of required layers", layers, Layers()); err != nil {
		return err
	}
	e := &FloorError{Floor: floor, Level: r.Level}
	need := slices.Clone(layers)
	below := r.Level.rank() < floor.rank()
	if below {
		need = append(slices.Clone(strictLayers), need...)
	}
	for _, n := range need {
		l := r.Layer(n)
		if !l.Active && !slices.Contains(e.Missing, l) {
			e.Missing = append(e.Missing, l)
		}
	}
	if below || len(e.Missing) > 0 {
		return e
	}
	return nil
}

// Remedy says what would bring a layer that is missing, or nothing where that
// is the layer's reason's to say.
func Remedy(name string) string { return remedies[name] }

var remedies = map[string]string{
	LayerConfinedSpawn: "Linux 5.13 or later with landlock among its security modules",
	LayerUID:           "a host that runs as root with CAP_SETUID, CAP_SETGID and CAP_KILL",
	LayerNamespaces:    "a host that runs as root with CAP_SYS_ADMIN",
	LayerCgroup:        "a version of this program that uses control groups: this one does not",
	LayerEnvironment:   "a spawn with an empty environment",
	LayerNoNewPrivs:    "Linux 3.5 or later",
	LayerCapabilities:  "a host without capabilities, or one that may drop them in its workers",
	LayerLandlock:      "Linux 5.13 or later with landlock among its security modules (lsm=landlock,...), and no filter around the host that forbids its system calls",
	LayerRlimits:       "Linux, and pipes for standard input, output and error",
	LayerMemory:        "Linux, and a build without the race detector",
	LayerProcesses:     "a host that runs as root, so that each worker can have a user id of its own",
	LayerCPU:           "a Profile.CPU",
	LayerExecMemory:    "Linux 6.3 or later",
	LayerSeccomp:       "Linux 4.14 or later on amd64 or arm64, with CONFIG_SECCOMP_FILTER",
}
