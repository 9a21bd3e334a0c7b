package upstream

import "fmt"

// Kind says what went wrong with an upstream, in a closed set.
type Kind string

// The kinds.
const (
	// Unavailable: the server is not there: it could not be started, it died,
	// or the connection ended. Whether a call that was under way was carried
	// out is unknown.
	Unavailable Kind = "unavailable"
	// TimedOut: the server did not answer in time. It was told to stop;
	// whether it had carried out the call is unknown.
	TimedOut Kind = "timed out"
	// Cancelled: the caller's context was cancelled. The server was told.
	Cancelled Kind = "cancelled"
	// Refused: the server answered with a JSON-RPC error.
	Refused Kind = "refused"
	// TooLarge: a message is over Config.MaxFrame, in either direction.
	TooLarge Kind = "too large"
	// Protocol: the server answered, but not with what MCP asks for.
	Protocol Kind = "protocol"
	// Closed: Close was called.
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

	err error
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
