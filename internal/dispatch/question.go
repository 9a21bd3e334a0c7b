package dispatch

import (
	"context"
	"encoding/json"

	"github.com/autoclave-run/autoclave/internal/redact"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// asking is the client of an execution as one server's questions reach it: what
// is asked goes to a model or to a person who takes it for ours, so it is
// redacted, and says whose question it is. Two of one client, server and rules
// are equal.
type asking struct {
	Client
	server string
	redact *redact.Redactor // nil: nothing is taken out
}

// askingListener is one whose Client hears of progress and log messages.
type askingListener struct {
	asking
	upstream.Listener
}

// asker is what a server's questions are put to while it works on a call.
func (h *Host) asker(server string) upstream.Asker {
	a := asking{Client: h.caller.Client, server: server, redact: h.rules.Redact}
	if l, ok := h.caller.Client.(upstream.Listener); ok {
		return askingListener{a, l}
	}
	return a
}

func (a asking) Ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	if a.redact != nil {
		params = a.redact.JSON(params)
	}
	if method == methodElicit {
		params = a.signed(params)
	}
	return a.Client.Ask(ctx, method, params)
}

// signed puts the server's name in front of the message. What is no question is
// left to who reads it.
func (a asking) signed(params json.RawMessage) json.RawMessage {
	var all map[string]json.RawMessage
	var message string
	if json.Unmarshal(params, &all) != nil || json.Unmarshal(all["message"], &message) != nil {
		return params
	}
	signed, err := json.Marshal("The server " + quoted(a.server) + " asks: " + message)
	if err != nil {
		return params
	}
	all["message"] = signed
	if out, err := json.Marshal(all); err == nil {
		return out
	}
	return params
}
