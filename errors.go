package autoclave

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// Code says what went wrong, in a closed set that callers and models branch
// on. A Code is itself an error, so that errors.Is(err, autoclave.CPULimit)
// answers for any error that this package returns.
type Code string

func (c Code) Error() string { return string(c) }

// Blame says whose fault a failure is.
type Blame string

// Who can be to blame.
const (
	BlameProgram  Blame = "program"   // what the model wrote
	BlameLimit    Blame = "limit"     // the program met a configured bound
	BlameCaller   Blame = "caller"    // who asked for the execution, or its load
	BlameHostCall Blame = "host call" // what a tool, resource or policy answered
	BlameOurs     Blame = "ours"      // this package, its worker or its machine
)

// The codes, by blame.
const (
	// SyntaxError: the source is no program.
	SyntaxError Code = wire.CodeSyntax
	// ScriptError: the program threw, or a promise that it left was rejected.
	ScriptError Code = wire.CodeScript
	// InvalidResult: the value cannot be expressed in JSON.
	InvalidResult Code = wire.CodeInvalidResult
	// NeverSettles: the program waits, and nothing is left that could wake it.
	NeverSettles Code = wire.CodeNeverSettles

	CPULimit        Code = wire.CodeCPULimit
	Timeout         Code = wire.CodeTimeout
	HeapLimit       Code = wire.CodeHeapLimit
	OutputLimit     Code = wire.CodeOutputLimit
	CodeLimit       Code = wire.CodeCodeLimit
	CallLimit       Code = wire.CodeCallLimit
	ArgumentLimit   Code = wire.CodeArgumentLimit
	CallResultLimit Code = wire.CodeCallResultLimit
	EmitLimit       Code = wire.CodeEmitLimit

	Cancelled    Code = wire.CodeCancelled
	Overloaded   Code = wire.CodeOverloaded
	ShuttingDown Code = wire.CodeShuttingDown

	ServerNotFound   Code = wire.CodeServerNotFound
	ToolNotFound     Code = wire.CodeToolNotFound
	ResourceNotFound Code = wire.CodeResourceNotFound
	InvalidArguments Code = wire.CodeInvalidArguments
	ToolError        Code = wire.CodeToolError
	UpstreamError    Code = wire.CodeUpstreamError
	UpstreamTimeout  Code = wire.CodeUpstreamTimeout
	CircuitOpen      Code = wire.CodeCircuitOpen
	PolicyDenied     Code = wire.CodePolicyDenied
	ApprovalDenied   Code = wire.CodeApprovalDenied
	RateLimited      Code = wire.CodeRateLimited
	StashError       Code = wire.CodeStashError

	// WorkerCrashed: the worker died, and no limit explains it. Error.Cause
	// says how.
	WorkerCrashed Code = wire.CodeWorkerCrashed
	// ProtocolError: the worker broke the protocol and was killed for it.
	ProtocolError Code = wire.CodeProtocolError
	// Internal: a defect of this package.
	Internal Code = wire.CodeInternal
)

// Blame returns whose fault an error of this code is.
func (c Code) Blame() Blame {
	switch c {
	case SyntaxError, ScriptError, InvalidResult, NeverSettles:
		return BlameProgram
	case CPULimit, Timeout, HeapLimit, OutputLimit, CodeLimit, CallLimit, ArgumentLimit, CallResultLimit, EmitLimit:
		return BlameLimit
	case Cancelled, Overloaded, ShuttingDown:
		return BlameCaller
	case ServerNotFound, ToolNotFound, ResourceNotFound, InvalidArguments, ToolError, UpstreamError, UpstreamTimeout,
		CircuitOpen, PolicyDenied, ApprovalDenied, RateLimited, StashError:
		return BlameHostCall
	}
	return BlameOurs
}

// Error is every failure of an execution and of a host call. A Host returns
// one to choose the code that the program sees; another error becomes
// UpstreamError.
//
// errors.Is matches an Error with its Code, and a Cancelled or Timeout one
// with the context error that caused it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Retryable is set only where a retry can help and cannot do a thing
	// twice.
	Retryable bool `json:"retryable"`
	// Suggestion is a sentence that says what would be right.
	Suggestion string `json:"suggestion,omitempty"`
	// Server and Tool name the host call that failed.
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
	// Line and Column are 1-based positions in the program's source.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Frame shows the source line with a caret below the position.
	Frame string `json:"frame,omitempty"`
	// Stack is the program's own stack, with positions in its source.
	Stack string `json:"stack,omitempty"`
	// RetryAfter is an estimate of when a retry of an Overloaded execution
	// would be served.
	RetryAfter time.Duration `json:"-"`
	// Cause says how the worker died, where it did; CauseKind is the same in
	// one word of a closed set: sigsys, oom_kernel, go_oom, go_stack,
	// go_panic, cpu_rlimit, host_kill, killed, pipe, signal, exit…
	Cause     string `json:"cause,omitempty"`
	CauseKind string `json:"cause_kind,omitempty"`

	// Result is JSON that a tool reported with its error; the program finds
	// it in HostError.result.
	Result []byte `json:"-"`

	err error
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Cause != "" {
		s += " (" + e.Cause + ")"
	}
	return s
}

// Is reports whether target is e's Code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Unwrap returns the error behind e: the context's for a cancelled execution,
// the pool's for one that was refused.
func (e *Error) Unwrap() error { return e.err }

// Blame returns whose fault the failure is.
func (e *Error) Blame() Blame { return e.Code.Blame() }

// Errorf returns an Error with a code and a message. A %w in format is what
// the Error unwraps to.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	e := &Error{Code: code, Message: wrapped.Error()}
	if u, ok := wrapped.(interface{ Unwrap() error }); ok {
		e.err = u.Unwrap()
	}
	return e
}

// wire is the error as a program gets it. It goes into a header, so it is cut.
func (e *Error) wire() *wire.Error {
	const long, short = 8 << 10, 1 << 10
	return &wire.Error{
		Code: string(e.Code), Message: cut(e.Message, long), Retryable: e.Retryable, Suggestion: cut(e.Suggestion, short),
		Server: cut(e.Server, short), Tool: cut(e.Tool, short),
	}
}

// cut is s in valid UTF-8 of at most n bytes, and a mark where there was more.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// cancelled is the error of an execution whose context ended.
func cancelled(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	return &Error{Code: Cancelled, Message: "the execution was cancelled: " + cause.Error(), err: cause}
}
