package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	methodDiscover = "server/discover"
	// maxGarbage is how many lines in a row may be no messages. Servers that
	// print a greeting on stdout are common; one that prints nothing else is
	// not a server.
	maxGarbage = 100
	// maxBatch is how many messages one line may hold.
	maxBatch = 1000
	// maxAsked is how many requests of a server may wait for their answers.
	// One that asks on without reading what it is told is cut off.
	maxAsked = 1000
)

// tap receives the raw result of a request, from below the SDK's decoding,
// which loses the order of keys and fails on numbers like 1e400.
type tap struct {
	// stub is what the SDK gets instead of the result.
	stub json.RawMessage
	// raw is set before the SDK's call returns without an error, and must not
	// be read where it returned one.
	raw json.RawMessage
}

type tapKey struct{}

// withTap returns a context under which the conn taps the request's result.
func withTap(ctx context.Context, stub string) (context.Context, *tap) {
	t := &tap{stub: json.RawMessage(stub)}
	return context.WithValue(ctx, tapKey{}, t), t
}

// conn is an mcp.Connection over a server's pipes: newline-delimited JSON. It
// owns two goroutines, which end when the connection is closed and the pipes
// are.
type conn struct {
	server   string
	log      *slog.Logger
	maxFrame int
	w        io.Writer
	// cause says why the server's output ended; it may wait a little for that.
	cause func() (cause, stderr string)
	// discover is how long server/discover may go unanswered.
	discover time.Duration

	in      chan jsonrpc.Message // from readLoop
	inject  chan jsonrpc.Message // answers that the server did not give
	out     chan outgoing        // to writeLoop
	ended   chan struct{}        // closed when readLoop has ended
	closed  chan struct{}        // closed by close
	loops   sync.WaitGroup
	once    sync.Once
	failure *Error // why it is over; set before closed is closed

	asked atomic.Int64 // the server's requests that are not answered yet

	mu        sync.Mutex
	taps      map[int64]*tap // by request id
	discoverN int64          // id of the server/discover under way, or 0
	timer     *time.Timer
	expired   int64 // id of one that was given up, or 0
	late      bool  // it was answered after all, and well
}

type outgoing struct {
	frame []byte
	done  chan error // buffered
}

func newConn(cfg Config, r io.Reader, w io.Writer, cause func() (cause, stderr string)) *conn {
	c := &conn{
		server: cfg.Name, log: cfg.Logger, maxFrame: cfg.MaxFrame, w: w, cause: cause, discover: cfg.DiscoverTimeout,
		in: make(chan jsonrpc.Message), inject: make(chan jsonrpc.Message, 1), out: make(chan outgoing),
		ended: make(chan struct{}), closed: make(chan struct{}), taps: map[int64]*tap{},
	}
	c.loops.Add(2)
	go c.readLoop(newLineReader(r, cfg.MaxFrame))
	go c.writeLoop()
	return c
}

// Connect makes a conn the transport of its only connection.
func (c *conn) Connect(context.Context) (mcp.Connection, error) { return c, nil }

// SessionID is a matter of other transports.
func (c *conn) SessionID() string { return "" }

// Close is called by the SDK, under its lock: it only says that all is over.
func (c *conn) Close() error {
	c.close(&Error{Kind: Closed, Server: c.server, Message: "the connection was closed"})
	return nil
}

// close ends the connection for the given reason; the first one counts.
func (c *conn) close(why *Error) {
	c.once.Do(func() {
		c.failure = why
		c.mu.Lock()
		if c.timer != nil {
			c.timer.Stop()
		}
		c.mu.Unlock()
		close(c.closed)
	})
}

// Read returns the next message. It implements mcp.Connection.
func (c *conn) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-c.in:
		return m, nil
	case m := <-c.inject:
		return m, nil
	case <-c.closed:
		return nil, c.failure
	case <-c.ended:
		// It closes with the reason, after all that the server had said.
		<-c.closed
		return nil, c.failure
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write sends a message. It returns at once when ctx ends, also while the
// server does not read: the frame is then sent later or never, but whole.
func (c *conn) Write(ctx context.Context, msg jsonrpc.Message) error {
	b, err := jsonrpc.EncodeMessage(msg)
	if err != nil {
		return fmt.Errorf("encoding a message to the upstream %s: %w", c.server, err)
	}
	switch m := msg.(type) {
	case *jsonrpc.Request:
		if m.IsCall() {
			c.watch(ctx, m)
		}
	case *jsonrpc.Response:
		defer c.asked.Add(-1)
	}
	o := outgoing{frame: append(b, '\n'), done: make(chan error, 1)}
	select {
	case c.out <- o:
	case <-c.closed:
		return c.failure
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-c.closed:
		return c.failure
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch remembers what is to happen with the answer to req.
func (c *conn) watch(ctx context.Context, req *jsonrpc.Request) {
	id, ok := req.ID.Raw().(int64)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := ctx.Value(tapKey{}).(*tap); ok {
		c.taps[id] = t
	}
	if req.Method == methodDiscover && c.discover > 0 {
		// Many servers that do not know the request say nothing at all. The
		// SDK would wait for ever; told that there is no such method it goes
		// on with the older handshake, over the same connection.
		c.discoverN = id
		c.timer = time.AfterFunc(c.discover, func() {
			c.mu.Lock()
			answered := c.discoverN != id
			if !answered {
				c.discoverN, c.expired = 0, id
			}
			c.mu.Unlock()
			if answered {
				return
			}
			c.log.Debug("upstream does not answer server/discover; going on with initialize")
			select {
			case c.inject <- &jsonrpc.Response{ID: req.ID, Error: &jsonrpc.Error{
				Code: jsonrpc.CodeMethodNotFound, Message: "no answer to server/discover",
			}}:
			case <-c.closed:
			}
		})
	}
}

// forget drops t, whose caller has gone.
func (c *conn) forget(t *tap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, other := range c.taps {
		if other == t {
			delete(c.taps, id)
		}
	}
}

// take returns and drops the tap of a request, and notes that it was answered.
func (c *conn) take(id int64) *tap {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.discoverN != 0 && id == c.discoverN { // 0 is an id that a server may make up
		c.discoverN = 0
		c.timer.Stop()
	}
	t := c.taps[id]
	delete(c.taps, id)
	return t
}

// noteLate notes an answer to a server/discover that was given up.
func (c *conn) noteLate(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = c.late || c.expired != 0 && id == c.expired
}

// discoveredLate reports whether the server knows server/discover and was only
// slow.
func (c *conn) discoveredLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

func (c *conn) writeLoop() {
	defer c.loops.Done()
	for {
		select {
		case o := <-c.out:
			_, err := c.w.Write(o.frame)
			if err == nil {
				o.done <- nil
				continue
			}
			// The reader's end says better why than a broken pipe: it is most
			// often about to find out that the server died.
			timer := time.NewTimer(drain)
			select {
			case <-c.closed:
			case <-c.ended:
			case <-timer.C:
			}
			timer.Stop()
			c.close(&Error{Kind: Unavailable, Server: c.server, Sent: true, Message: "it does not read any more: " + err.Error(), err: err})
			o.done <- c.failure
			return
		case <-c.closed:
			return
		}
	}
}

func (c *conn) readLoop(lines *lineReader) {
	defer c.loops.Done()
	defer close(c.ended)
	garbage := 0
	var complaints rate
	for {
		line, err := lines.next()
		if o, ok := errors.AsType[*oversized](err); ok {
			if !c.tooLarge(o) {
				return
			}
			continue
		}
		if err != nil {
			c.close(c.readFailure(err))
			return
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		msgs, err := c.decode(line)
		if err != nil {
			if complaints.allow(time.Now()) {
				c.log.Warn("upstream wrote a line that is no message", "line", printable(line[:min(len(line), 200)]), "err", err)
			}
			if garbage++; garbage >= maxGarbage {
				c.close(&Error{Kind: Protocol, Server: c.server,
					Message: fmt.Sprintf("it wrote %d lines in a row that are no messages", garbage)})
				return
			}
			continue
		}
		garbage = 0
		for _, m := range msgs {
			if !c.deliver(m) {
				return
			}
		}
	}
}

// deliver hands a message to the SDK, and reports whether the connection still
// stands. Notifications end here: the SDK would queue them without a bound,
// and nobody listens to them yet. (A handler of list_changed or progress lets
// its own pass here.)
func (c *conn) deliver(m jsonrpc.Message) bool {
	if req, ok := m.(*jsonrpc.Request); ok {
		if !req.IsCall() {
			return true
		}
		if c.asked.Add(1) > maxAsked {
			c.close(&Error{Kind: Protocol, Server: c.server, Sent: true,
				Message: fmt.Sprintf("more than %d of its requests wait for it to read their answers", maxAsked)})
			return false
		}
	}
	select {
	case c.in <- m:
		return true
	case <-c.closed:
		return false
	}
}

func (c *conn) readFailure(err error) *Error {
	e := &Error{Kind: Unavailable, Server: c.server, Sent: true}
	switch {
	case errors.Is(err, errEndless):
		e.Kind, e.Message = TooLarge, fmt.Sprintf("it wrote a message with no end in sight (the limit is %d bytes)", c.maxFrame)
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		e.Message, e.Stderr = c.cause()
	default:
		e.Message, e.err = "reading its output: "+err.Error(), err
	}
	return e
}

// tooLarge fails the call that an overlong line answers, or the connection
// where that cannot be told.
func (c *conn) tooLarge(o *oversized) bool {
	e := &Error{Kind: TooLarge, Server: c.server, Sent: true, Message: "its answer: " + o.Error()}
	if id, ok := o.id(); ok {
		if t := c.take(id); t != nil {
			if rid, err := jsonrpc.MakeID(float64(id)); err == nil {
				return c.deliver(&jsonrpc.Response{ID: rid, Error: e})
			}
		}
	}
	c.close(e)
	return false
}

// decode returns the messages of a line: one, or those of a batch, which
// protocol versions before 2025-06-18 allow.
func (c *conn) decode(line []byte) ([]jsonrpc.Message, error) {
	if e, ok := scanEnvelope(line); ok {
		if m := c.tapped(e); m != nil {
			return []jsonrpc.Message{m}, nil
		}
	}
	if bytes.TrimSpace(line)[0] == '[' {
		batch, err := decodeList[json.RawMessage](line, maxBatch)
		if err != nil {
			return nil, fmt.Errorf("reading a batch: %w", err)
		}
		var all []jsonrpc.Message
		for _, b := range batch {
			if bytes.TrimSpace(b)[0] != '{' {
				return nil, errors.New("a batch holds what is no message")
			}
			ms, err := c.decode(b)
			if err != nil {
				return nil, err
			}
			all = append(all, ms...)
		}
		return all, nil
	}
	m, err := jsonrpc.DecodeMessage(line)
	if err != nil {
		return nil, err
	}
	if r, ok := m.(*jsonrpc.Response); ok {
		if id, ok := r.ID.Raw().(int64); ok {
			c.take(id)
			if r.Error == nil {
				c.noteLate(id)
			}
		}
	}
	return []jsonrpc.Message{m}, nil
}

// tapped hands the result to the tap that waits for it and returns the message
// that the SDK is to see, or nil where this is not such a message.
func (c *conn) tapped(e envelope) jsonrpc.Message {
	id, result, ok := e.resultOf()
	if !ok {
		return nil
	}
	t := c.take(id)
	if t == nil {
		return nil
	}
	rid, err := jsonrpc.MakeID(float64(id))
	if err != nil {
		return nil
	}
	if result[0] != '{' {
		return &jsonrpc.Response{ID: rid, Error: &Error{
			Kind: Protocol, Server: c.server, Sent: true, Message: "its answer is no object",
		}}
	}
	if asksForInput(result) {
		// A round of a multi-round-trip request: the SDK's business.
		return &jsonrpc.Response{ID: rid, Result: result}
	}
	t.raw = result
	return &jsonrpc.Response{ID: rid, Result: t.stub}
}

// asksForInput reports whether a result is not one yet, but a question to the
// client (2026-07-28). The search keeps ordinary results from being decoded.
func asksForInput(result []byte) bool {
	if !bytes.Contains(result, []byte(`"inputRequests"`)) {
		return false
	}
	var r struct {
		InputRequests json.RawMessage `json:"inputRequests"`
	}
	return json.Unmarshal(result, &r) == nil && len(r.InputRequests) > 0 && string(r.InputRequests) != "null"
}
