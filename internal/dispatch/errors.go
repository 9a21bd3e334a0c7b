package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// JSON-RPC and MCP error codes that say whose fault it is.
const (
	rpcMethodNotFound   = -32601
	rpcInvalidParams    = -32602
	rpcResourceNotFound = -32002
)

// hostError makes err the typed error that a program sees. tool is nil where
// none was called or found.
func hostError(err error, c hostCall, tool *catalog.Tool) *autoclave.Error {
	e, ok := errors.AsType[*autoclave.Error](err)
	if !ok {
		up, ok := errors.AsType[*upstream.Error](err)
		if !ok {
			up = &upstream.Error{Kind: upstream.Protocol, Server: c.server, Message: err.Error()}
		}
		e = upstreamError(up, c, tool)
	}
	if c.server != "" {
		e.Server = c.server
	}
	if c.kind == kindTool {
		e.Tool = c.name
	}
	return e
}

func upstreamError(up *upstream.Error, c hostCall, tool *catalog.Tool) *autoclave.Error {
	// A second try is safe where the first cannot have reached the server, or
	// where the tool says that doing it twice is as good as once.
	repeatable := !up.Sent || c.kind != kindTool ||
		tool != nil && (isSet(tool.ReadOnly) || isSet(tool.Idempotent))
	says := func(code autoclave.Code, format string, args ...any) *autoclave.Error {
		return autoclave.Errorf(code, "the server %q: "+format, append([]any{c.server}, args...)...)
	}
	switch up.Kind {
	case upstream.CircuitOpen:
		e := says(autoclave.CircuitOpen, "%s", up.Message)
		e.Retryable = true
		return later(e, up.RetryAfter)
	case upstream.Unavailable:
		e := says(autoclave.UpstreamError, "%s", up.Message)
		// That a tool says it may be called twice is not enough here: the
		// program that meets a server's death should look at what it did.
		e.Retryable = !up.Sent || c.kind != kindTool
		return later(e, up.RetryAfter)
	case upstream.Unanswered:
		e := says(autoclave.UpstreamError, "%s", up.Message)
		e.Suggestion = "It needs the user, whom this client cannot ask: do without this tool."
		return e
	case upstream.Cancelled:
		cause := up.Unwrap()
		if errors.Is(cause, context.DeadlineExceeded) {
			// The runtime takes the call back when its time is over.
			e := says(autoclave.UpstreamTimeout, "it did not answer in time")
			e.Retryable = repeatable
			return e
		}
		if cause != nil {
			return says(autoclave.Cancelled, "the call was cancelled: %w", cause)
		}
		return says(autoclave.Cancelled, "the call was cancelled")
	case upstream.TimedOut:
		e := says(autoclave.UpstreamTimeout, "%s", up.Message)
		e.Retryable = repeatable
		return e
	case upstream.TooLarge:
		if !up.Sent {
			return says(autoclave.ArgumentLimit, "%s", up.Message)
		}
		e := says(autoclave.CallResultLimit, "%s", up.Message)
		e.Suggestion = "Ask for less: a page, a filter, fewer fields."
		return e
	case upstream.Refused:
		switch {
		case c.kind == kindTool && up.RPCCode == rpcInvalidParams:
			return says(autoclave.InvalidArguments, "it refused the call: %s", up.Message)
		case c.kind == kindResource && (up.RPCCode == rpcResourceNotFound || up.RPCCode == rpcInvalidParams):
			e := says(autoclave.ResourceNotFound, "there is no resource %q: %s", clip(c.name), up.Message)
			e.Suggestion = fmt.Sprintf("resources.list(%q) lists what there is.", c.server)
			return e
		case c.kind == kindResource && up.RPCCode == rpcMethodNotFound:
			return says(autoclave.ResourceNotFound, "it has no resources")
		}
		return says(autoclave.UpstreamError, "it answered with error %d: %s", up.RPCCode, up.Message)
	}
	return says(autoclave.UpstreamError, "%s", up.Message)
}

func isSet(b *bool) bool { return b != nil && *b }

// later says when to try again, where that is known.
func later(e *autoclave.Error, after time.Duration) *autoclave.Error {
	if after <= 0 || !e.Retryable {
		return e
	}
	e.RetryAfter = after
	round := max(after.Round(100*time.Millisecond), 100*time.Millisecond)
	e.Suggestion = fmt.Sprintf("Try again in %v, or go on without it.", round)
	return e
}

// clip shortens a name that a program made up to what fits a message.
func clip(name string) string { return clipTo(name, 200) }

func clipTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

func (s *snapshot) serverNotFound(c hostCall) *autoclave.Error {
	e := autoclave.Errorf(autoclave.ServerNotFound, "there is no server %q", clip(c.server))
	near := catalog.Nearest(c.server, s.names)
	if len(near) == 0 && c.kind == kindTool {
		// The tool may be right where the server is not.
		near = s.haveTool(c.name)
	}
	switch {
	case len(near) > 0:
		e.Suggestion = didYouMean(near)
	case len(s.names) == 0:
		e.Suggestion = "No server is connected."
	default:
		e.Suggestion = "The servers are " + enumerate(s.names, 10) + "."
	}
	return e
}

// toolNotFound is what a program sees where the catalog says err.
func (s *snapshot) toolNotFound(c hostCall, err error) *autoclave.Error {
	missing, ok := errors.AsType[*catalog.NotFound](err)
	if !ok {
		return autoclave.Errorf(autoclave.Internal, "looking up a tool: %w", err)
	}
	if missing.Problem != "" {
		return autoclave.Errorf(autoclave.UpstreamError, "the server %q is not connected: %s", c.server, missing.Problem)
	}
	e := autoclave.Errorf(autoclave.ToolNotFound, "the server %q has no tool %q", c.server, clip(c.name))
	// The very name on another server is a better guess than a like one here.
	near := s.haveTool(c.name)
	if len(near) == 0 {
		near = missing.Nearest
	}
	switch names := s.toolNames[c.server]; {
	case len(near) > 0:
		e.Suggestion = didYouMean(near)
	case len(names) == 0:
		e.Suggestion = "It has no tools."
	default:
		e.Suggestion = "Its tools are " + enumerate(names, 10) + "."
	}
	return e
}

// haveTool returns up to three server.tool names of servers that have a tool
// of this name.
func (s *snapshot) haveTool(tool string) []string {
	var found []string
	for _, name := range s.names {
		if len(found) < 3 && slices.Contains(s.toolNames[name], tool) {
			found = append(found, name+"."+tool)
		}
	}
	return found
}

func didYouMean(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if len(quoted) == 1 {
		return "Did you mean " + quoted[0] + "?"
	}
	last := len(quoted) - 1
	return "Did you mean " + strings.Join(quoted[:last], ", ") + " or " + quoted[last] + "?"
}

// enumerate joins names, at most limit of them.
func enumerate(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}
