package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// unread is how long a client that has gone, or is to go, may leave answers
// unread before its connection is cut.
const unread = time.Second

// Serve serves one client over t, until the client closes its end or ctx ends.
// What a client asked for before it closed its end is still answered, for
// Config.Drain at most; when ctx ends, what is under way ends with
// ShuttingDown. Serve returns when nothing of the session is left. The error
// is nil where the client went, or ctx ended.
func (g *Gateway) Serve(ctx context.Context, t mcp.Transport) error {
	l := newLink(t)
	ss, err := g.server.Connect(context.WithoutCancel(ctx), l, nil)
	if err != nil {
		return fmt.Errorf("gateway: connecting the client: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- ss.Wait() }()
	s := g.session(ss)
	if s == nil {
		l.release()
		l.cut()
		<-ended
		return fmt.Errorf("gateway: connecting the client: %w", errShuttingDown)
	}

	leave := make(chan struct{})
	s.mu.Lock()
	s.leave = leave
	s.mu.Unlock()
	cause := errShuttingDown
	select {
	case <-leave:
	case <-ctx.Done():
	case <-s.gone: // the SDK gave the connection up
	case <-l.eof:
		cause = errClientGone
		drain := time.NewTimer(g.cfg.Drain)
		select {
		case <-l.answered():
		case <-drain.C:
		case <-ctx.Done():
		}
		drain.Stop()
	}
	// The SDK writes no answer once it knows that the connection is closing.
	s.stop()
	s.end(cause)
	patience := time.NewTimer(unread)
	defer patience.Stop()
	select {
	case <-l.answered():
	case <-s.gone:
	case <-patience.C:
	}
	l.release()
	go func() { _ = ss.Close() }()
	cut := time.AfterFunc(unread, l.cut)
	defer cut.Stop()
	last := time.NewTimer(3 * unread)
	defer last.Stop()
	select {
	case err = <-ended:
	case <-last.C:
		// A write to a file that has no deadline cannot be taken back. It ends
		// with the process.
		return errors.New("gateway: the client does not read what was written to it")
	}
	<-s.gone
	if err == nil || l.isOver() {
		return nil
	}
	return fmt.Errorf("gateway: the connection ended: %w", err)
}

// link is one client's connection as Serve needs it: it has a name, the SDK
// does not hear of its end before Serve lets it, and it can be cut.
type link struct {
	transport mcp.Transport
	id        string
	eof       chan struct{} // closed when the client has said its last
	over      chan struct{} // closed when the SDK may hear of that

	mu      sync.Mutex
	conn    mcp.Connection
	calls   map[jsonrpc.ID]struct{} // not answered yet
	settled chan struct{}           // closed when calls is empty; nil while nobody asks
	ended   bool                    // eof is closed
	freed   bool                    // over is closed
}

func newLink(t mcp.Transport) *link {
	return &link{
		transport: t, id: rand.Text(), eof: make(chan struct{}), over: make(chan struct{}),
		calls: map[jsonrpc.ID]struct{}{},
	}
}

// Connect implements mcp.Transport, for one connection.
func (l *link) Connect(ctx context.Context) (mcp.Connection, error) {
	conn, err := l.transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
	return linked{l, conn}, nil
}

// answered returns what is closed when all calls have been answered.
func (l *link) answered() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled == nil {
		l.settled = make(chan struct{})
		if len(l.calls) == 0 {
			close(l.settled)
		}
	}
	return l.settled
}

func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.freed {
		l.freed = true
		close(l.over)
	}
}

func (l *link) cut() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	_ = conn.Close()
}

func (l *link) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.freed
}

// linked is the connection that the SDK has.
type linked struct {
	link *link
	conn mcp.Connection
}

func (c linked) SessionID() string { return c.link.id }

func (c linked) Close() error { return c.conn.Close() }

func (c linked) Read(ctx context.Context) (jsonrpc.Message, error) {
	msg, err := c.conn.Read(ctx)
	l := c.link
	if err != nil {
		l.mu.Lock()
		if !l.ended {
			l.ended = true
			close(l.eof)
		}
		l.mu.Unlock()
		select {
		case <-l.over:
		case <-ctx.Done():
		}
		if !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading from the client: %w", err)
		}
		return nil, io.EOF
	}
	// A subscription is answered when it ends, which is with the connection.
	if req, ok := msg.(*jsonrpc.Request); ok && req.IsCall() && req.Method != "subscriptions/listen" {
		l.mu.Lock()
		l.calls[req.ID] = struct{}{}
		l.mu.Unlock()
	}
	return msg, nil
}

func (c linked) Write(ctx context.Context, msg jsonrpc.Message) error {
	err := c.conn.Write(ctx, msg)
	if res, ok := msg.(*jsonrpc.Response); ok {
		l := c.link
		l.mu.Lock()
		delete(l.calls, res.ID)
		if len(l.calls) == 0 && l.settled != nil {
			select {
			case <-l.settled:
			default:
				close(l.settled)
			}
		}
		l.mu.Unlock()
	}
	return err
}
