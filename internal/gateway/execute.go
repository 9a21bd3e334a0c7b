package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// A run is one execution. It outlives the request that started it where the
// client has to answer something in between.
type run struct {
	g         *Gateway
	s         *session
	principal string
	name      string // of the stash; empty: it is the session's
	host      *host
	relay     relay
	warnings  []string // ours, before the program's

	// ctx ends the execution. It has the values of the first request.
	ctx  context.Context
	end  context.CancelCauseFunc
	done chan struct{} // closed when res is there
	res  *autoclave.Result

	mu       sync.Mutex
	clock    context.Context // of a host call of this execution
	waits    map[string]int  // host calls under way, by what is called
	request  *mcp.CallToolRequest
	asked    []*question   // that wait for the client
	askedNew chan struct{} // has one in it where one of them was not sent yet
}

func (g *Gateway) execute(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if state := req.Params.RequestState; state != "" {
		return g.resume(ctx, req, state)
	}
	args := readArguments("execute", req.Params.Arguments)
	code, timeout, name := args.need("code"), args.whole("timeout_ms"), args.name("session")
	offer := g.offer.Load()
	engine := args.one("engine", offer.engines)
	if args.err != nil {
		return failure(args.err), nil
	}
	s := g.session(req.Session)
	if s == nil {
		return failure(&autoclave.Error{Code: autoclave.ShuttingDown, Message: errShuttingDown.Error()}), nil
	}
	if err := s.begin(); err != nil {
		return failure(err), nil
	}
	r, err := g.newRun(ctx, s, req, name)
	if err != nil {
		s.finish()
		g.log.Error("an execution could not be prepared", "err", err)
		return failure(autoclave.Errorf(autoclave.Internal, "preparing the execution: %w", err)), nil
	}
	p := autoclave.Program{Source: unfenced(code), Tenant: r.principal, Engine: engine}
	if limit := offer.limits.Wall.Milliseconds(); timeout > limit {
		r.warnings = append(r.warnings, fmt.Sprintf("timeout_ms was %d: the limit of %d ms applied", timeout, limit))
	} else {
		p.Limits.Wall = time.Duration(timeout) * time.Millisecond
	}
	s.started(r)
	keepAlive(ctx)
	go r.execute(p)
	return r.serve(ctx, req), nil
}

func (g *Gateway) newRun(ctx context.Context, s *session, req *mcp.CallToolRequest, name string) (*run, error) {
	r := &run{
		g: g, s: s, principal: g.principal(req.Extra), name: name, done: make(chan struct{}),
		askedNew: make(chan struct{}, 1), request: req, waits: map[string]int{},
	}
	r.ctx, r.end = context.WithCancelCause(context.WithoutCancel(ctx))
	store, err := s.stash(r.principal, name)
	if err != nil {
		return nil, err
	}
	inner, err := g.cfg.NewHost(Caller{Principal: r.principal, Session: s.ss.ID(), Name: name, Stash: store, Ended: s.ctx, Client: client{s, r.principal}, Approver: own{r}})
	if err != nil {
		return nil, fmt.Errorf("making its host: %w", err)
	}
	r.host = newHost(inner, store, r)
	return r, nil
}

// execute runs the program. It owns the run's end.
func (r *run) execute(p autoclave.Program) {
	stop := context.AfterFunc(r.s.ctx, func() { r.end(context.Cause(r.s.ctx)) })
	r.g.ready(r.ctx)
	res, _ := r.g.cfg.Runtime.Execute(r.ctx, p, r.host) // the error is in the result
	if res.Error != nil && res.Error.Code == autoclave.Cancelled && errors.Is(context.Cause(r.ctx), errShuttingDown) {
		e := *res.Error
		e.Code, e.Message = autoclave.ShuttingDown, errShuttingDown.Error()
		res.Error = &e
	}
	if governor, ok := r.host.inner.(Governor); ok {
		res = governor.Finish(r.ctx, p, res)
	}
	r.res = res
	stop()
	close(r.done)
	r.end(nil)
	r.s.ended(r)
	r.s.finish()
}

// serve answers req when the execution has ended, or when the client must
// answer something first. While it waits, the end of ctx, with which the client
// takes req back, ends the execution.
func (r *run) serve(ctx context.Context, req *mcp.CallToolRequest) *mcp.CallToolResult {
	defer context.AfterFunc(ctx, func() { r.end(context.Cause(ctx)) })()
	r.mu.Lock()
	r.request = req
	r.mu.Unlock()
	r.relay.attach(ctx, req)
	defer r.relay.detach()
	for {
		select {
		case <-r.done:
			return r.result()
		case <-r.askedNew:
		}
		// A client takes few rounds: what is asked at about the same time goes
		// in one.
		timer := time.NewTimer(gather)
		select {
		case <-r.done:
			timer.Stop()
			return r.result()
		case <-timer.C:
		}
		if res := r.park(); res != nil {
			return res
		}
	}
}

// calling begins a host call. The function that it returns ends it.
func (r *run) calling(ctx context.Context, what string) (done func()) {
	r.mu.Lock()
	r.clock = ctx
	r.waits[what]++
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		if r.waits[what]--; r.waits[what] == 0 {
			delete(r.waits, what)
		}
		r.mu.Unlock()
		said := what
		if g := r.host.governor; g != nil {
			said = g.Text(said) // names and URIs are what the program makes up
		}
		r.relay.called(said)
	}
}

// isCalling reports whether the run waits for a host call, of what where that
// is not empty.
func (r *run) isCalling(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waits[what] > 0 || what == "" && len(r.waits) > 0
}

// park has the client answer what was asked, and leaves the execution waiting.
// It returns nil where the questions have been given up meanwhile.
func (r *run) park() *mcp.CallToolResult {
	requests := r.questions()
	if len(requests) == 0 {
		return nil
	}
	p := &parked{run: r, state: rand.Text()}
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parked[p.state] = p
	// A client that never comes back leaves nothing behind.
	p.timer = time.AfterFunc(g.cfg.AnswerTimeout, func() {
		g.unpark(p)
		r.end(errNoAnswer)
	})
	return &mcp.CallToolResult{InputRequests: requests, RequestState: p.state}
}

// parked is a run whose client is to come back with answers.
type parked struct {
	run   *run
	state string
	timer *time.Timer
}

var errNoAnswer = errors.New("the client did not come back with an answer")

func (g *Gateway) unpark(p *parked) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.timer.Stop()
	delete(g.parked, p.state)
}

// unparkAll drops what is parked of a session that has ended.
func (g *Gateway) unparkAll(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for state, p := range g.parked {
		if p.run.s == s {
			p.timer.Stop()
			delete(g.parked, state)
		}
	}
}

// resume goes on with an execution whose questions the client has answered.
func (g *Gateway) resume(ctx context.Context, req *mcp.CallToolRequest, state string) (*mcp.CallToolResult, error) {
	g.mu.Lock()
	p := g.parked[state]
	g.mu.Unlock()
	if p == nil || p.run.principal != g.principal(req.Extra) {
		e := autoclave.Errorf(autoclave.InvalidArguments, "no execution waits for these answers: it has ended, or was answered before")
		e.Suggestion = "Run the program again."
		return failure(e), nil
	}
	g.unpark(p)
	keepAlive(ctx)
	p.run.answer(req.Params.InputResponses)
	return p.run.serve(ctx, req), nil
}
