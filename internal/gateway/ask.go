package gateway

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// The requests that an upstream may make of the client.
const (
	methodSample = "sampling/createMessage"
	methodElicit = "elicitation/create"
	methodRoots  = "roots/list"
)

// roundTrips is the first protocol version in which a server puts questions
// into its answer instead of sending requests.
const roundTrips = "2026-07-28"

// question is what an upstream waits for.
type question struct {
	id      string
	request mcp.InputRequest
	answer  chan mcp.InputResponse // has room for one; closed: there is none
	sent    bool
}

// client is a session's client. Values of one session and principal are equal:
// that tells an upstream that it is one person whom it asks.
type client struct {
	s         *session
	principal string
}

func (c client) Can(method string) bool {
	r := c.s.calling(c.principal, "")
	return r != nil && can(r.current().ClientCapabilities(), method)
}

func (c client) CallProgress(server, tool string, done float64, total *float64, message string) {
	what := server + "." + tool
	if r := c.s.calling(c.principal, what); r != nil {
		if g := r.host.governor; g != nil {
			message = g.Text(message)
		}
		r.relay.calling(what, done, total, message)
	}
}

func can(caps *mcp.ClientCapabilities, method string) bool {
	if caps == nil {
		return false
	}
	switch method {
	case methodSample:
		return caps.Sampling != nil
	case methodElicit:
		return caps.Elicitation != nil
	case methodRoots:
		return caps.RootsV2 != nil
	}
	return false
}

func refusal(code int64, format string, args ...any) *jsonrpc.Error {
	return &jsonrpc.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (c client) Ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.s.g.cfg.AnswerTimeout, errors.New("the client did not answer in time"))
	defer cancel()
	for {
		// An upstream does not say which call made it ask. Where several
		// programs of the client wait for calls, any of them can carry it.
		r := c.s.calling(c.principal, "")
		if r == nil {
			return nil, refusal(jsonrpc.CodeInternalError, "%s: no program of the client waits for a call", clip(method, 100))
		}
		answer, err := r.ask(ctx, method, params)
		if errors.Is(err, errEnded) && ctx.Err() == nil {
			continue
		}
		return answer, err
	}
}

// errEnded is what ask returns where the run ended before the question was
// answered.
var errEnded = errors.New("the program ended meanwhile")

func (r *run) ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	req := r.current()
	if !can(req.ClientCapabilities(), method) {
		return nil, refusal(jsonrpc.CodeMethodNotFound, "the client does not answer %s: it has not declared that it can", clip(method, 100))
	}
	request, err := readRequest(method, params)
	if err != nil {
		return nil, refusal(jsonrpc.CodeInvalidParams, "%s: %v", method, err)
	}
	r.mu.Lock()
	clock := r.clock
	r.mu.Unlock()
	if clock != nil {
		defer autoclave.PauseClock(clock)()
	}
	var answer any
	if req.ProtocolVersion() >= roundTrips {
		answer, err = r.put(ctx, request)
	} else {
		answer, err = send(withValues{ctx, r.ctx}, req.Session, request)
	}
	if err != nil {
		return nil, askError(method, err)
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, refusal(jsonrpc.CodeInternalError, "%s: %v", method, err)
	}
	return raw, nil
}

func askError(method string, err error) error {
	var rpc *jsonrpc.Error
	switch {
	case errors.As(err, &rpc):
		return rpc
	case errors.Is(err, errEnded):
		return err
	}
	return refusal(jsonrpc.CodeInternalError, "%s: %v", method, err)
}

// withValues has the values of another context: the SDK finds in them which
// request a question belongs to.
type withValues struct {
	context.Context
	values context.Context
}

func (c withValues) Value(key any) any { return c.values.Value(key) }

// readRequest reads an upstream's request. The schema of a form stays as it
// was written: the order of its fields is what the user sees.
func readRequest(method string, params json.RawMessage) (mcp.InputRequest, error) {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	switch method {
	case methodSample:
		p := &mcp.CreateMessageWithToolsParams{}
		return p, json.Unmarshal(params, p)
	case methodElicit:
		p := &mcp.ElicitParams{}
		if err := json.Unmarshal(params, p); err != nil {
			return nil, err
		}
		var raw struct {
			Schema json.RawMessage `json:"requestedSchema"`
		}
		if err := json.Unmarshal(params, &raw); err != nil {
			return nil, err
		}
		if len(raw.Schema) > 0 {
			p.RequestedSchema = raw.Schema
		}
		return p, nil
	}
	p := &mcp.ListRootsParams{}
	return p, json.Unmarshal(params, p)
}

// send asks a client that takes requests.
func send(ctx context.Context, ss *mcp.ServerSession, request mcp.InputRequest) (any, error) {
	switch p := request.(type) {
	case *mcp.CreateMessageWithToolsParams:
		return ss.CreateMessageWithTools(ctx, p)
	case *mcp.ElicitParams:
		asked := *p
		if raw, ok := p.RequestedSchema.(json.RawMessage); ok {
			asked.RequestedSchema = &form{schema: raw}
		}
		return ss.Elicit(ctx, &asked)
	case *mcp.ListRootsParams:
		return ss.ListRoots(ctx, p)
	}
	return nil, fmt.Errorf("a request of type %T", request)
}

// form is the schema of a form, for the client only. The SDK marshals it when it
// sends it, and once more when the answer is there: to check that, and to put
// the schema's defaults where the user left something out. But those would be
// answers in the name of a user who gave none, and whether the others will do is
// for the server to say that asked. So the second time there is no schema. (In
// the versions with round trips the SDK does neither.)
type form struct {
	schema json.RawMessage
	sent   bool
}

func (f *form) MarshalJSON() ([]byte, error) {
	if f.sent {
		return []byte("null"), nil
	}
	f.sent = true
	return f.schema, nil
}

func (r *run) current() *mcp.CallToolRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.request
}

// gather is how long an answer with questions waits for more of them.
const gather = 20 * time.Millisecond

// put has a question sent with the answer to the current request, and waits for
// the client to come back.
func (r *run) put(ctx context.Context, request mcp.InputRequest) (mcp.InputResponse, error) {
	q := &question{id: rand.Text(), request: request, answer: make(chan mcp.InputResponse, 1)}
	r.mu.Lock()
	r.asked = append(r.asked, q)
	r.announce()
	r.mu.Unlock()
	select {
	case answer, ok := <-q.answer:
		if !ok {
			return nil, refusal(jsonrpc.CodeInternalError, "the client came back without an answer to this")
		}
		return answer, nil
	case <-ctx.Done():
		r.takeBack(q)
		return nil, context.Cause(ctx)
	case <-r.ctx.Done():
		r.takeBack(q)
		return nil, errEnded
	}
}

func (r *run) takeBack(q *question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = slices.DeleteFunc(r.asked, func(o *question) bool { return o == q })
}

// announce is called under mu.
func (r *run) announce() {
	select {
	case r.askedNew <- struct{}{}:
	default:
	}
}

// questions returns those that have not been sent yet, and takes them as sent.
func (r *run) questions() mcp.InputRequestMap {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := mcp.InputRequestMap{}
	for _, q := range r.asked {
		if !q.sent {
			q.sent = true
			requests[q.id] = q.request
		}
	}
	return requests
}

// answer hands the client's answers to those who wait for them.
func (r *run) answer(answers mcp.InputResponseMap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []*question
	for _, q := range r.asked {
		a, ok := answers[q.id]
		switch {
		case ok:
			q.answer <- a
		case q.sent:
			close(q.answer)
		default:
			left = append(left, q)
		}
	}
	if r.asked = left; len(left) > 0 {
		r.announce()
	}
}
