package upstream

import (
	"context"
	"encoding/json"
	"reflect"
)

// The requests of a server that an Asker answers.
const (
	methodSample = "sampling/createMessage"
	methodElicit = "elicitation/create"
	methodRoots  = "roots/list"
)

// Asker is on whose behalf a call is made, as far as the server may turn to
// him while it is under way. Its methods may be called concurrently, also when
// the call is over.
type Asker interface {
	// Can reports whether requests of this method are answered.
	Can(method string) bool
	// Ask passes on a server's request, "sampling/createMessage",
	// "elicitation/create" or "roots/list", and returns its result. The params
	// are the server's own bytes: valid JSON, below the frame limit, hostile.
	// A *jsonrpc.Error goes to the server as it is. The ctx ends with the call.
	Ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)
}

// Listener is an optional second interface of an Asker, who then hears what the
// server says while the call is under way. The methods may be called
// concurrently and must not block: the connection waits for them. What comes
// too fast is left out.
type Listener interface {
	// Progress reports how far a call is. Tool is the tool or the URI.
	Progress(server, tool string, p Progress)
	// Log reports a log message of the server.
	Log(server string, m LogMessage)
}

// Progress is how far a server says that it is.
type Progress struct {
	Done    float64  `json:"progress"`
	Total   *float64 `json:"total,omitempty"`
	Message string   `json:"message,omitempty"`
}

// LogMessage is a log message of a server. All of it is the server's word.
type LogMessage struct {
	Level  string          `json:"level"`
	Logger string          `json:"logger,omitempty"`
	Data   json.RawMessage `json:"data"`
}

type askerKey struct{}

// WithAsker returns a context whose calls are made on behalf of a. Calls under
// way at once belong together where their askers are equal; one whose type
// cannot be compared is equal to none.
func WithAsker(ctx context.Context, a Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, a)
}

func askerOf(ctx context.Context) Asker {
	a, _ := ctx.Value(askerKey{}).(Asker)
	return a
}

func sameAsker(a, b Asker) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
