package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// A Worker is one worker process, from its start to the end of its process.
//
// Send, Kill, Done, and the accessors are safe for concurrent use. Receive and
// Reset belong to one goroutine at a time: whoever has the lease.
type Worker struct {
	proc   *os.Process
	stdin  *os.File
	stdout *os.File
	reader *wire.Reader
	writer *wire.Writer
	stderr *tail
	log    *slog.Logger
	floor  lockdown.Level
	layers []string
	node   bool // it becomes Node.js

	oom     *oomCounter
	onDeath func(string)

	done chan struct{}

	mu         sync.Mutex
	exited     bool   // the process is gone or about to be reaped: its pid is not ours to signal
	killReason string // why we killed it, first reason only

	// Written before done is closed.
	death lockdown.Death

	// Written in the handshake, then read-only.
	engine        string
	engineVersion string
	report        lockdown.Report
	shaper        int // the process that parses for it; 0: it has none

	// Written by whoever has the lease.
	generation uint64
	shaperCPU  time.Duration // the most that was seen of its shaper's clock
	catalog    string
	nextHeap   int64
	nextStack  int64
	resetSent  bool // the worker will arm the next isolate unasked
}

func newWorker(l *Launcher, proc *os.Process, stdin, stdout, stderr *os.File) *Worker {
	w := &Worker{
		proc: proc, stdin: stdin, stdout: stdout,
		reader: wire.NewReader(stdout, l.cfg.Boot.MaxFrame),
		writer: wire.NewWriter(stdin, l.cfg.Boot.MaxFrame),
		log:    l.cfg.Logger.With("worker", proc.Pid),
		floor:  l.cfg.Floor, layers: l.cfg.FloorLayers, node: l.node != nil,
		done:     make(chan struct{}),
		nextHeap: l.cfg.Boot.Heap, nextStack: l.cfg.Boot.Stack,
		oom: l.oom, onDeath: l.cfg.OnDeath,
	}
	w.stderr = newTail(stderr, w.log, func() { w.Kill("it floods stderr") })
	go w.stderr.read()
	go w.wait()
	return w
}

// wait is the one place that waits for the process. The close of done is the
// only news of its death.
func (w *Worker) wait() {
	if awaitExit(w.proc.Pid) {
		// The process is dead but not yet reaped, so its pid cannot have
		// become another's: kill what is left of its group, then let nobody
		// signal it any more.
		w.mu.Lock()
		killGroup(w.proc.Pid)
		w.exited = true
		w.mu.Unlock()
	}
	state, err := w.proc.Wait()
	if w.node {
		reapGroup(w.proc.Pid)
	}
	w.mu.Lock()
	w.exited = true
	reason := w.killReason
	w.mu.Unlock()
	if err != nil {
		w.log.Error("waiting for a worker failed", "error", err)
	}
	w.stderr.finish()
	w.stdin.Close()
	w.stdout.Close()
	w.death = w.explain(state, reason)
	if w.onDeath != nil {
		w.onDeath(string(w.death.Kind))
	}
	close(w.done)
}

// explain gathers what is known of the death. What takes time to find out is
// looked up only for the deaths that it explains.
func (w *Worker) explain(state *os.ProcessState, reason string) lockdown.Death {
	evidence := lockdown.Evidence{State: state, Stderr: []byte(w.stderr.text()), HostKill: reason}
	death := evidence.Death()
	switch death.Kind {
	case lockdown.KindSIGSYS:
		evidence.Syscall = lockdown.ForbiddenCall(w.proc.Pid)
	case lockdown.KindKilled:
		evidence.OOMKills = w.oom.grown()
	default:
		return death
	}
	return evidence.Death()
}

// oomCounter follows the kernel's count of processes that it killed for want of
// memory. It is looked at when a worker was killed by nobody known, not at each
// start: reading it takes longer than much of what a start does.
type oomCounter struct {
	mu   sync.Mutex
	last uint64
}

func newOOMCounter() *oomCounter {
	n, _ := lockdown.OOMKills()
	return &oomCounter{last: n}
}

// grown is by how much the count has grown since it was asked last.
func (c *oomCounter) grown() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, ok := lockdown.OOMKills()
	if !ok || now <= c.last {
		return 0
	}
	n := now - c.last
	c.last = now
	return n
}

// Kill ends the worker's process group by SIGKILL. It returns at once; Done
// follows. The first reason given is the one that Death tells.
func (w *Worker) Kill(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.exited {
		return
	}
	if w.killReason == "" {
		w.killReason = reason
	}
	killGroup(w.proc.Pid)
	_ = w.proc.Kill() // for platforms without groups; a second signal is harmless
}

// Done is closed when the process is gone and all that belonged to it in the
// host is freed.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Death says how the process ended. It may be called once Done is closed.
func (w *Worker) Death() lockdown.Death { return w.death }

// PID is the process id.
func (w *Worker) PID() int { return w.proc.Pid }

// Engine names the engine that the worker runs, and its version.
func (w *Worker) Engine() (name, version string) { return w.engine, w.engineVersion }

// Lockdown is what the worker is confined by, as verified from outside.
func (w *Worker) Lockdown() lockdown.Report { return w.report }

// Generation counts the isolates of this worker, from 1.
func (w *Worker) Generation() uint64 { return w.generation }

// Stderr is what the worker wrote there, the middle left out where it was long.
func (w *Worker) Stderr() string { return w.stderr.text() }

// SetBodyLimit sets how large the body of the next messages may be; see
// wire.Reader.
func (w *Worker) SetBodyLimit(f func(*wire.Header) int) { w.reader.BodyLimit = f }

// Send writes a frame. It blocks while the pipe is full, until the worker
// reads or dies.
func (w *Worker) Send(h *wire.Header, body []byte) error { return w.writer.Write(h, body) }

// SetSendDeadline bounds every Send that is under way or to come; the zero
// time takes the bound away. After a Send that failed for it the worker is of
// no further use.
func (w *Worker) SetSendDeadline(t time.Time) { _ = w.stdin.SetWriteDeadline(t) }

// SetReceiveDeadline sets when Receive gives up. It undoes a Wake: whoever
// calls it looks again, afterwards, for what Wake would have told of.
func (w *Worker) SetReceiveDeadline(t time.Time) { _ = w.stdout.SetReadDeadline(t) }

// Receive returns the next frame, or os.ErrDeadlineExceeded when the deadline
// has passed or Wake was called before one was complete; nothing is lost then.
func (w *Worker) Receive() (*wire.Header, []byte, error) { return w.reader.Next() }

// HeaderBytes is the size of all headers that the worker has sent.
func (w *Worker) HeaderBytes() int64 { return w.reader.HeaderBytes() }

// SendErr is the error for which nothing can be sent any more, if there is one.
func (w *Worker) SendErr() error { return w.writer.Err() }

// Wake makes a Receive that waits return os.ErrDeadlineExceeded.
func (w *Worker) Wake() { _ = w.stdout.SetReadDeadline(time.Unix(1, 0)) }

// Catalog is the version of the catalog that was sent last.
func (w *Worker) Catalog() string { return w.catalog }

// SendCatalog hands a catalog to the worker.
func (w *Worker) SendCatalog(version string, body []byte) error {
	if err := w.Send(&wire.Header{Type: wire.TypeCatalog, Catalog: version}, body); err != nil {
		return err
	}
	w.catalog = version
	return nil
}

// handshake hands over the cache, where there is one, reads hello and armed, and
// holds the worker to the floor.
func (w *Worker) handshake(ctx context.Context, cache *[]byte) error {
	defer w.wakeOn(ctx)()
	if cache != nil {
		// It is more than a pipe holds: the worker reads it when it has said
		// hello, for which there is room.
		if deadline, ok := ctx.Deadline(); ok {
			w.SetSendDeadline(deadline)
			defer w.SetSendDeadline(time.Time{})
		}
		if err := w.Send(&wire.Header{Type: wire.TypeCache}, *cache); err != nil {
			return err
		}
	}
	if err := w.hello(ctx); err != nil {
		return err
	}
	return w.awaitArmed(ctx, 1)
}

// compiled reads hello, and what a worker that compiles has made.
func (w *Worker) compiled(ctx context.Context) ([]byte, error) {
	defer w.wakeOn(ctx)()
	if err := w.hello(ctx); err != nil {
		return nil, err
	}
	w.SetBodyLimit(func(*wire.Header) int { return maxCache })
	_, body, err := w.expect(ctx, wire.TypeCache)
	return body, err
}

func (w *Worker) hello(ctx context.Context) error {
	w.SetBodyLimit(noBody)
	h, _, err := w.expect(ctx, wire.TypeHello)
	if err != nil {
		return err
	}
	if h.Protocol != wire.Version {
		return fmt.Errorf("the worker speaks protocol %d, this host speaks %d", h.Protocol, wire.Version)
	}
	w.engine, w.engineVersion = h.Engine, h.EngineVersion
	var report lockdown.Report
	if len(h.Lockdown) > 0 {
		if err := json.Unmarshal(h.Lockdown, &report); err != nil {
			return fmt.Errorf("decoding the worker's lockdown report: %w", err)
		}
	}
	verify := lockdown.Verify
	if w.node {
		verify = lockdown.VerifyExec
		// Nothing of a program's has run in it yet: its one child is the shaper.
		w.shaper = onlyChild(w.proc.Pid)
	}
	if w.report, err = verify(w.proc.Pid, report); err != nil {
		return fmt.Errorf("verifying the worker's lockdown: %w", err)
	}
	return lockdown.Require(w.report, w.floor, w.layers)
}

func (w *Worker) awaitArmed(ctx context.Context, generation uint64) error {
	h, _, err := w.expect(ctx, wire.TypeArmed)
	if err != nil {
		return err
	}
	if h.Generation != generation {
		return &wire.ViolationError{Reason: fmt.Sprintf("armed generation %d where %d was due", h.Generation, generation)}
	}
	w.generation = generation
	return nil
}

// noBody is the limit where only messages without a body are due. One of an
// unknown type, a newer worker's, may have one.
func noBody(h *wire.Header) int {
	if wire.FromWorker(h.Type) || wire.FromHost(h.Type) || h.Type == wire.TypeCache {
		return 0
	}
	return wire.MaxHeader
}

// wakeOn makes Receive return when ctx ends. The function that it returns
// ends that.
func (w *Worker) wakeOn(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, w.Wake)
	return func() { stop() }
}

func (w *Worker) expect(ctx context.Context, want wire.Type) (*wire.Header, []byte, error) {
	for {
		deadline, _ := ctx.Deadline()
		w.SetReceiveDeadline(deadline)
		// After the deadline was set, so that a Wake before it is not lost.
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("waiting for the worker's %s: %w", want, context.Cause(ctx))
		}
		h, body, err := w.Receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// Either ctx has ended, which the top of the loop or the next
			// timeout sees, or an older Wake came late.
			if !deadline.IsZero() && !time.Now().Before(deadline) {
				return nil, nil, fmt.Errorf("waiting for the worker's %s: %w", want, context.DeadlineExceeded)
			}
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("waiting for the worker's %s: %w", want, err)
		case h.Type == want:
			return h, body, nil
		case wire.FromWorker(h.Type) || wire.FromHost(h.Type):
			return nil, nil, &wire.ViolationError{Reason: fmt.Sprintf("%s where %s was due", h.Type, want)}
		}
		// A type that this host does not know: a newer worker's, ignored.
	}
}

// SetNext sets the limits of the isolate that the next Reset arms.
func (w *Worker) SetNext(heap, stack int64) { w.nextHeap, w.nextStack = heap, stack }

// Execute sends a program, and behind it the request to arm the next isolate
// once it is done: the worker then need not be woken for that.
func (w *Worker) Execute(h *wire.Header, program []byte) error {
	w.resetSent = true
	return w.writer.WriteBoth(h, program, w.resetMessage())
}

func (w *Worker) resetMessage() *wire.Header {
	return &wire.Header{Type: wire.TypeReset, Limits: &wire.Limits{Heap: w.nextHeap, Stack: w.nextStack}}
}

// Reset has the worker destroy its isolate and arm the next, and returns when
// it has. After an error the worker is of no further use.
func (w *Worker) Reset(ctx context.Context) error {
	w.SetBodyLimit(noBody)
	defer w.wakeOn(ctx)()
	if !w.resetSent {
		if deadline, ok := ctx.Deadline(); ok {
			w.SetSendDeadline(deadline)
			defer w.SetSendDeadline(time.Time{})
		}
		if err := w.Send(w.resetMessage(), nil); err != nil {
			return err
		}
	}
	w.resetSent = false
	return w.awaitArmed(ctx, w.generation+1)
}
