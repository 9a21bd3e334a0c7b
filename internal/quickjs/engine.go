// Package quickjs is the embedded engine: the isolate of one execution on
// modernc.org/libquickjs, its event loop and its prelude.
//
// It knows nothing of pipes, frames or processes. What a program asks of the
// world goes through a Port.
package quickjs

import (
	"errors"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// Port is the isolate's way to the outside. All its methods are called on the
// goroutine that called Run, one at a time.
type Port interface {
	// Call asks the host; the answer comes as an Event from Wait or Poll. body
	// is JSON and is only valid during the call. An error ends the execution:
	// the pipe is gone.
	Call(c Call) error
	// Log hands over one console entry.
	Log(level, text string, truncated bool) error
	// Emit hands over one content block, JSON.
	Emit(block []byte) error
	Progress(done float64, total *float64, message string) error

	// Wait blocks until there is an event or the timeout has passed
	// (ErrTimeout); a negative timeout is none.
	Wait(timeout time.Duration) (Event, error)
	// Poll returns an event that is there already. The engine calls it now
	// and then while a program computes, so that a cancel is heard.
	Poll() (Event, bool, error)
}

// ErrTooLarge is what Port.Call returns for a call that does not fit a message:
// nothing was sent, and the pipe is good.
var ErrTooLarge = errors.New("the call does not fit a message")

// ErrTimeout is what Port.Wait returns when the timeout has passed.
var ErrTimeout = errors.New("no event within the timeout")

// Call is one request to the host.
type Call struct {
	ID      uint64 // 1, 2, 3… within the execution
	Kind    wire.Kind
	Server  string
	Name    string
	Timeout time.Duration // zero: the configured one
	Body    []byte
}

// Event is what the host says while a program runs.
type Event struct {
	// Cancel says that the execution is to end; Reason why.
	Cancel bool
	Reason string

	// Else it is the answer to a call. One to a call that is not in flight is
	// dropped.
	Call  uint64
	Form  wire.Form
	Body  []byte
	Error *wire.Error
}

// Program is one execution.
type Program struct {
	Source []byte
	Seed   [32]byte
	Limits wire.Limits
	// Catalog is what names exist, nil where every name passes.
	Catalog *Catalog
}

// Outcome is how an execution ended: Value is JSON where Error is nil.
type Outcome struct {
	// Value is the engine's own memory: it is valid until the next Arm or
	// Close.
	Value    []byte
	Error    *wire.Error
	Usage    wire.Usage
	Warnings []string
}
