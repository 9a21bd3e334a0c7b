package autoclave

import (
	"fmt"
	"time"
)

// Limits bound one execution. A zero field means the default that its comment
// names. Config.Limits holds what applies to every program; Program.Limits may
// lower a field for one program, never raise it.
//
// Every limit is enforced in the host. The worker keeps them too, for the sake
// of better messages.
type Limits struct {
	// CPU is how long the program may compute. Time in which it waits for
	// host calls or timers does not count. Default 5 s.
	CPU time.Duration
	// Wall is how long the execution may take from its start in a worker,
	// all waiting included but that of a paused clock (see PauseClock).
	// Default 300 s.
	Wall time.Duration
	// CallTimeout is how long one host call may take. Default 60 s.
	CallTimeout time.Duration
	// Heap is the memory that the program's values may take, in bytes. It is
	// the worker that counts it; what bounds the process from outside is
	// twice Config's heap and what Go needs besides (about 640 MiB), by the
	// kernel. Default 128 MiB.
	Heap int64
	// Program is the size of the source, in bytes of UTF-8. Default 256 KiB.
	Program int
	// Result is the size of the value, in bytes of JSON. Default 1 MiB.
	Result int
	// Arguments is the size of the arguments of one host call, in bytes of
	// JSON. Default 1 MiB.
	Arguments int
	// CallResult is the size of the result of one host call, in bytes of
	// JSON. Default 16 MiB.
	CallResult int
	// Calls is how many host calls the program may make in total. Default
	// 100.
	Calls int
	// Concurrency is how many host calls are under way at once; the others
	// wait in the worker. Default 8.
	Concurrency int
	// Logs is how much console output is kept, in bytes of UTF-8; what is
	// over it is cut, and the cut is marked. Default 64 KiB.
	Logs int
	// Emits is how much the program may hand over with emit, in bytes of
	// JSON in total. Default 16 MiB.
	Emits int
}

// DefaultLimits returns the limits that zero fields stand for.
func DefaultLimits() Limits {
	return Limits{
		CPU:         5 * time.Second,
		Wall:        300 * time.Second,
		CallTimeout: 60 * time.Second,
		Heap:        128 << 20,
		Program:     256 << 10,
		Result:      1 << 20,
		Arguments:   1 << 20,
		CallResult:  16 << 20,
		Calls:       100,
		Concurrency: 8,
		Logs:        64 << 10,
		Emits:       16 << 20,
	}
}

// merged returns base with the fields of l that are set, none of which may be
// above base's. It is an error that names the field where one is, or where one
// is negative.
func (l Limits) merged(base Limits, what string) (Limits, error) {
	out := base
	var err error
	lower(&out.CPU, l.CPU, what, "CPU", &err)
	lower(&out.Wall, l.Wall, what, "Wall", &err)
	lower(&out.CallTimeout, l.CallTimeout, what, "CallTimeout", &err)
	lower(&out.Heap, l.Heap, what, "Heap", &err)
	lower(&out.Program, l.Program, what, "Program", &err)
	lower(&out.Result, l.Result, what, "Result", &err)
	lower(&out.Arguments, l.Arguments, what, "Arguments", &err)
	lower(&out.CallResult, l.CallResult, what, "CallResult", &err)
	lower(&out.Calls, l.Calls, what, "Calls", &err)
	lower(&out.Concurrency, l.Concurrency, what, "Concurrency", &err)
	lower(&out.Logs, l.Logs, what, "Logs", &err)
	lower(&out.Emits, l.Emits, what, "Emits", &err)
	return out, err
}

func lower[T ~int | ~int64](dst *T, v T, what, field string, err *error) {
	switch {
	case v == 0 || *err != nil:
	case v < 0:
		*err = fmt.Errorf("%s.%s is %v: a limit cannot be negative", what, field, v)
	case v > *dst:
		*err = fmt.Errorf("%s.%s is %v, above the configured %v: a program may lower a limit, not raise it", what, field, v, *dst)
	default:
		*dst = v
	}
}

// withDefaults returns l with its zero fields set to the defaults, or an error
// that names a negative one.
func (l Limits) withDefaults() (Limits, error) {
	d := DefaultLimits()
	var err error
	fill(&l.CPU, d.CPU, "CPU", &err)
	fill(&l.Wall, d.Wall, "Wall", &err)
	fill(&l.CallTimeout, d.CallTimeout, "CallTimeout", &err)
	fill(&l.Heap, d.Heap, "Heap", &err)
	fill(&l.Program, d.Program, "Program", &err)
	fill(&l.Result, d.Result, "Result", &err)
	fill(&l.Arguments, d.Arguments, "Arguments", &err)
	fill(&l.CallResult, d.CallResult, "CallResult", &err)
	fill(&l.Calls, d.Calls, "Calls", &err)
	fill(&l.Concurrency, d.Concurrency, "Concurrency", &err)
	fill(&l.Logs, d.Logs, "Logs", &err)
	fill(&l.Emits, d.Emits, "Emits", &err)
	return l, err
}

func fill[T ~int | ~int64](v *T, def T, field string, err *error) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0 && *err == nil:
		*err = fmt.Errorf("Config.Limits.%s is %v: a limit cannot be negative", field, *v)
	}
}
