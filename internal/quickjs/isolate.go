package quickjs

import (
	"errors"
	"fmt"
	"time"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"

	"github.com/autoclave-run/autoclave/internal/wire"
)

const (
	defaultHeap  = 128 << 20
	minHeap      = wire.MinHeap
	defaultStack = 4000
	minStack     = wire.MinStack
	// maxStack keeps the Go stack that the engine recurses on below 64 MiB.
	maxStack = wire.MaxStack
	// keepResident is how much above the image stays mapped from one execution
	// to the next; what an execution used beyond goes back to the system.
	keepResident = 1 << 20
)

// Config says how large an isolate may become.
type Config struct {
	// HeapLimit is in bytes, the engine's own 0.3 MiB included. Zero is
	// 128 MiB.
	HeapLimit int64
	// StackLimit is how deep calls may nest: a plain call counts one, a call
	// through a getter, a callback of a built-in, or a proxy a few. Zero is
	// 4000.
	StackLimit int64
	// Bytecode is what Compile returned in a process of the same executable.
	// It is trusted: the engine does not survive bytecode that is wrong. Nil
	// compiles the prelude from its text.
	Bytecode []byte
}

// Engine holds one isolate at a time. An operating system process needs only
// one. It is not safe for concurrent use: the goroutine that calls New calls
// everything else.
type Engine struct {
	heap     *heap
	image    []byte
	bytecode []byte
	tls      *libc.TLS
	rt       uintptr
	ctx      uintptr

	heapLimit, stackLimit int64
	armed                 bool
	scratch               uintptr // a buffer of libc's
	scratchSize           int
	evalInternal          uintptr

	// What the engine calls back. Their addresses are in the image, so they
	// must not be replaced.
	mallocFn    func(*libc.TLS, uintptr, lib.Tsize_t) uintptr
	freeFn      func(*libc.TLS, uintptr, uintptr)
	reallocFn   func(*libc.TLS, uintptr, uintptr, lib.Tsize_t) uintptr
	usableFn    func(*libc.TLS, uintptr) lib.Tsize_t
	nativeFn    func(*libc.TLS, uintptr, value, int32, uintptr, int32) value
	interruptFn func(*libc.TLS, uintptr, uintptr) int32
	rejectionFn func(*libc.TLS, uintptr, value, value, int32, uintptr)
	moduleFn    func(*libc.TLS, uintptr, uintptr, uintptr) uintptr

	core  core
	baked map[string]bool // libraries that the image has
	used  map[string]bool // libraries that executions needed
	run   execution
	zones zones // the same for all executions
}

func withDefault(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return n
}

func checkLimits(heap, stack int64) (int64, int64, error) {
	heap, stack = withDefault(heap, defaultHeap), withDefault(stack, defaultStack)
	if heap < minHeap {
		return 0, 0, fmt.Errorf("heap limit of %d bytes: an isolate needs %d at least", heap, minHeap)
	}
	if stack < minStack || stack > maxStack {
		return 0, 0, fmt.Errorf("stack limit of %d calls: it must be between %d and %d", stack, minStack, maxStack)
	}
	return heap, stack, nil
}

// New makes an engine with an isolate that is armed.
func New(cfg Config) (*Engine, error) {
	heap, stack, err := checkLimits(cfg.HeapLimit, cfg.StackLimit)
	if err != nil {
		return nil, err
	}
	e := &Engine{tls: libc.NewTLS(), bytecode: cfg.Bytecode, baked: map[string]bool{}, used: map[string]bool{}}
	e.mallocFn, e.freeFn, e.reallocFn, e.usableFn = e.jsMalloc, e.jsFree, e.jsRealloc, e.jsUsableSize
	e.nativeFn, e.interruptFn, e.rejectionFn, e.moduleFn = e.native, e.interrupt, e.rejection, e.noModule
	e.setUTC()
	if err := e.build(heap); err != nil {
		e.Close()
		return nil, err
	}
	e.ready(heap, stack)
	return e, nil
}

// build makes a heap with a fresh isolate in it, and the image of it.
func (e *Engine) build(limit int64) error {
	h, err := newHeap(limit)
	if err != nil {
		return err
	}
	e.heap = h
	e.baked = map[string]bool{}
	if !e.newRuntime() {
		return errors.New("make the engine's runtime: out of memory")
	}
	if err := e.loadPrelude(); err != nil {
		return err
	}
	return e.snapshot()
}

// snapshot makes the image of the isolate as it is.
func (e *Engine) snapshot() error {
	if !e.atRest() {
		return errors.New("take the isolate's image: it is running")
	}
	h := e.heap
	top := h.ctl().top
	if cap(e.image) < int(top) {
		e.image = make([]byte, top)
	}
	e.image = e.image[:top]
	copy(e.image, h.bytes(0, top))
	return e.sterilize(top)
}

// sterilize makes all of the heap above top what it was when it was mapped.
func (e *Engine) sterilize(top uint64) error {
	h := e.heap
	const page = 1 << 16 // a multiple of any page size
	keep := (top + keepResident + page - 1) &^ (page - 1)
	clear(h.bytes(top, min(h.high, keep)))
	if h.high > keep {
		h.region.discard(int(keep), int(min((h.high+page-1)&^(page-1), h.size)))
	}
	h.high = top
	return nil
}

// Arm destroys what the last execution left and makes the next isolate ready,
// with that heap and stack limit (zero is the default). It costs some tens of
// microseconds; libraries that executions needed for the first time are put
// into the image then, which costs milliseconds once.
func (e *Engine) Arm(heap, stack int64) error {
	heap, stack, err := checkLimits(heap, stack)
	if err != nil {
		return fmt.Errorf("arm the isolate: %w", err)
	}
	e.run = execution{}
	if arenaSize(heap) > int64(e.heap.size) {
		old := e.heap
		if err := old.region.unmap(); err != nil {
			return fmt.Errorf("arm the isolate: unmap the old heap: %w", err)
		}
		if err := e.build(heap); err != nil {
			return fmt.Errorf("arm the isolate: %w", err)
		}
	} else if err := e.restore(); err != nil {
		return fmt.Errorf("arm the isolate: %w", err)
	}
	if err := e.bake(); err != nil {
		return fmt.Errorf("arm the isolate: %w", err)
	}
	e.ready(heap, stack)
	return nil
}

// restore makes the isolate what the image is of.
func (e *Engine) restore() error {
	e.dropScratch(maxScratch)
	copy(e.heap.bytes(0, uint64(len(e.image))), e.image)
	return e.sterilize(uint64(len(e.image)))
}

// bake puts libraries that executions have needed into the image.
func (e *Engine) bake() error {
	changed := false
	for name := range e.used {
		if e.baked[name] {
			continue
		}
		e.heap.limit = e.heap.size
		if err := e.preload(name); err != nil {
			return err
		}
		e.baked[name], changed = true, true
	}
	if changed {
		return e.snapshot()
	}
	return nil
}

func (e *Engine) ready(heap, stack int64) {
	e.heapLimit, e.stackLimit = heap, stack
	h := e.heap
	h.limit = uint64(heap)
	h.exceeded = false
	h.peak = h.ctl().inUse
	e.armed = true
}

// Close gives the engine's memory back. Nothing may be called after it.
func (e *Engine) Close() {
	if e.heap != nil {
		// An address range that cannot be unmapped has nobody to tell.
		_ = e.heap.region.unmap()
		e.heap = nil
	}
	if e.tls != nil {
		e.dropScratch(0)
		e.tls.Close()
		e.tls = nil
	}
	e.run, e.image, e.armed = execution{}, nil, false
}

const maxScratch = 64 << 10

// ErrNotArmed is what Run returns without an isolate: an Engine's Arm comes
// between two of its executions.
var ErrNotArmed = errors.New("no isolate is armed")

// pollEvery bounds how often the interrupt handler asks the port.
const pollEvery = 2 * time.Millisecond
