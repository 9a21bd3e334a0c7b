package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patientWriter is a response that a client must take within a time. What is
// not taken ends the request, and with it the hold that a stream of events has
// on whoever writes to it. Events that are long in coming are kept company by
// comments, for proxies that cut what is silent, and to notice clients that
// have gone.
type patientWriter struct {
	under   http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	beat    time.Duration
	untaken *untaken
	cancel  context.CancelFunc // of the request

	mu     sync.Mutex
	timer  *time.Timer
	ready  bool // the header is complete
	events bool // what is written are events
	wrote  time.Time
	ended  bool
	cut    bool // something is missing in what was written
}

// maxUntaken is how much may wait, in all answers together, for clients to take
// it, in bytes: clients that ask and do not read must not fill the memory.
const maxUntaken = 256 << 20

// untaken counts what waits in answers for clients to take it.
type untaken struct {
	max   int64
	bytes atomic.Int64
}

var errUntaken = errors.New("too much waits for clients that do not read")

// begin makes room for n bytes, which end gives back.
func (u *untaken) begin(n int) error {
	if u.bytes.Add(int64(n)) > u.max {
		u.bytes.Add(-int64(n))
		return errUntaken
	}
	return nil
}

func (u *untaken) end(n int) { u.bytes.Add(-int64(n)) }

func newPatientWriter(w http.ResponseWriter, timeout, beat time.Duration, untaken *untaken, cancel context.CancelFunc) *patientWriter {
	p := &patientWriter{
		untaken: untaken, under: w, control: http.NewResponseController(w), timeout: timeout, beat: beat, cancel: cancel, wrote: time.Now(),
	}
	p.timer = time.AfterFunc(beat, p.tick)
	return p
}

func (p *patientWriter) Header() http.Header { return p.under.Header() }

func (p *patientWriter) WriteHeader(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	p.under.WriteHeader(status)
}

func (p *patientWriter) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	if err := p.untaken.begin(len(b)); err != nil {
		p.cut = true
		p.cancel()
		return 0, err
	}
	defer p.untaken.end(len(b))
	var n int
	err := p.within(func() (err error) {
		n, err = p.under.Write(b)
		return err
	})
	return n, err
}

// FlushError is what a http.ResponseController calls.
func (p *patientWriter) FlushError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.within(p.control.Flush)
}

// begin is called under mu, by who has the header to himself.
func (p *patientWriter) begin() {
	if !p.ready {
		p.ready = true
		p.events = strings.HasPrefix(p.under.Header().Get("Content-Type"), "text/event-stream")
	}
}

// within is called under mu. A deadline that stays would end a stream of HTTP/2
// though nothing waits to be written.
func (p *patientWriter) within(write func() error) error {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.timeout)) // in tests there may be none
	err := write()
	_ = p.control.SetWriteDeadline(time.Time{})
	p.wrote = time.Now()
	if err != nil {
		p.cancel()
	}
	return err
}

// keepAlive says that the header is complete, before the first event.
func (p *patientWriter) keepAlive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
}

func (p *patientWriter) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	if p.events && time.Since(p.wrote) >= p.beat {
		err := p.within(func() error {
			if _, err := p.under.Write([]byte(":\n\n")); err != nil {
				return err
			}
			return p.control.Flush()
		})
		if err != nil {
			return
		}
	}
	p.timer.Reset(p.beat)
}

// end must be called when the request has been served, before its handler
// returns. What is left in buffers then has its time too.
func (p *patientWriter) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
	deadline := time.Now().Add(p.timeout)
	if p.cut {
		deadline = time.Unix(1, 0) // the client must not take it for an answer that is complete
	}
	_ = p.control.SetWriteDeadline(deadline)
}

// hanging is the context of a request of a session. The SDK asks it for its
// end when it has nothing to do but wait: then the header is complete. (Of a
// stream that is taken up again the SDK writes nothing before the next event,
// and a client would not hear that it has been heard.)
type hanging struct {
	context.Context
	first *sync.Once
	do    func()
}

func (h hanging) Done() <-chan struct{} {
	h.first.Do(h.do)
	return h.Context.Done()
}

// hangs returns the context of a request that is answered with p. At once says
// that the client shall have the header as soon as it is complete.
func (p *patientWriter) hangs(ctx context.Context, atOnce bool) context.Context {
	return hanging{ctx, &sync.Once{}, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.begin(); p.events && atOnce {
			_ = p.within(p.control.Flush) // which ends the request where it fails
		}
	}}
}

type keepAliveKey struct{}

// keepAlive has the stream of events on which the request of ctx, one without a
// session, is answered kept alive from now on.
func keepAlive(ctx context.Context) {
	if p, ok := ctx.Value(keepAliveKey{}).(*patientWriter); ok {
		p.keepAlive()
	}
}
