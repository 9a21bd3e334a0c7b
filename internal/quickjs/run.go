package quickjs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"modernc.org/libc"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// execution is the state of one program's run. Everything that must not reach
// the next one is in here or in the isolate's heap.
type execution struct {
	program Program
	port    Port
	random  *rand.ChaCha8

	started  time.Duration // CPU time at the start
	cpuLimit time.Duration // 0: none
	lastPoll time.Time

	// stop is why the program has to end, once it has to: it stays, whatever
	// the program catches.
	stop *wire.Error
	// broken is the failure of the port.
	broken error

	source   source
	timers   timers
	nextCall uint64
	calls    int64
	inFlight map[uint64]*hostCall
	queue    []*hostCall // over the limit of calls at once
	answers  []answer    // that came and have not been delivered

	logged, emitted int64
	progress        int

	truncated string // says that the value was cut
	over      bool   // nothing more is asked of the host

	main      value // the promise of the program's value
	uncaught  []string
	rejected  []rejection
	unhandled int // those that rejected has no room for
}

type answer struct {
	call  *hostCall
	event Event
}

// rejection is a promise that was rejected while nobody listened.
type rejection struct{ promise, reason value }

const (
	maxRejections = 64
	maxUncaught   = 16
)

func (x *execution) stopped() bool { return x.stop != nil || x.broken != nil }

func (x *execution) fail(err error) {
	if x.broken == nil {
		x.broken = err
	}
}

// Run executes p in the armed isolate, which is used up then. The error is
// that of the port; how the program ended is in the Outcome.
func (e *Engine) Run(p Program, port Port) (Outcome, error) {
	if !e.armed {
		return Outcome{}, ErrNotArmed
	}
	e.armed = false
	e.run = execution{
		program:  p,
		port:     port,
		random:   rand.NewChaCha8(p.Seed),
		started:  cpuTime(),
		cpuLimit: time.Duration(p.Limits.CPU) * time.Millisecond,
		lastPoll: time.Now(),
		inFlight: make(map[uint64]*hostCall),
		main:     undefined,
	}
	x := &e.run
	if p.Limits.Heap > 0 {
		e.heap.limit = uint64(max(min(p.Limits.Heap, e.heapLimit), int64(len(e.image))+minHeap/2))
	}
	e.heap.onExceeded = e.hurry
	stack := e.stackLimit
	if p.Limits.Stack > 0 {
		stack = max(min(stack, p.Limits.Stack), minStack)
	}
	e.setStackLimit(stack)

	var out Outcome
	out.Value, out.Error = e.execute()
	x.over = true
	e.heap.onExceeded = nil
	if x.broken != nil {
		return Outcome{}, x.broken
	}
	out.Warnings = e.warnings(&out)
	out.Usage = wire.Usage{
		CPU:      (cpuTime() - x.started).Microseconds(),
		HeapPeak: int64(e.heap.peak),
		Calls:    x.calls,
	}
	return out, nil
}

// execute compiles and runs the program, up to its JSON value.
func (e *Engine) execute() ([]byte, *wire.Error) {
	x := &e.run
	if limit := x.program.Limits.Program; limit > 0 && int64(len(x.program.Source)) > limit {
		return nil, &wire.Error{Code: wire.CodeCodeLimit, Message: fmt.Sprintf("the program is %d bytes long; the limit is %d", len(x.program.Source), limit)}
	}
	code, werr := e.prepare(x.program.Source)
	if werr != nil {
		return nil, e.verdict(werr)
	}
	if err := e.provide(x.program.Source); err != nil {
		return nil, e.verdict(&wire.Error{Code: wire.CodeInternal, Message: err.Error()})
	}
	main, thrown := e.begin(code)
	if thrown {
		return nil, e.verdict(e.failure(e.takeException()))
	}
	x.main = main
	if werr := e.loop(); werr != nil {
		return nil, e.verdict(werr)
	}
	result := e.promiseResult(main)
	if e.promiseState(main) != promiseFulfilled {
		return nil, e.verdict(e.failure(result))
	}
	encoded := e.call(e.core.encode, result)
	e.free(result)
	if isException(encoded) {
		return nil, e.verdict(e.failure(e.takeException()))
	}
	b, ok := e.pinnedText(encoded)
	if !ok {
		return nil, e.verdict(e.failure(e.takeException()))
	}
	if v := e.verdict(nil); v != nil {
		return nil, v
	}
	if limit := x.program.Limits.Result; limit > 0 && int64(len(b)) > limit {
		if x.program.Limits.Preview {
			return x.preview(b, int(limit)), nil
		}
		return nil, &wire.Error{
			Code:       wire.CodeOutputLimit,
			Message:    fmt.Sprintf("the result is %d bytes of JSON; the limit is %d", len(b), limit),
			Suggestion: "return only what is needed: count, filter, pick fields or slice before returning",
		}
	}
	if why := unsendable(b); why != "" {
		return nil, &wire.Error{
			Code: wire.CodeInvalidResult, Message: "the program's result cannot be returned: " + why,
			Suggestion: "return a flatter value, such as a list of rows",
		}
	}
	return b, nil
}

// preview is how a value of too many bytes begins, as JSON within the limit.
func (x *execution) preview(b []byte, limit int) []byte {
	type preview struct {
		Truncated bool   `json:"truncated"`
		Bytes     int    `json:"bytes"`
		Preview   string `json:"preview"`
	}
	x.truncated = fmt.Sprintf("the result is %d bytes of JSON and the limit is %d: it was cut to a preview", len(b), limit)
	// In a JSON string each character may take six bytes at the most.
	for keep := limit; ; keep /= 2 {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if enc.Encode(preview{true, len(b), validUTF8(cutUTF8(b, keep))}) == nil && out.Len() <= limit || keep == 0 {
			return bytes.TrimSpace(out.Bytes())
		}
	}
}

// verdict is why the execution really ended: a limit that was met comes before
// what the engine made of it.
func (e *Engine) verdict(werr *wire.Error) *wire.Error {
	x := &e.run
	if x.stop == nil && e.heap.exceeded {
		e.heapExceeded()
	}
	if x.stop != nil {
		return x.stop
	}
	return werr
}

func (e *Engine) heapExceeded() {
	if e.run.stop == nil {
		e.run.stop = &wire.Error{
			Code:       wire.CodeHeapLimit,
			Message:    fmt.Sprintf("the program needs more memory than the limit of %s", megabytes(int64(e.heap.limit))),
			Suggestion: "work on less data at a time, and keep only what the result needs",
		}
	}
}

func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<20)), ".0") + " MiB"
}

// loop runs jobs, timers and answers until the program has its value. An error
// is the end of a program that has none.
func (e *Engine) loop() *wire.Error {
	x := &e.run
	for {
		for !x.stopped() {
			ran, threw := e.runJob()
			if threw {
				e.free(e.takeException())
			}
			if e.heap.exceeded {
				e.heapExceeded()
			}
			if !ran {
				break
			}
		}
		if x.stopped() {
			return &wire.Error{Code: wire.CodeInternal, Message: "the execution was stopped"}
		}
		if e.promiseState(x.main) != promisePending {
			return nil
		}
		if len(x.answers) > 0 {
			a := x.answers[0]
			x.answers = slices.Delete(x.answers, 0, 1)
			e.deliver(a)
			continue
		}
		due, waiting := x.timers.next()
		if !waiting && len(x.inFlight) == 0 {
			return e.neverSettles()
		}
		timeout := time.Duration(-1)
		if waiting {
			if timeout = time.Until(due); timeout <= 0 {
				e.fire()
				// What the host says must get through a storm of timers too.
				e.poll()
				continue
			}
		}
		ev, err := x.port.Wait(timeout)
		switch {
		case errors.Is(err, ErrTimeout):
		case err != nil:
			x.fail(fmt.Errorf("wait for the host: %w", err))
		default:
			e.accept(ev)
		}
	}
}

// poll takes what the host has said meanwhile.
func (e *Engine) poll() {
	x := &e.run
	x.lastPoll = time.Now()
	for !x.stopped() {
		ev, ok, err := x.port.Poll()
		if err != nil {
			x.fail(fmt.Errorf("listen to the host: %w", err))
			return
		}
		if !ok {
			return
		}
		e.accept(ev)
	}
}

// accept notes an event. It may be called while JavaScript runs: an answer
// waits for the loop.
func (e *Engine) accept(ev Event) {
	x := &e.run
	if ev.Cancel {
		if x.stop == nil {
			x.stop = cancelled(ev.Reason)
		}
		return
	}
	c := x.inFlight[ev.Call]
	if c == nil {
		return
	}
	delete(x.inFlight, ev.Call)
	x.answers = append(x.answers, answer{c, ev})
}

// cancelled is the error of an execution that the host ended. The reason may
// be one of its codes.
func cancelled(reason string) *wire.Error {
	switch reason {
	case wire.CodeTimeout, wire.CodeCPULimit, wire.CodeShuttingDown, wire.CodeHeapLimit, wire.CodeCallLimit, wire.CodeEmitLimit, wire.CodeOutputLimit:
		return &wire.Error{Code: reason, Message: "the host ended the execution"}
	}
	msg := "the execution was cancelled"
	if reason != "" {
		msg += ": " + reason
	}
	return &wire.Error{Code: wire.CodeCancelled, Message: msg}
}

// fire calls back the first timer.
func (e *Engine) fire() {
	e.finish(e.call(e.core.fire, e.newFloat(float64(e.run.timers.take()))))
}

// interrupt is called by the engine now and then while it runs JavaScript. Not
// zero ends what runs; the program can catch that in places, but only until
// the next call.
func (e *Engine) interrupt(*libc.TLS, uintptr, uintptr) int32 {
	x := &e.run
	if x.port == nil {
		return 0
	}
	if e.heap.exceeded {
		e.heapExceeded()
	}
	if !x.stopped() && x.cpuLimit > 0 {
		if used := cpuTime() - x.started; used >= x.cpuLimit {
			x.stop = &wire.Error{
				Code:    wire.CodeCPULimit,
				Message: fmt.Sprintf("the program computed for %s, which is the limit (waiting for host calls does not count)", x.cpuLimit),
			}
		}
	}
	if !x.stopped() && time.Since(x.lastPoll) >= pollEvery {
		e.poll()
	}
	if x.stopped() {
		e.hurry()
		return 1
	}
	// Let collections come before the limit does, unless nearly all is in use:
	// then each allocation would start one.
	if limit := e.heap.limit - e.heap.limit/8; e.gcThreshold() > limit && e.heap.ctl().inUse < limit-limit/8 {
		e.setGCThreshold(limit)
	}
	return 0
}

// rejection is called by the engine when a promise is rejected and nobody
// listens, and again when somebody does.
func (e *Engine) rejection(_ *libc.TLS, _ uintptr, promise, reason value, handled int32, _ uintptr) {
	x := &e.run
	p := pointer(promise)
	if handled != 0 {
		for i, r := range x.rejected {
			if pointer(r.promise) == p {
				e.free(r.promise)
				e.free(r.reason)
				x.rejected = slices.Delete(x.rejected, i, i+1)
				return
			}
		}
		x.unhandled = max(x.unhandled-1, 0)
		return
	}
	if len(x.rejected) >= maxRejections {
		x.unhandled++
		return
	}
	x.rejected = append(x.rejected, rejection{e.dup(promise), e.dup(reason)})
}

// noModule is the engine's module loader: there are no modules.
func (e *Engine) noModule(_ *libc.TLS, _ uintptr, name uintptr, _ uintptr) uintptr {
	spec := libc.GoString(name)
	e.run.source.imported = spec
	e.throwReference(noImport(spec))
	return 0
}

// noteUncaught remembers an error that a timer or a microtask threw.
func (x *execution) noteUncaught(e *Engine, thrown value) {
	if x.stopped() || len(x.uncaught) >= maxUncaught {
		return
	}
	x.uncaught = append(x.uncaught, firstLine(e.failure(e.dup(thrown)).Message))
}

// warnings is what the caller should know beside the outcome.
func (e *Engine) warnings(out *Outcome) []string {
	x := &e.run
	if x.stop != nil {
		return nil
	}
	var w []string
	if x.truncated != "" {
		w = append(w, x.truncated)
	}
	for _, u := range x.uncaught {
		w = append(w, "uncaught in a timer or microtask: "+u)
	}
	for _, r := range x.rejected {
		if pointer(r.promise) == pointer(x.main) {
			continue
		}
		if msg := firstLine(e.failure(e.dup(r.reason)).Message); out.Error == nil || !strings.HasPrefix(out.Error.Message, msg) {
			w = append(w, "unhandled rejection: "+msg)
		}
	}
	if x.unhandled > 0 {
		w = append(w, fmt.Sprintf("%d more unhandled rejections", x.unhandled))
	}
	if n := len(x.inFlight) + len(x.queue) + len(x.answers); n > 0 && out.Error == nil {
		w = append(w, fmt.Sprintf("the program ended without awaiting %d of its host calls; their answers are lost", n))
	}
	if n := len(w); n > wire.MaxWarnings {
		w = append(w[:wire.MaxWarnings-1], fmt.Sprintf("%d more warnings", n-wire.MaxWarnings+1))
	}
	for i := range w {
		w[i] = validUTF8(cutUTF8([]byte(w[i]), maxWarning))
	}
	return w
}

// maxWarning bounds one warning, in bytes: all of them go into a header.
const maxWarning = 1 << 10

func (e *Engine) neverSettles() *wire.Error {
	werr := &wire.Error{
		Code:    wire.CodeNeverSettles,
		Message: "the program waits for a promise that nothing can settle any more: no timer, host call or job is left",
	}
	if r := e.run.rejected; len(r) > 0 {
		werr.Message += "\n  unhandled rejection: " + firstLine(e.failure(e.dup(r[0].reason)).Message)
	}
	return werr
}
