package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// Exit statuses of a worker that ends by itself.
const (
	exitOK       = 0
	exitBoot     = 70 // no boot message, or the lockdown failed
	exitProtocol = 71 // the host broke the protocol
	exitPipe     = 72 // the pipe failed
)

// maxStack bounds a goroutine's stack, in bytes: what the engine's own limit
// on recursion stays below.
const maxStack = 64 << 20

// Main runs a worker and ends the process. It is to be called on the main
// goroutine, before the program that embeds it has done anything of its own.
func Main() {
	runtime.LockOSThread()
	boot, err := readBoot()
	if err != nil {
		fail(exitBoot, err)
	}
	if boot.Node != nil {
		fail(exitBoot, launch(boot))
	}
	w := &worker{
		in:  newInput(boot.MaxFrame),
		out: wire.NewWriter(rawOut{}, boot.MaxFrame), lazy: boot.Lazy,
	}
	os.Exit(w.main(boot))
}

func fail(status int, err error) {
	fmt.Fprintln(os.Stderr, Argv0+":", err)
	os.Exit(status)
}

type worker struct {
	in     *input
	out    *wire.Writer
	engine *quickjs.Engine

	generation uint64
	catalog    *quickjs.Catalog
	version    string // of catalog

	garbage *collector

	running uint64 // the execution under way, 0: none
	lazy    bool   // started may go out with what follows it

	next *wire.Header // a reset that came while a program runs
}

func (w *worker) main(boot Boot) int {
	debug.SetMaxStack(maxStack)
	w.garbage = newCollector()
	time.Local = time.UTC
	report, err := lockdown.Apply(boot.Lockdown)
	if errors.Is(err, lockdown.ErrParentGone) {
		os.Exit(lockdown.ExitParentGone)
	}
	if err != nil {
		fail(exitBoot, fmt.Errorf("locking down: %w", err))
	}
	if boot.Shape {
		if err := shape(); err != nil {
			fail(exitPipe, err)
		}
		return exitOK
	}
	raw, err := json.Marshal(report.With(boot.HostLayers...))
	if err != nil {
		fail(exitBoot, fmt.Errorf("encoding the lockdown report: %w", err))
	}
	if err := w.out.Write(&wire.Header{
		Type: wire.TypeHello, Protocol: wire.Version,
		Engine: quickjs.Name, EngineVersion: quickjs.EngineVersion, Lockdown: raw,
	}, nil); err != nil {
		fail(exitPipe, err)
	}
	if boot.Compile {
		code, err := quickjs.Compile()
		if err != nil {
			fail(exitBoot, err)
		}
		if err := w.out.Write(&wire.Header{Type: wire.TypeCache}, code); err != nil {
			fail(exitPipe, err)
		}
		return exitOK
	}
	cfg := quickjs.Config{HeapLimit: boot.Heap, StackLimit: boot.Stack}
	if boot.Cached {
		h, body, err := w.in.next(-1)
		if err != nil {
			fail(exitPipe, fmt.Errorf("waiting for the cache: %w", err))
		}
		if h.Type != wire.TypeCache {
			fail(exitProtocol, fmt.Errorf("%s where the cache was due", h.Type))
		}
		cfg.Bytecode = body
	}
	w.engine, err = quickjs.New(cfg)
	if err != nil {
		fail(exitBoot, fmt.Errorf("starting the engine: %w", err))
	}
	if err := w.armed(); err != nil {
		fail(exitPipe, err)
	}
	err = w.serve()
	var broken *wire.ViolationError
	switch {
	case errors.Is(err, io.EOF):
		// The host closed the pipe: it needs this worker no more.
		return exitOK
	case errors.As(err, &broken):
		fail(exitProtocol, err)
	default:
		fail(exitPipe, err)
	}
	return exitPipe
}

func (w *worker) armed() error {
	w.generation++
	return w.out.Write(&wire.Header{Type: wire.TypeArmed, Generation: w.generation}, nil)
}

func (w *worker) serve() error {
	for {
		h, body, err := w.in.next(-1)
		if err != nil {
			return err
		}
		switch h.Type {
		case wire.TypeCatalog:
			err = w.setCatalog(h, body)
		case wire.TypeExecute:
			err = w.execute(h, body)
		case wire.TypeReset:
			err = w.reset(h)
		case wire.TypeReturn, wire.TypeCancel:
			// Meant for an execution that has ended: late, not wrong.
		default:
			// A newer host may say more than this worker understands.
		}
		if err != nil {
			return err
		}
	}
}

func (w *worker) setCatalog(h *wire.Header, body []byte) error {
	c, err := quickjs.ParseCatalog(body)
	if err != nil {
		return &wire.ViolationError{Reason: "catalog: " + err.Error()}
	}
	w.catalog, w.version = c, h.Catalog
	return nil
}

func (w *worker) reset(h *wire.Header) error {
	var heap, stack int64
	if h.Limits != nil {
		heap, stack = h.Limits.Heap, h.Limits.Stack
	}
	if err := w.engine.Arm(heap, stack); err != nil {
		return fmt.Errorf("arming the next isolate: %w", err)
	}
	w.garbage.between()
	return w.armed()
}

func (w *worker) execute(h *wire.Header, body []byte) error {
	switch {
	case h.ID == 0:
		return &wire.ViolationError{Reason: "execute without an id"}
	case len(h.Seed) != 32:
		return &wire.ViolationError{Reason: fmt.Sprintf("execute with a seed of %d bytes, 32 are needed", len(h.Seed))}
	case h.Catalog != "" && h.Catalog != w.version:
		return &wire.ViolationError{Reason: "execute names a catalog that was not sent"}
	}
	err := w.out.Queue(&wire.Header{Type: wire.TypeStarted, ID: h.ID})
	if err == nil && !w.lazy {
		err = w.out.Flush()
	}
	if err != nil {
		return err
	}
	p := quickjs.Program{Source: body, Seed: [32]byte(h.Seed)}
	if h.Limits != nil {
		p.Limits = *h.Limits
	}
	if h.Catalog != "" {
		p.Catalog = w.catalog
	}
	w.running = h.ID
	out, err := w.engine.Run(p, (*port)(w))
	w.running = 0
	if err != nil {
		return err
	}
	if err := w.done(h.ID, out); err != nil || w.next == nil {
		return err
	}
	reset := w.next
	w.next = nil
	return w.reset(reset)
}

func (w *worker) done(id uint64, out quickjs.Outcome) error {
	h := &wire.Header{Type: wire.TypeDone, ID: id, Error: out.Error, Usage: &out.Usage, Warnings: out.Warnings}
	err := w.out.Write(h, out.Value)
	if errors.Is(err, wire.ErrFrameTooLarge) && len(h.Warnings) > 0 {
		h.Warnings = []string{fmt.Sprintf("%d warnings are too long to be shown", len(h.Warnings))}
		err = w.out.Write(h, out.Value)
	}
	if errors.Is(err, wire.ErrFrameTooLarge) {
		// Too much was said about the error, or the value does not fit a
		// frame: say less rather than die.
		h.Error = tooLarge(out.Error)
		h.Warnings = nil
		err = w.out.Write(h, nil)
	}
	return err
}

func tooLarge(e *wire.Error) *wire.Error {
	if e == nil {
		return &wire.Error{Code: wire.CodeOutputLimit, Message: "the value does not fit a frame of the protocol"}
	}
	const keep = 4 << 10
	cut := func(s string) string {
		if len(s) > keep {
			return s[:keep] + "…"
		}
		return s
	}
	return &wire.Error{
		Code: e.Code, Message: cut(e.Message), Retryable: e.Retryable, Suggestion: cut(e.Suggestion),
		Line: e.Line, Column: e.Column,
	}
}

// port is the worker as the running program's way to the host.
type port worker

func (p *port) Call(c quickjs.Call) error {
	err := p.out.Write(&wire.Header{
		Type: wire.TypeCall, ID: p.running, Call: c.ID, Kind: c.Kind, Server: c.Server, Name: c.Name,
		Timeout: c.Timeout.Milliseconds(),
	}, c.Body)
	if errors.Is(err, wire.ErrFrameTooLarge) {
		return quickjs.ErrTooLarge
	}
	return err
}

func (p *port) Log(level, text string, truncated bool) error {
	return p.out.Write(&wire.Header{Type: wire.TypeLog, ID: p.running, Level: level, Truncated: truncated}, []byte(text))
}

func (p *port) Emit(block []byte) error {
	return p.out.Write(&wire.Header{Type: wire.TypeEmit, ID: p.running}, block)
}

func (p *port) Progress(done float64, total *float64, message string) error {
	return p.out.Write(&wire.Header{Type: wire.TypeProgress, ID: p.running, Done: done, Total: total, Message: message}, nil)
}

func (p *port) Wait(timeout time.Duration) (quickjs.Event, error) {
	if err := p.out.Flush(); err != nil {
		return quickjs.Event{}, err
	}
	p.garbage.waiting()
	deadline := time.Now().Add(timeout)
	for {
		h, body, err := p.in.next(timeout)
		if err != nil {
			return quickjs.Event{}, err
		}
		p.garbage.took(len(body))
		ev, mine, err := p.event(h, body)
		if mine || err != nil {
			return ev, err
		}
		if timeout >= 0 {
			timeout = max(time.Until(deadline), 0)
		}
	}
}

func (p *port) Poll() (quickjs.Event, bool, error) {
	if err := p.out.Flush(); err != nil {
		return quickjs.Event{}, false, err
	}
	for {
		h, body, err := p.in.next(0)
		if errors.Is(err, quickjs.ErrTimeout) {
			return quickjs.Event{}, false, nil
		}
		if err != nil {
			return quickjs.Event{}, false, err
		}
		ev, mine, err := p.event(h, body)
		if mine || err != nil {
			return ev, mine, err
		}
	}
}

// event translates a frame that came while a program runs. It reports false
// for one that is not for this execution.
func (p *port) event(h *wire.Header, body []byte) (quickjs.Event, bool, error) {
	switch h.Type {
	case wire.TypeReturn:
		return quickjs.Event{Call: h.Call, Form: h.Form, Body: body, Error: h.Error}, h.ID == p.running, nil
	case wire.TypeCancel:
		return quickjs.Event{Cancel: true, Reason: h.Reason}, h.ID == p.running, nil
	case wire.TypeReset:
		p.next = h
		return quickjs.Event{}, false, nil
	case wire.TypeExecute:
		return quickjs.Event{}, false, &wire.ViolationError{Reason: string(h.Type) + " while a program runs"}
	case wire.TypeCatalog:
		return quickjs.Event{}, false, (*worker)(p).setCatalog(h, body)
	}
	return quickjs.Event{}, false, nil
}
