package upstream

import (
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// link is a connection with a server, however it is reached.
type link interface {
	// Connect makes it the transport of its only session.
	mcp.Transport
	// done is closed when the connection has ended; failure then says why.
	done() <-chan struct{}
	failure() *Error
	// end ends the connection; the first reason counts. It does not wait.
	end(why *Error)
	// interrupt makes a handshake that is under way return. It comes after end.
	interrupt()
	// clear frees all that the connection holds and returns when nothing is
	// left. It is called once, after done is closed. Session may be nil. Where
	// the server would get time to end, a close of kill cuts that short.
	clear(session *mcp.ClientSession, kill <-chan struct{})
	// impatient reports whether the handshake failed for want of patience with
	// server/discover.
	impatient() bool
	// stderr is the last that the server wrote for people, or "".
	stderr() string
}

// stdioLink is a process and the connection over its pipes.
type stdioLink struct {
	*conn
	proc  *process
	log   *stderrLog
	grace time.Duration
}

func openStdio(cfg Config, box *inbox) (*stdioLink, error) {
	proc, err := startProcess(cfg)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Server: cfg.Name, Message: err.Error(), err: err}
	}
	l := &stdioLink{proc: proc, log: &stderrLog{log: cfg.Logger, done: make(chan struct{})}, grace: cfg.Grace}
	l.conn = newConn(cfg, box, proc.stdout, proc.stdin, l.causeOfEnd)
	go l.log.run(proc.stderr)
	return l, nil
}

func (c *conn) done() <-chan struct{} { return c.closed }
func (c *conn) failure() *Error       { return c.why }
func (c *conn) end(why *Error)        { c.close(why) }
func (c *conn) interrupt()            {} // its reads fail as soon as it is closed

func (l *stdioLink) stderr() string { return l.log.last() }

// clear ends the process as process.stop does.
func (l *stdioLink) clear(session *mcp.ClientSession, kill <-chan struct{}) {
	if session != nil {
		// Nothing is waited for here: reads and writes fail by now.
		_ = session.Close()
	}
	l.proc.stop(l.grace, kill)
	// Both readers have a deadline since the process died.
	<-l.log.done
	l.proc.stdout.Close()
	l.proc.stderr.Close()
	l.loops.Wait()
}

// causeOfEnd says why the server's output ended, and what it last wrote to its
// stderr.
func (l *stdioLink) causeOfEnd() (cause, stderr string) {
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-l.proc.done:
		select {
		case <-l.log.done: // its last words are in
		case <-timer.C:
		}
		return "it " + l.proc.cause, l.log.last()
	case <-timer.C:
		return "it closed its output", l.log.last()
	}
}
