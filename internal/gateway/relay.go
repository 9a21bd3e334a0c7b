package gateway

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// A relay tells the client what a program says while it runs: its console
// lines, where the client asked for log messages, and how far it is, where the
// client gave a token for that. A program never waits for a client that is slow
// to read: lines queue up, which the runtime bounds, and of progress only the
// latest is kept.
type relay struct {
	mu      sync.Mutex
	logs    []autoclave.LogEntry
	latest  *mcp.ProgressNotificationParams // nil: nothing new
	to      *mcp.CallToolRequest            // nil: nobody listens at the moment
	ctx     context.Context                 // of that request
	token   any
	sending chan struct{} // closed when the sender has nothing left; nil: there is none

	// held is progress that may be the last, until the timer says that more is
	// to come. A client that gets it in one piece with the answer may have
	// forgotten its token when it comes to it, and take that for an error.
	held  *mcp.ProgressNotificationParams
	timer *time.Timer // nil: nothing is held

	own   bool    // the program reports its progress itself
	calls int     // host calls done
	base  float64 // what progress had come to by host calls, when own began
	last  float64 // what was said last
	said  bool
}

// attach makes req the request whose client listens.
func (r *relay) attach(ctx context.Context, req *mcp.CallToolRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to, r.ctx, r.token = req, ctx, req.Params.GetProgressToken()
	r.start()
}

// holdBack is how long progress is held that may be the last.
const holdBack = 100 * time.Millisecond

// detach sends what there is and is not held, and returns when it is sent.
func (r *relay) detach() {
	for {
		r.mu.Lock()
		r.release()
		sending := r.sending
		if sending == nil {
			r.to, r.ctx, r.token = nil, nil, nil
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		<-sending
	}
}

func (r *relay) log(e autoclave.LogEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, e)
	r.start()
}

// progress reports what the program says. What host calls had come to by then
// is added to both numbers, because the protocol wants them to rise.
func (r *relay) progress(p autoclave.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.own {
		r.own = true
		r.release()
		if r.said {
			r.base = r.last + 1
		}
	}
	params := &mcp.ProgressNotificationParams{Progress: r.base + p.Done, Message: p.Message}
	if p.Total != nil {
		params.Total = r.base + *p.Total
	}
	r.report(params)
}

// called reports that one more host call is done.
func (r *relay) called(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls++; !r.own {
		r.hold(&mcp.ProgressNotificationParams{Progress: float64(r.calls), Message: fmt.Sprintf("%d done: %s", r.calls, clip(what, 200))})
	}
}

// calling reports how far a host call is: as a part of one, where that is
// known, on top of the calls that are done.
func (r *relay) calling(what string, done float64, total *float64, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own || total == nil || !(*total > 0) || !(done >= 0) {
		return
	}
	text := clip(what, 200)
	if message != "" {
		text += ": " + clip(message, 200)
	}
	p := &mcp.ProgressNotificationParams{Progress: float64(r.calls) + min(done / *total, 1)*0.99, Message: text}
	if done >= *total {
		r.hold(p)
		return
	}
	r.report(p)
}

// hold reports p in a while, unless there is something newer by then, or
// nobody who listens. It is called under mu.
func (r *relay) hold(p *mcp.ProgressNotificationParams) {
	if r.to == nil || r.token == nil || r.said && p.Progress <= r.last {
		return
	}
	r.held = p
	if r.timer == nil {
		r.timer = time.AfterFunc(holdBack, r.due)
	}
}

func (r *relay) due() {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.held
	if r.release(); p != nil {
		r.report(p)
	}
}

// release forgets what is held. It is called under mu.
func (r *relay) release() {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.held, r.timer = nil, nil
}

// report is called under mu.
func (r *relay) report(p *mcp.ProgressNotificationParams) {
	if r.said && p.Progress <= r.last {
		return
	}
	if r.held != nil && r.held.Progress <= p.Progress {
		r.release()
	}
	r.said, r.last, r.latest = true, p.Progress, p
	r.start()
}

// start sees to it that somebody sends. It is called under mu.
func (r *relay) start() {
	if r.sending != nil || r.to == nil || len(r.logs) == 0 && (r.latest == nil || r.token == nil) {
		return
	}
	r.sending = make(chan struct{})
	go r.send()
}

// send sends until there is nothing left.
func (r *relay) send() {
	for {
		r.mu.Lock()
		logs, progress, to, ctx, token := r.logs, r.latest, r.to, r.ctx, r.token
		r.logs, r.latest = nil, nil
		if len(logs) == 0 && progress == nil {
			close(r.sending)
			r.sending = nil
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, e := range logs {
			// The SDK drops what is below the level that the client asked for.
			// Where writing fails the connection is at its end.
			_ = to.Session.Log(ctx, &mcp.LoggingMessageParams{Level: logLevel(e.Level), Logger: "execute", Data: e.Text})
		}
		if progress != nil && token != nil { // else it did not ask
			progress.ProgressToken = token
			_ = to.Session.NotifyProgress(ctx, progress)
		}
	}
}

func logLevel(level string) mcp.LoggingLevel {
	switch level {
	case "debug", "error":
		return mcp.LoggingLevel(level)
	case "warn":
		return "warning"
	}
	return "info"
}
