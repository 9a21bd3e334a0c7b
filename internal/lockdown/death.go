package lockdown

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind is how a worker died, from a closed set. It is an error, so that
// errors.Is(death, KindSIGSYS) answers.
type Kind string

func (k Kind) Error() string { return "the worker died: " + kindText[k] }

// The kinds of death.
const (
	KindHostKill    Kind = "host_kill"    // the host killed it; Detail has the reason
	KindSIGSYS      Kind = "sigsys"       // a system call that the filter forbids
	KindCPURlimit   Kind = "cpu_rlimit"   // RLIMIT_CPU
	KindOOMKernel   Kind = "oom_kernel"   // the kernel's or a control group's OOM killer
	KindGoOOM       Kind = "go_oom"       // the Go runtime was refused memory
	KindGoStack     Kind = "go_stack"     // a goroutine's stack over its limit
	KindGoThreads   Kind = "go_threads"   // the Go runtime was refused a thread
	KindGoPanic     Kind = "go_panic"     // a panic or a fatal error of the Go runtime
	KindEngineOOM   Kind = "engine_oom"   // an engine that is not ours gave up for want of memory
	KindKilled      Kind = "killed"       // SIGKILL by neither the host nor a known limit
	KindParentDeath Kind = "parent_death" // it noticed that its host was gone
	KindPipe        Kind = "pipe"         // it wrote to a pipe that was closed
	KindSignal      Kind = "signal"       // another signal
	KindExit        Kind = "exit"         // it exited by itself
	KindUnknown     Kind = "unknown"      // waiting for it failed
)

var kindText = map[Kind]string{
	KindHostKill:    "the host killed it",
	KindSIGSYS:      "it made a system call that the filter forbids",
	KindCPURlimit:   "it used up the processor time of its resource limit",
	KindOOMKernel:   "the kernel killed it for want of memory",
	KindGoOOM:       "it was refused memory",
	KindGoStack:     "a goroutine's stack grew over its limit",
	KindGoThreads:   "it was refused a thread",
	KindGoPanic:     "it panicked",
	KindEngineOOM:   "its engine was refused memory",
	KindKilled:      "it was killed, and not by this host",
	KindParentDeath: "its host was gone",
	KindPipe:        "it wrote to a closed pipe",
	KindSignal:      "a signal ended it",
	KindExit:        "it exited by itself",
	KindUnknown:     "nobody knows how",
}

// Kinds returns all kinds of death, for counters.
func Kinds() []Kind {
	return []Kind{
		KindHostKill, KindSIGSYS, KindCPURlimit, KindOOMKernel, KindGoOOM, KindGoStack, KindGoThreads, KindGoPanic,
		KindEngineOOM, KindKilled, KindParentDeath, KindPipe, KindSignal, KindExit, KindUnknown,
	}
}

// Death is how a worker died, as far as the host can tell. It is an error that
// errors.Is matches with its Kind.
//
// A hostile worker controls what it writes to standard error, its exit status
// and, by signalling itself, its signal: what rests on these alone is not
// evidence, and Claimed says so.
type Death struct {
	Kind     Kind
	Detail   string // one line, may be empty
	Signal   string // as "SIGKILL"; empty where no signal ended it
	ExitCode int    // -1 where a signal ended it
	// Syscall is the name or number of the forbidden system call, where the
	// kernel's log or the debugging mode told it.
	Syscall string
	// Claimed says that the worker itself could have made it look so.
	Claimed bool
}

// ExitParentGone is the exit status of a worker that Apply told of its host's
// death.
const ExitParentGone = 73

func (d Death) String() string {
	s := kindText[d.Kind]
	if d.Syscall != "" {
		s += ": " + d.Syscall
	}
	if d.Detail != "" {
		s += ": " + d.Detail
	}
	switch {
	case d.Signal != "":
		s += " (" + d.Signal + ")"
	case d.Kind != KindUnknown:
		s += fmt.Sprintf(" (exit status %d)", d.ExitCode)
	}
	return s
}

func (d Death) Error() string { return "the worker died: " + d.String() }

// Is reports whether target is the death's Kind.
func (d Death) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == d.Kind
}

// LogValue has the death's fields in a log line.
func (d Death) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(d.Kind))}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	add("detail", d.Detail)
	add("signal", d.Signal)
	add("syscall", d.Syscall)
	if d.Signal == "" {
		attrs = append(attrs, slog.Int("exit_code", d.ExitCode))
	}
	if d.Claimed {
		attrs = append(attrs, slog.Bool("claimed", true))
	}
	return slog.GroupValue(attrs...)
}

// IsMemory reports whether the worker wanted more memory than it may have.
func (d Death) IsMemory() bool {
	return d.Kind == KindOOMKernel || d.Kind == KindGoOOM || d.Kind == KindGoStack || d.Kind == KindEngineOOM
}

// IsCPU reports whether the worker used up its processor time.
func (d Death) IsCPU() bool { return d.Kind == KindCPURlimit }

// Evidence is what a host knows of a death. All but State may be missing.
type Evidence struct {
	State *os.ProcessState
	// Stderr is what the worker wrote there, or its end.
	Stderr []byte
	// HostKill is why the host killed it; empty where it did not.
	HostKill string
	// CPULimit is the worker's Profile.CPU. A worker that is the first process
	// of its namespace does not die of the soft limit's signal, only of the
	// hard limit's, which names no cause.
	CPULimit time.Duration
	// OOMKills is how much OOMKills grew over the worker's life.
	OOMKills uint64
	// Syscall is what the kernel's log says was forbidden: see ForbiddenCall.
	Syscall string
}

// Explain says how a process died from its state, what it wrote to standard
// error, and why the host killed it, empty where it did not.
func Explain(state *os.ProcessState, stderr []byte, hostKill string) Death {
	return Evidence{State: state, Stderr: stderr, HostKill: hostKill}.Death()
}

// Death says what the evidence amounts to.
func (e Evidence) Death() Death {
	if e.State == nil {
		return Death{Kind: KindUnknown, ExitCode: -1, Detail: e.HostKill}
	}
	d := Death{ExitCode: e.State.ExitCode(), Claimed: true}
	signal := signalOf(e.State)
	d.Signal = signal
	switch signal {
	case "SIGKILL":
		d.Claimed = false
		switch {
		case e.HostKill != "":
			d.Kind, d.Detail = KindHostKill, e.HostKill
		case e.CPULimit > 0 && e.State.UserTime()+e.State.SystemTime() >= e.CPULimit:
			d.Kind = KindCPURlimit
		case e.OOMKills > 0:
			d.Kind = KindOOMKernel
		default:
			d.Kind, d.Detail = KindKilled, "the kernel's OOM killer, its limit of processor time, the end of the thread that started it, or an operator"
		}
	case "SIGSYS":
		d.Kind, d.Syscall = KindSIGSYS, e.Syscall
		// A worker that signals itself gets no entry in the kernel's log.
		d.Claimed = e.Syscall == ""
	case "SIGXCPU":
		d.Kind = KindCPURlimit
	case "SIGPIPE":
		d.Kind = KindPipe
	case "":
		e.exited(&d)
	default:
		d.Kind = KindSignal
		// V8 ends its process by a trap or an abort, and as the first process
		// of a namespace, which no abort ends, by what comes after that.
		if m := engineOOM.FindIndex(e.Stderr); m != nil {
			d.Kind, d.Detail = KindEngineOOM, lineAround(e.Stderr, m[0])
		}
	}
	return d
}

// engineOOM is V8's last word on memory.
var engineOOM = regexp.MustCompile(`(?m)^(?:#\s*)?(?:FATAL ERROR|Fatal [a-zA-Z ]*out of memory|Fatal error).*|Fatal process out of memory`)

// lastWords are what the Go runtime writes before it ends a process with
// status 2, the more special first.
var lastWords = []struct {
	text string
	kind Kind
}{
	{"SIGSYS: bad system call", KindSIGSYS},
	{"runtime: out of memory", KindGoOOM},
	{"cannot allocate memory", KindGoOOM},
	{"out of memory", KindGoOOM},
	{"arena metadata", KindGoOOM},
	{"goroutine stack exceeds", KindGoStack},
	{"stack overflow", KindGoStack},
	{"failed to create new OS thread", KindGoThreads},
	{"thread exhaustion", KindGoThreads},
	{"broken pipe", KindPipe},
	{"panic:", KindGoPanic},
	{"fatal error:", KindGoPanic},
	{"unexpected signal", KindGoPanic},
	{"SIG", KindGoPanic}, // a signal that the runtime reports, as SIGQUIT
}

const exitGoFatal = 2

func (e Evidence) exited(d *Death) {
	d.Kind = KindExit
	if d.ExitCode == ExitParentGone {
		d.Kind = KindParentDeath
		return
	}
	if e.HostKill != "" && d.ExitCode == killedExit {
		d.Kind, d.Detail = KindHostKill, e.HostKill
		return
	}
	if e.HostKill != "" {
		// Where the kill was meant for a process that had ended already.
		d.Detail = "while the host was about to kill it: " + e.HostKill
	}
	if d.ExitCode != exitGoFatal {
		return
	}
	for _, w := range lastWords {
		i := bytes.Index(e.Stderr, []byte(w.text))
		if i < 0 {
			continue
		}
		d.Kind = w.kind
		if d.Detail == "" {
			d.Detail = lineAround(e.Stderr, i)
		}
		if w.kind == KindSIGSYS {
			d.Syscall = trappedCall(e.Stderr)
		}
		return
	}
}

const maxDetail = 200

// lineAround returns the line of text that has the index, made printable and
// not too long: it is the worker's.
func lineAround(text []byte, i int) string {
	from := bytes.LastIndexByte(text[:i], '\n') + 1
	line := text[from:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	if len(line) > maxDetail {
		line = line[:maxDetail]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return -1
		}
		return r
	}, string(line))
}

var trappedRegister = regexp.MustCompile(`(?m)^(?:rax|r8)\s+0x([0-9a-f]+)`)

// trappedCall finds the number of a system call in what Go writes of a SIGSYS
// that the debugging mode delivered: the register that it is passed in.
func trappedCall(stderr []byte) string {
	m := trappedRegister.FindSubmatch(stderr)
	if m == nil {
		return ""
	}
	n, err := strconv.ParseUint(string(m[1]), 16, 32)
	if err != nil {
		return ""
	}
	return callName(uint32(n))
}
