package pool

import (
	"errors"
	"fmt"
	"time"
)

// ErrClosed is what Acquire, TryAcquire and PreWarm return once Drain or Close
// has been called, and what waiters receive when Close is.
var ErrClosed = errors.New("pool: closed")

// OverloadedError says that a caller was refused because there are too many of
// them, or because he did not want to wait.
type OverloadedError struct {
	// RetryAfter estimates when a retry has a chance, from the length of the
	// queue and the time that leases have taken of late. It is never zero.
	RetryAfter time.Duration
	// Reason says which bound was met, for a person to read.
	Reason string
}

// Error names the bound and the estimate.
func (e *OverloadedError) Error() string {
	return fmt.Sprintf("pool: overloaded: %s (retry after %v)", e.Reason, e.RetryAfter)
}

// SpawnError says that only a new worker could have served the caller, and that
// making one failed.
type SpawnError struct {
	// Err is the error of the last attempt, as Spawn returned it.
	Err error
	// RetryAfter is the time until the pool tries again. It is never negative.
	RetryAfter time.Duration
}

// Error gives the cause and when the pool tries again.
func (e *SpawnError) Error() string {
	return fmt.Sprintf("pool: spawning a worker: %v (next attempt in %v)", e.Err, e.RetryAfter)
}

// Unwrap returns what Spawn returned.
func (e *SpawnError) Unwrap() error { return e.Err }
