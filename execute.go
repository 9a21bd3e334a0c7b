package autoclave

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/autoclave-run/autoclave/internal/process"
	"github.com/autoclave-run/autoclave/internal/wire"
	"github.com/autoclave-run/autoclave/pool"
)

// Execute runs a program and returns when it has its value or has failed. The
// Result is never nil. The error is nil or an *Error, and the same as
// Result.Error.
//
// When ctx ends, the program is ended within Config.KillGrace. What host calls
// it had begun have their contexts ended, and their answers are dropped.
func (r *Runtime) Execute(ctx context.Context, p Program, host Host) (*Result, error) {
	res := &Result{}
	begun := time.Now()
	err := r.execute(ctx, p, host, res, begun)
	if err != nil {
		res.Error = err
		return res, err
	}
	res.OK = true
	return res, nil
}

func (r *Runtime) execute(ctx context.Context, p Program, host Host, res *Result, begun time.Time) *Error {
	limits, err := p.Limits.merged(r.limits, "Program.Limits")
	if err != nil {
		return Errorf(Internal, "%w", err)
	}
	switch {
	case host == nil:
		return Errorf(Internal, "Execute needs a Host: use autoclave.HostFunc for a function")
	case len(p.Source) > limits.Program:
		return &Error{
			Code: CodeLimit, Message: fmt.Sprintf("the program has %d bytes, at most %d are allowed", len(p.Source), limits.Program),
			Suggestion: "Write a shorter program: fetch data through tools instead of pasting it into the source.",
		}
	case !utf8.ValidString(p.Source):
		return Errorf(SyntaxError, "the program is not valid UTF-8")
	}
	engine, fail := r.engine(p.Engine)
	if fail != nil {
		return fail
	}
	if !r.active.enter() {
		return shuttingDown(nil)
	}
	defer r.active.leave()
	x := &execution{r: r, engine: engine, host: host, limits: limits, preview: p.Preview, ctx: ctx, res: res}
	fail = x.attempt(p, begun)
	// A worker that was lost before the program had any effect is replaced,
	// once, without the caller noticing.
	if x.lost != nil && x.repeatable() && ctx.Err() == nil {
		r.log.Warn("a worker was lost; its execution moves to another one", "worker", x.w.PID(), "error", x.lost)
		*res = Result{}
		again := &execution{r: r, engine: engine, host: host, limits: limits, preview: p.Preview, ctx: ctx, res: res, spent: time.Since(x.begin)}
		return again.attempt(p, begun)
	}
	return fail
}

// attempt runs the program in one worker.
func (x *execution) attempt(p Program, begun time.Time) *Error {
	lease, err := x.engine.pool.Acquire(x.ctx, p.Tenant)
	x.res.Usage.Queue = time.Since(begun)
	if err != nil {
		return x.r.refused(x.ctx, err)
	}
	x.w, x.id = lease.Worker(), x.r.nextID.Add(1)
	// A Host's method that panics on this goroutine must not keep the worker.
	returned := false
	defer func() {
		if !returned {
			x.w.Kill("the host panicked")
			lease.Discard(errors.New("the host panicked"))
		}
	}()
	fail := x.run(p.Source)
	returned = true
	x.res.Worker = x.info(lease)
	if err := x.w.SendErr(); err != nil && x.lost == nil {
		x.lost = err
	}
	if x.lost != nil {
		lease.Discard(x.lost)
	} else {
		lease.Release()
	}
	return fail
}

func shuttingDown(err error) *Error {
	return &Error{Code: ShuttingDown, Message: "the runtime is closing", err: err}
}

// refused translates the pool's refusal.
func (r *Runtime) refused(ctx context.Context, err error) *Error {
	var over *pool.OverloadedError
	var spawn *pool.SpawnError
	switch {
	case errors.As(err, &over):
		return &Error{Code: Overloaded, Message: err.Error(), Retryable: true, RetryAfter: over.RetryAfter, err: err}
	case errors.As(err, &spawn):
		// What a worker wrote before it died is for the operator, not for a
		// model.
		r.log.Error("no worker can be started", "error", err)
		return &Error{Code: WorkerCrashed, Message: "no worker can be started", Retryable: true, RetryAfter: spawn.RetryAfter, err: err}
	case errors.Is(err, pool.ErrClosed):
		return shuttingDown(err)
	case ctx.Err() != nil:
		return cancelled(ctx)
	}
	return Errorf(Internal, "getting a worker: %w", err)
}

// An execution is one program in one worker. Its receive loop runs on the
// caller's goroutine; host calls run on their own.
type execution struct {
	r       *Runtime
	engine  *engine
	w       *process.Worker
	host    Host
	events  EventHost
	limits  Limits
	preview bool
	ctx     context.Context
	id      uint64
	res     *Result

	// The receive loop's own.
	started  bool
	alive    bool      // it is known to work on the program
	health   time.Time // by when it must be
	cpuBase  time.Duration
	hasCPU   bool
	ending   *Error // why the program is being ended
	endBy    time.Time
	lost     error // the worker is of no further use, for this reason
	retry    bool  // it was lost without having done anything
	streamed bool  // something of this attempt reached the EventHost
	logBytes int
	emitted  int
	progress int
	unknown  int
	lastCall uint64
	messages int64
	headers  int64         // bytes of headers that its worker had sent before
	cpuSeen  time.Duration // CPU time of the process when it was last looked at
	spent    time.Duration // wall time of an attempt before this one

	// places are taken by host calls from before they are asked until their
	// answer is in the pipe: what waits there is in memory.
	places chan struct{}

	callCtx  context.Context // of all host calls; ends with the execution
	endCalls context.CancelFunc

	mu       sync.Mutex
	begin    time.Time
	paused   int           // clocks that are stopped
	pausedAt time.Time     // since when, where paused > 0
	pauses   time.Duration // of ended pauses
	inFlight int
	over     bool // the execution has ended: late answers are dropped
}

func (x *execution) info(lease *pool.Lease[*process.Worker]) *WorkerInfo {
	engine, version := x.w.Engine()
	return &WorkerInfo{
		PID: x.w.PID(), Engine: engine, EngineVersion: version, Generation: x.w.Generation(),
		Reused: lease.Reused(), Lockdown: string(x.w.Lockdown().Level),
	}
}

// repeatable reports whether the program had no effect that anyone could see.
func (x *execution) repeatable() bool {
	return x.retry && x.lastCall == 0 && !x.streamed && x.ending == nil
}

func (x *execution) run(source string) (fail *Error) {
	x.events, _ = x.host.(EventHost)
	x.callCtx, x.endCalls = context.WithCancel(x.ctx)
	x.places = make(chan struct{}, x.limits.Concurrency)
	x.begin = time.Now()
	x.headers = x.w.HeaderBytes()
	x.cpuBase, x.hasCPU = x.w.CPUTime()
	x.cpuSeen = x.cpuBase
	defer x.finish()

	x.w.SetBodyLimit(x.bodyLimit)
	x.health = x.begin.Add(x.r.health)
	x.w.SetSendDeadline(x.health)
	switch err := x.send(source); {
	case errors.Is(err, wire.ErrFrameTooLarge):
		// Nothing was sent.
		x.w.SetSendDeadline(time.Time{})
		return Errorf(Internal, "the program and the catalog do not fit Config.MaxFrame: %w", err)
	case err != nil:
		return x.lose(err)
	}
	x.w.SetSendDeadline(time.Time{})
	if x.ctx.Done() != nil {
		defer context.AfterFunc(x.ctx, x.w.Wake)()
	}
	return x.receive()
}

// send hands the program, and the catalog where the worker has another one, to
// the worker.
func (x *execution) send(source string) error {
	version := ""
	if c, ok := x.host.(CatalogHost); ok {
		if catalog := c.Catalog(); catalog != nil {
			version = catalog.version
			if x.w.Catalog() != version {
				if err := x.w.SendCatalog(version, catalog.body); err != nil {
					return err
				}
			}
		}
	}
	seed := make([]byte, 32)
	if _, err := rand.Read(seed); err != nil {
		return fmt.Errorf("reading randomness: %w", err)
	}
	l := &x.limits
	return x.w.Execute(&wire.Header{
		Type: wire.TypeExecute, ID: x.id, Seed: seed, Catalog: version,
		Limits: &wire.Limits{
			CPU: l.CPU.Milliseconds(), Heap: l.Heap, Stack: x.r.stack, Program: int64(l.Program), Result: int64(l.Result),
			Arguments: int64(l.Arguments), CallResult: int64(l.CallResult), Calls: int64(l.Calls), Concurrency: int64(l.Concurrency),
			CallTimeout: l.CallTimeout.Milliseconds(), Logs: int64(l.Logs), Emits: int64(l.Emits), Preview: x.preview,
		},
	}, []byte(source))
}

// finish closes the books: nothing of this execution happens after it.
func (x *execution) finish() {
	x.endCalls()
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	for i := range x.res.Calls {
		c := &x.res.Calls[i]
		if c.Code == inFlight {
			c.Code, c.Millis = Cancelled, c.Millis+millis(now.Sub(x.begin))
		}
		x.res.Usage.BytesIn += int64(c.BytesIn)
		x.res.Usage.BytesOut += int64(c.BytesOut)
	}
	x.res.Usage.Calls = len(x.res.Calls)
	x.res.Usage.Run = now.Sub(x.begin)
	x.sampleCPU()
	x.res.Usage.CPU = x.cpuSeen - x.cpuBase
}

// sampleCPU looks at the process's clock while there is a process.
func (x *execution) sampleCPU() {
	if cpu, ok := x.w.CPUTime(); ok && x.hasCPU {
		x.cpuSeen = cpu
	}
}

// receive reads what the worker says until the execution has ended.
func (x *execution) receive() *Error {
	first := min(x.limits.Wall-x.spent, x.limits.CPU)
	deadline := x.begin.Add(first)
	if x.health.Before(deadline) {
		deadline = x.health
	}
	x.w.SetReceiveDeadline(deadline)
	for {
		// A context that ended before the deadline was set had its Wake
		// undone by it.
		look := x.ctx.Err() != nil && x.ending == nil
		if !look {
			h, body, err := x.w.Receive()
			switch {
			case err == nil:
				if ended, fail := x.message(h, body); ended {
					return fail
				}
				continue
			case !errors.Is(err, os.ErrDeadlineExceeded):
				return x.lose(err)
			}
		}
		deadline, fail := x.check(time.Now())
		if fail != nil {
			return fail
		}
		x.w.SetReceiveDeadline(deadline)
	}
}

// check looks at everything that ends a program by time, and returns when to
// look again.
func (x *execution) check(now time.Time) (time.Time, *Error) {
	if !x.alive && !now.Before(x.health) && !x.computes() {
		x.retry = true
		return time.Time{}, x.kill(fmt.Errorf("it did not start the program within %v", x.r.health))
	}
	if x.ending == nil {
		wall, running := x.wall(now)
		_, ok := x.w.CPUTime()
		x.sampleCPU()
		used := x.cpuSeen - x.cpuBase
		switch {
		case x.ctx.Err() != nil:
			x.ending = cancelled(x.ctx)
		case wall >= x.limits.Wall:
			x.ending = &Error{
				Code: Timeout, Message: fmt.Sprintf("the execution took longer than its %v", x.limits.Wall),
				Suggestion: "Do less in one program, or call slow tools in parallel.",
			}
		case ok && x.hasCPU && used >= x.limits.CPU:
			x.ending = cpuLimit(x.limits.CPU)
		default:
			next := now.Add(time.Second)
			if running {
				next = now.Add(x.limits.Wall - wall)
			}
			if ok && x.hasCPU {
				// It cannot use more CPU time than passes, times the few
				// threads that it has; the engine has one.
				if at := now.Add(max(x.limits.CPU-used, time.Millisecond)); at.Before(next) {
					next = at
				}
			}
			if !x.alive && x.health.Before(next) {
				next = x.health
			}
			return next, nil
		}
	}
	if x.endBy.IsZero() {
		x.endBy = now.Add(x.r.grace)
		x.endCalls()
		if x.r.grace > 0 {
			x.w.SetSendDeadline(x.endBy)
			// If this fails, the kill is near.
			_ = x.w.Send(&wire.Header{Type: wire.TypeCancel, ID: x.id, Reason: string(x.ending.Code)}, nil)
			now = time.Now()
		}
	}
	if !now.Before(x.endBy) {
		return time.Time{}, x.kill(fmt.Errorf("the program did not end within the grace: %w", x.ending))
	}
	return x.endBy, nil
}

// busy is how much a worker must have computed within the health-check timeout
// to be taken for one that works on its program: more than a Go process does
// that has nothing to do, less than one that gets a tenth of a processor.
const busy = 5 * time.Millisecond

// computes reports whether a worker that has said nothing yet works all the
// same: it may be in the engine's depths, from where it does not look up.
func (x *execution) computes() bool {
	cpu, ok := x.w.CPUTime()
	x.alive = ok && x.hasCPU && cpu-x.cpuBase >= busy
	return x.alive
}

func cpuLimit(limit time.Duration) *Error {
	return &Error{
		Code: CPULimit, Message: fmt.Sprintf("the program computed for longer than its %v of CPU time", limit),
		Suggestion: "Look for a loop that does not end, or let a tool do the work.",
	}
}

// kill ends the worker and returns what the caller is told.
func (x *execution) kill(why error) *Error {
	x.sampleCPU()
	x.w.Kill(why.Error())
	<-x.w.Done()
	x.lost = why
	if x.ending != nil {
		return x.ending
	}
	return x.crashed(why)
}

// violate kills a worker that does what an honest one would not.
func (x *execution) violate(code Code, format string, args ...any) *Error {
	err := &wire.ViolationError{Reason: fmt.Sprintf(format, args...)}
	x.r.log.Error("a worker broke the protocol and was killed", "worker", x.w.PID(), "reason", err.Reason)
	// Before started, the bytes are what an earlier program left in the pipe:
	// this program is not to blame and runs elsewhere.
	x.retry = !x.started
	x.sampleCPU()
	x.w.Kill(err.Error())
	<-x.w.Done()
	x.lost = err
	if x.ending != nil {
		return x.ending
	}
	return &Error{Code: code, Message: err.Error(), err: err}
}

// lose is called when the pipe failed: the worker is dead or has closed it.
func (x *execution) lose(err error) *Error {
	var broken *wire.ViolationError
	var large *wire.TooLargeError
	switch {
	case errors.As(err, &broken):
		return x.violate(ProtocolError, "%s", broken.Reason)
	case errors.As(err, &large):
		return x.tooLarge(large)
	}
	x.retry = true
	// The end of the pipe is most often that of the process, and comes a little
	// before it. What it died of is known only where nobody kills it once more.
	late := time.AfterFunc(deathTime, func() { x.w.Kill("its pipe failed: " + err.Error()) })
	<-x.w.Done()
	late.Stop()
	x.lost = err
	if x.ending != nil {
		return x.ending
	}
	return x.crashed(err)
}

// deathTime is how long a worker whose pipe has ended may take to be dead.
const deathTime = 250 * time.Millisecond

// crashed says how the worker died, and whose fault that was.
func (x *execution) crashed(err error) *Error {
	select {
	case <-x.r.closing:
		x.retry = false
		return shuttingDown(err)
	default:
	}
	death := x.w.Death()
	x.r.log.Warn("a worker died", "worker", x.w.PID(), "death", death)
	switch {
	case death.IsMemory():
		x.retry = false
		return &Error{Code: HeapLimit, Message: "the program took more memory than its process may have", Cause: death.String(), CauseKind: string(death.Kind), err: err}
	case death.IsCPU():
		x.retry = false
		e := cpuLimit(x.limits.CPU)
		e.Cause, e.CauseKind = death.String(), string(death.Kind)
		return e
	}
	return &Error{
		Code: WorkerCrashed, Message: "the worker that ran the program died", Cause: death.String(), CauseKind: string(death.Kind),
		Retryable: x.lastCall == 0, err: err,
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
