package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

const (
	// maxBatch is how many messages one line may hold.
	maxBatch = 1000
	// maxAsked is how many requests of a server may wait for their answers.
	// One that asks on without reading what it is told is cut off.
	maxAsked = 1000
	// maxAsks is how many questions to the client are put at once; more are
	// refused.
	maxAsks = 32
)

// inbox is where the messages of a server arrive, by whichever transport,
// before the SDK sees them: raw results go to the calls that wait for them,
// questions to the client to those on whose behalf calls are under way, and
// notifications to whoever listens. The SDK gets the rest.
//
// It owns a goroutine for each question that is being put.
type inbox struct {
	server string
	log    *slog.Logger
	limit  int  // of a message, in bytes
	refuse bool // nobody is ever asked
	// send writes a message to the server. It is set before the first message
	// arrives.
	send func(context.Context, jsonrpc.Message) error

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	asking sync.WaitGroup

	asked   atomic.Int64  // the server's requests that are not answered yet
	changes atomic.Int64  // how often the server said that its lists changed
	changed chan struct{} // has room for one

	mu        sync.Mutex
	closed    bool
	waiting   map[int64]*call    // by request id
	calls     map[*call]struct{} // those of callers, as opposed to our own
	tokens    map[int64]*call    // by progress token
	lastToken int64
	asks      map[jsonrpc.ID]*ask
	pace      rate // of log messages
	complain  rate // about what is no message
}

// ask is a question of the server that is being put.
type ask struct {
	cancel context.CancelCauseFunc
	calls  map[*call]struct{} // it is over when they are
}

func newInbox(cfg Config) *inbox {
	b := &inbox{
		server: cfg.Name, log: cfg.Logger, limit: cfg.MaxFrame, refuse: cfg.NoAsking, changed: make(chan struct{}, 1),
		waiting: map[int64]*call{}, calls: map[*call]struct{}{}, tokens: map[int64]*call{}, asks: map[jsonrpc.ID]*ask{},
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// close ends all questions and returns when they are over.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.asking.Wait()
}

// begin registers a call before it is sent; each needs an end. Those of
// callers can be asked something, and hear of progress.
func (b *inbox) begin(c *call, ofCaller bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !ofCaller {
		return
	}
	b.calls[c] = struct{}{}
	if _, ok := c.asker.(Listener); ok {
		b.lastToken++
		c.token = b.lastToken
		b.tokens[c.token] = c
	}
}

// end forgets a call, and ends the questions that were put on its account.
func (b *inbox) end(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.calls, c)
	delete(b.tokens, c.token)
	for id, other := range b.waiting {
		if other == c {
			delete(b.waiting, id)
		}
	}
	for _, a := range b.asks {
		if delete(a.calls, c); len(a.calls) == 0 {
			a.cancel(errCallOver)
		}
	}
}

var errCallOver = errors.New("the call is over")

// expect hands the result of the request to c.
func (b *inbox) expect(id int64, c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting[id] = c
}

// take returns and drops the call that waits for an answer.
func (b *inbox) take(id int64) *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.waiting[id]
	delete(b.waiting, id)
	return c
}

// abortAll ends all calls that wait, with e as their outcome.
func (b *inbox) abortAll(e *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.waiting {
		c.abort(e)
	}
	for c := range b.calls {
		c.abort(e)
	}
}

// decode returns the messages of a text: one, or those of a batch, which
// protocol versions before 2025-06-18 allow. Results are with their calls when
// it returns; the SDK is to see what is in their place.
func (b *inbox) decode(text []byte) ([]jsonrpc.Message, error) {
	if e, ok := scanEnvelope(text); ok {
		if m := b.tapped(e); m != nil {
			return []jsonrpc.Message{m}, nil
		}
	}
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '[' {
		batch, err := decodeList[json.RawMessage](text, maxBatch)
		if err != nil {
			return nil, fmt.Errorf("reading a batch: %w", err)
		}
		var all []jsonrpc.Message
		for _, part := range batch {
			if part = bytes.TrimSpace(part); part[0] != '{' {
				return nil, errors.New("a batch holds what is no message")
			}
			ms, err := b.decode(part)
			if err != nil {
				return nil, err
			}
			all = append(all, ms...)
		}
		return all, nil
	}
	m, err := jsonrpc.DecodeMessage(text)
	if err != nil {
		return nil, err
	}
	if r, ok := m.(*jsonrpc.Response); ok {
		if id, ok := r.ID.Raw().(int64); ok {
			b.take(id)
		}
	}
	return []jsonrpc.Message{m}, nil
}

// tapped hands the result to the call that waits for it and returns the message
// that the SDK is to see, or nil where this is not such a message.
func (b *inbox) tapped(e envelope) jsonrpc.Message {
	id, result, ok := e.resultOf()
	if !ok {
		return nil
	}
	c := b.take(id)
	if c == nil {
		return nil
	}
	rid, err := jsonrpc.MakeID(float64(id))
	if err != nil {
		return nil
	}
	if result[0] != '{' {
		return &jsonrpc.Response{ID: rid, Error: &Error{Kind: Protocol, Server: b.server, Sent: true, Message: "its answer is no object"}}
	}
	c.raw = result
	return &jsonrpc.Response{ID: rid, Result: c.stub}
}

// receive takes what the SDK is not to see and reports whether m is for the
// SDK. The SDK would queue notifications without a bound. An error says that
// the connection must end. From is the call in whose answer m came, where the
// transport tells; nil where it does not.
func (b *inbox) receive(m jsonrpc.Message, from *call) (bool, *Error) {
	req, ok := m.(*jsonrpc.Request)
	if !ok {
		return true, nil
	}
	if !req.IsCall() {
		b.notified(req, from)
		return false, nil
	}
	if b.asked.Add(1) > maxAsked {
		return false, &Error{Kind: Protocol, Server: b.server, Sent: true,
			Message: fmt.Sprintf("more than %d of its requests wait for it to read their answers", maxAsked)}
	}
	switch req.Method {
	case methodSample, methodElicit, methodRoots:
		b.put(req, from)
		return false, nil
	}
	return true, nil
}

// answered notes that a request of the server has its answer.
func (b *inbox) answered() { b.asked.Add(-1) }

// garbage complains about a text that is no message, now and then.
func (b *inbox) garbage(text []byte, err error) {
	b.mu.Lock()
	ok := b.complain.allow(time.Now())
	b.mu.Unlock()
	if ok {
		b.log.Warn("upstream wrote what is no message", "text", printable(text[:min(len(text), 200)]), "err", err)
	}
}

func (b *inbox) notified(n *jsonrpc.Request, from *call) {
	switch n.Method {
	case "notifications/tools/list_changed", "notifications/resources/list_changed":
		b.changes.Add(1)
		select {
		case b.changed <- struct{}{}:
		default:
		}
	case "notifications/progress":
		b.progressed(n.Params)
	case "notifications/message":
		b.logged(n.Params, from)
	case "notifications/cancelled":
		var p struct {
			RequestID any `json:"requestId"`
		}
		if json.Unmarshal(n.Params, &p) != nil {
			return
		}
		if id, err := jsonrpc.MakeID(p.RequestID); err == nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			if a := b.asks[id]; a != nil {
				a.cancel(errTakenBack)
			}
		}
	}
}

var errTakenBack = errors.New("the server took its question back")

func (b *inbox) progressed(params json.RawMessage) {
	var p struct {
		Token json.Number `json:"progressToken"`
		Progress
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	token, err := p.Token.Int64()
	if err != nil {
		return
	}
	b.mu.Lock()
	c := b.tokens[token]
	ok := c != nil && c.pace.allow(time.Now())
	b.mu.Unlock()
	if ok {
		c.asker.(Listener).Progress(b.server, c.name, p.Progress)
	}
}

func (b *inbox) logged(params json.RawMessage, from *call) {
	var m LogMessage
	if json.Unmarshal(params, &m) != nil {
		return
	}
	b.mu.Lock()
	ok := b.pace.allow(time.Now())
	calls, _ := b.whom(from)
	b.mu.Unlock()
	if !ok {
		return
	}
	level := slog.LevelDebug
	switch m.Level {
	case "warning":
		level = slog.LevelInfo
	case "error", "critical", "alert", "emergency":
		level = slog.LevelWarn
	}
	b.log.Log(context.Background(), level, "upstream log", "logger", printable([]byte(clip(m.Logger))), "level", printable([]byte(clip(m.Level))),
		"data", printable(m.Data[:min(len(m.Data), stderrLine)]))
	if len(calls) > 0 {
		if l, ok := calls[0].asker.(Listener); ok {
			l.Log(b.server, m)
		}
	}
}

// clip bounds a server's text that goes into a log line or a message.
func clip(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// whom returns the calls on whose behalf the server speaks, all of one asker,
// or says why that is not known. It is called under mu.
func (b *inbox) whom(from *call) ([]*call, string) {
	if b.refuse {
		return nil, "there is nobody who could be asked"
	}
	if from != nil {
		if from.asker == nil {
			return nil, "who made the call cannot be asked"
		}
		return []*call{from}, ""
	}
	var calls []*call
	for c := range b.calls {
		if c.asker == nil {
			return nil, "who made one of the calls under way cannot be asked"
		}
		if len(calls) > 0 && !sameAsker(calls[0].asker, c.asker) {
			return nil, "calls of several callers are under way, and nothing says whose this belongs to"
		}
		calls = append(calls, c)
	}
	if len(calls) == 0 {
		return nil, "no call is under way on whose behalf somebody could be asked"
	}
	return calls, ""
}

// put puts a question of the server to whom it is for, and sends the answer.
func (b *inbox) put(req *jsonrpc.Request, from *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	calls, why := b.whom(from)
	switch {
	case b.asks[req.ID] != nil:
		why = "its id is that of a question that is still open"
	case len(b.asks) >= maxAsks && why == "":
		why = fmt.Sprintf("%d questions are open already", maxAsks)
	}
	if why != "" {
		b.log.Debug("upstream asks the client in vain", "method", req.Method, "why", why)
		b.asking.Go(func() { b.reply(b.ctx, req.ID, nil, refusal(req.Method, why)) })
		return
	}
	ctx, cancel := context.WithCancelCause(b.ctx)
	a := &ask{cancel: cancel, calls: map[*call]struct{}{}}
	for _, c := range calls {
		a.calls[c] = struct{}{}
	}
	b.asks[req.ID] = a
	b.asking.Go(func() {
		defer cancel(nil)
		result, err := b.question(ctx, calls, req.Method, req.Params)
		b.mu.Lock()
		delete(b.asks, req.ID)
		b.mu.Unlock()
		if context.Cause(ctx) == errTakenBack {
			b.answered() // it does not want one any more
			return
		}
		b.reply(b.ctx, req.ID, result, err)
	})
}

// question asks the asker that the calls have in common. Their time stands
// still meanwhile.
func (b *inbox) question(ctx context.Context, calls []*call, method string, params json.RawMessage) (json.RawMessage, error) {
	asker := calls[0].asker
	if !asker.Can(method) {
		return nil, refusal(method, "the client does not answer such requests")
	}
	for _, c := range calls {
		c.clock.pause()
		defer c.clock.resume()
	}
	return asker.Ask(ctx, method, params)
}

func refusal(method, why string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: method + ": " + why}
}

// reply answers a request of the server. Where it cannot be sent, the
// connection is at its end or the server does without.
func (b *inbox) reply(ctx context.Context, id jsonrpc.ID, result json.RawMessage, err error) {
	if err == nil && len(result) > b.limit-4<<10 {
		err = fmt.Errorf("the answer of %d bytes does not fit the limit of %d of a message", len(result), b.limit)
	}
	resp := &jsonrpc.Response{ID: id, Result: result}
	if err != nil {
		rpc, ok := errors.AsType[*jsonrpc.Error](err)
		if !ok {
			rpc = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}
		}
		resp.Result, resp.Error = nil, rpc
	}
	if err := b.send(ctx, resp); err != nil && ctx.Err() == nil {
		// Mostly a server that asks while it is being closed.
		b.log.Debug("answering a request of an upstream", "err", err)
	}
}
