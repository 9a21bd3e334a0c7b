package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// own is the client as far as it is asked about one execution. The question
// travels with the request that this execution belongs to, never with that of
// another one: a person who approves must know what.
type own struct{ r *run }

func (o own) Can(method string) bool { return can(o.r.current().ClientCapabilities(), method) }

func (o own) Ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	raw, err := o.r.ask(ctx, method, params)
	if errors.Is(err, errEnded) {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return raw, err
}

func (o own) CallProgress(string, string, float64, *float64, string) {}
