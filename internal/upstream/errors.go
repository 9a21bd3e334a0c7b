package upstream

import (
	"fmt"
	"time"
)

// Kind says what went wrong with an upstream, in a closed set.
type Kind string

// The kinds.
const (
	// Unavailable: the server is not there: it could not be started or
	// reached, it died, or the connection ended. Whether a call that was under
	// way was carried out is unknown where Sent is set.
	Unavailable Kind = "unavailable"
	// Denied: the server, or what stands before it, refused the HTTP request
	// for what it is: wrong credentials, a wrong address. A second try meets
	// the same.
	Denied Kind = "denied"
	// TimedOut: the server did not answer in time. It was told to stop;
	// whether it had carried out the call is unknown.
	TimedOut Kind = "timed out"
	// Cancelled: the caller's context was cancelled. The server was told.
	Cancelled Kind = "cancelled"
	// Refused: the server answered with a JSON-RPC error.
	Refused Kind = "refused"
	// Unanswered: the server asked the client something in order to go on, and
	// the client did not or could not answer.
	Unanswered Kind = "unanswered"
	// TooLarge: a message is over Config.MaxFrame, in either direction.
	TooLarge Kind = "too large"
	// Protocol: the server answered, but not with what MCP asks for.
	Protocol Kind = "protocol"
	// CircuitOpen: so many requests failed in a row that none is sent at the
	// moment.
	CircuitOpen Kind = "circuit open"
	// Closed: Close was called, or the server was removed from the Set or
	// configured anew.
	Closed Kind = "closed"
)

// Error is every failure that this package returns, but those of a bad Config.
type Error struct {
	Kind Kind
	// Server is Config.Name.
	Server string
	// Message says what happened, without the server's name.
	Message string
	// Stderr is the last that a dead server wrote to its stderr. It is for the
	// people who run the host: it may hold what a program must not see.
	Stderr string
	// RPCCode is the JSON-RPC error code of a Refused.
	RPCCode int64
	// Sent says that the request may have reached the server, so that a
	// second try may do the thing a second time.
	Sent bool
	// RetryAfter is when the server may be there again, as far as that is
	// known; else zero.
	RetryAfter time.Duration

	// trips says that the circuit breaker counts it.
	trips bool
	err   error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("upstream %s: %s", e.Server, e.Message)
	if e.Stderr != "" {
		s += "; it last wrote: " + e.Stderr
	}
	return s
}

// Unwrap returns what is behind the error: a context's error for Cancelled and
// for a TimedOut by the caller's deadline.
func (e *Error) Unwrap() error { return e.err }

// during returns a copy that says what was being done. The error of a
// connection is shared by all its calls.
func (e *Error) during(what string) *Error {
	c := *e
	c.Message = what + ": " + e.Message
	return &c
}
