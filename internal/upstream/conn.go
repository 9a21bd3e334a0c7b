package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
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
)

// conn is an mcp.Connection over a server's pipes: newline-delimited JSON. It
// owns two goroutines, which end when the connection is closed and the pipes
// are.
type conn struct {
	server   string
	log      *slog.Logger
	maxFrame int
	w        io.Writer
	box      *inbox
	// cause says why the server's output ended; it may wait a little for that.
	cause func() (cause, stderr string)
	// discover is how long server/discover may go unanswered.
	discover time.Duration

	in     chan jsonrpc.Message // from readLoop
	inject chan jsonrpc.Message // answers that the server did not give
	out    chan outgoing        // to writeLoop
	ended  chan struct{}        // closed when readLoop has ended
	closed chan struct{}        // closed by close
	loops  sync.WaitGroup
	once   sync.Once
	why    *Error // why it is over; set before closed is closed

	mu        sync.Mutex
	discoverN int64 // id of the server/discover under way, or 0
	timer     *time.Timer
	expired   int64 // id of one that was given up, or 0
	late      bool  // it was answered after all, and well
}

type outgoing struct {
	frame []byte
	done  chan error // buffered
}

func newConn(cfg Config, box *inbox, r io.Reader, w io.Writer, cause func() (cause, stderr string)) *conn {
	c := &conn{
		server: cfg.Name, log: cfg.Logger, maxFrame: cfg.MaxFrame, w: w, box: box, cause: cause, discover: cfg.DiscoverTimeout,
		in: make(chan jsonrpc.Message), inject: make(chan jsonrpc.Message, 1), out: make(chan outgoing),
		ended: make(chan struct{}), closed: make(chan struct{}),
	}
	box.send = c.Write
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
		c.why = why
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
		return nil, c.why
	case <-c.ended:
		// It closes with the reason, after all that the server had said.
		<-c.closed
		return nil, c.why
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
		defer c.box.answered()
	}
	o := outgoing{frame: append(b, '\n'), done: make(chan error, 1)}
	select {
	case c.out <- o:
	case <-c.closed:
		return c.why
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-c.closed:
		// It may have been sent, and answered too, before the end: what comes
		// of it is Read's to say.
		return nil
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
	if waiting := callOf(ctx); waiting != nil {
		c.box.expect(id, waiting)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
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

// answered notes that the server answered a request, and whether well.
func (c *conn) answered(r *jsonrpc.Response) {
	id, ok := r.ID.Raw().(int64)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.discoverN != 0 && id == c.discoverN { // 0 is an id that a server may make up
		c.discoverN = 0
		c.timer.Stop()
	}
	c.late = c.late || r.Error == nil && c.expired != 0 && id == c.expired
}

// impatient reports whether the server knows server/discover and was only
// slow.
func (c *conn) impatient() bool {
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
			o.done <- c.why
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
		msgs, err := c.box.decode(line)
		if err != nil {
			c.box.garbage(line, err)
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

// deliver hands a message to whom it is for, and reports whether the
// connection still stands.
func (c *conn) deliver(m jsonrpc.Message) bool {
	if r, ok := m.(*jsonrpc.Response); ok {
		c.answered(r)
	}
	forSDK, failure := c.box.receive(m, nil)
	if failure != nil {
		c.close(failure)
		return false
	}
	if !forSDK {
		return true
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
		if c.box.take(id) != nil {
			if rid, err := jsonrpc.MakeID(float64(id)); err == nil {
				return c.deliver(&jsonrpc.Response{ID: rid, Error: e})
			}
		}
	}
	c.close(e)
	return false
}
