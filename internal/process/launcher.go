// Package process is the host side of one worker: it starts the process,
// shakes hands, carries frames, re-arms it, measures it, kills it, and says
// how it died.
//
// It knows how to talk to a worker and nothing about what a program may do:
// limits and their meaning belong to its caller.
package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/wire"
	"github.com/autoclave-run/autoclave/internal/worker"
)

// Config says how workers are started.
type Config struct {
	// Path is the executable; empty means the running one, even where its
	// file has been replaced or deleted since (on Linux).
	Path string
	// Boot is what every worker is told at its start.
	Boot worker.Boot
	// Host is what the host does to a worker at spawn.
	Host lockdown.HostOptions
	// Floor is the level of lockdown below which a worker is refused, and
	// FloorLayers the layers that must be active besides.
	Floor       lockdown.Level
	FloorLayers []string
	// Compile has a worker of its own make what later workers start from, as
	// soon as there is a second one to start: it takes some milliseconds off
	// each start, and a host that needs one worker alone need not pay for it.
	Compile bool
	// OnDeath, if set, is told the kind of each worker's death. It must be
	// quick.
	OnDeath func(kind string)
	// Node, if set, makes the workers those of the V8 engine: the executable
	// starts, locks itself down, and becomes Node.js.
	Node *NodeConfig
	// Logger gets what workers write to stderr, at level debug. Nil discards.
	Logger *slog.Logger
}

// NodeConfig is the Node.js that workers become.
type NodeConfig struct {
	// Path is its executable.
	Path string
	// Boot is what such a worker is told besides.
	Boot worker.NodeBoot
}

// A Launcher starts workers, all from one thread: the kernel ties a child's
// parent-death signal, and what confines it before its first instruction, to
// the thread that started it, not to the process. Use NewLauncher. It is safe
// for concurrent use.
type Launcher struct {
	cfg  Config
	path string
	dir  *os.File // the workers' empty directory, which has no name
	node *os.File // the executable of Node.js, nil without

	oom *oomCounter

	// The thread's own, once it is confined.
	spawn  *lockdown.Spawn
	layers []lockdown.Layer

	// cache is what a worker that compiles has made for the others: opaque,
	// from this same executable, in a process that never saw a program.
	cache   atomic.Pointer[[]byte]
	spawns  atomic.Int64
	compile sync.WaitGroup

	requests chan spawnRequest
	quit     chan struct{}
	done     chan struct{}
	once     sync.Once
}

type spawnRequest struct {
	boot   worker.Boot
	result chan<- spawnResult
}

type spawnResult struct {
	w   *Worker
	err error
}

// ErrLauncherClosed is what Spawn returns after Close.
var ErrLauncherClosed = errors.New("the launcher is closed")

// NewLauncher returns a Launcher. Close ends its thread; workers that were
// started are killed by the kernel then, where it can.
func NewLauncher(cfg Config) (*Launcher, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Boot.MaxFrame <= 0 {
		cfg.Boot.MaxFrame = wire.DefaultMaxFrame
	}
	path := cfg.Path
	if path == "" {
		var err error
		if path, err = executable(); err != nil {
			return nil, fmt.Errorf("finding the worker's executable: %w", err)
		}
	}
	l := &Launcher{
		cfg: cfg, path: path, oom: newOOMCounter(),
		requests: make(chan spawnRequest), quit: make(chan struct{}), done: make(chan struct{}),
	}
	var err error
	if l.dir, err = lockdown.EmptyDir(); err != nil {
		return nil, err
	}
	if cfg.Node != nil {
		if l.node, err = os.Open(cfg.Node.Path); err != nil {
			l.dir.Close()
			return nil, fmt.Errorf("opening the executable of Node.js: %w", err)
		}
		boot := cfg.Node.Boot
		l.cfg.Boot.Node = &boot
		l.cfg.Compile = false
	}
	ready := make(chan error, 1)
	lockdown.StartThread(func() { l.thread(ready) })
	if err := <-ready; err != nil {
		<-l.done
		return nil, err
	}
	return l, nil
}

// thread starts all processes of the launcher, on a thread that is its own and
// that ends with it, with all that confined it.
func (l *Launcher) thread(ready chan<- error) {
	defer close(l.done)
	defer l.dir.Close()
	if l.node != nil {
		defer l.node.Close()
	}
	var err error
	if l.layers, err = l.confine(); err != nil {
		ready <- err
		return
	}
	if l.spawn, err = lockdown.NewSpawn(l.cfg.Host); err != nil {
		ready <- fmt.Errorf("preparing the start of workers: %w", err)
		return
	}
	l.layers = append(l.layers, l.spawn.Layers()...)
	ready <- nil
	for {
		select {
		case r := <-l.requests:
			w, err := l.start(r.boot)
			r.result <- spawnResult{w, err}
		case <-l.quit:
			return
		}
	}
}

// confine narrows what the thread, and so every worker from its first
// instruction on, may do.
func (l *Launcher) confine() ([]lockdown.Layer, error) {
	if l.cfg.Boot.Lockdown.Off || l.cfg.Path != "" {
		// The thread may start what this process is, and nothing else: another
		// executable's worker confines itself alone.
		return nil, nil
	}
	if l.cfg.Node != nil {
		return lockdown.ConfineThread(append([]string{l.cfg.Node.Path}, l.cfg.Node.Boot.Readable...)...)
	}
	return lockdown.ConfineThread()
}

// Close ends the launcher's thread. It is to be called when all workers are
// gone, may be called more than once, and returns when the thread has ended.
func (l *Launcher) Close() {
	l.once.Do(func() { close(l.quit) })
	l.compile.Wait()
	<-l.done
}

// Spawn starts a worker and returns when it is armed. When ctx ends before
// that, the worker is killed.
func (l *Launcher) Spawn(ctx context.Context) (*Worker, error) {
	if l.spawns.Add(1) == 2 && l.cfg.Compile {
		l.compileAhead()
	}
	boot := l.cfg.Boot
	cache := l.cache.Load()
	boot.Cached = cache != nil
	w, err := l.startOnThread(ctx, boot)
	if err != nil {
		return nil, err
	}
	if err := w.handshake(ctx, cache); err != nil {
		return nil, w.failedStart(err)
	}
	return w, nil
}

// startOnThread has the launcher's thread start a process.
func (l *Launcher) startOnThread(ctx context.Context, boot worker.Boot) (*Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	result := make(chan spawnResult, 1)
	select {
	case l.requests <- spawnRequest{boot, result}:
	case <-l.quit:
		return nil, ErrLauncherClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to start a worker: %w", context.Cause(ctx))
	}
	r := <-result
	return r.w, r.err
}

func (w *Worker) failedStart(err error) error {
	w.Kill("handshake failed: " + err.Error())
	<-w.Done()
	return &StartError{Err: err, Death: w.Death(), Stderr: w.Stderr()}
}

// compileTime is how long a worker that compiles may take.
const compileTime = 30 * time.Second

// maxCache bounds what it says, in bytes.
const maxCache = 4 << 20

// compileAhead makes the cache in the background. Where that fails, workers
// start from scratch.
func (l *Launcher) compileAhead() {
	l.compile.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), compileTime)
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-l.quit:
				cancel()
			case <-stop:
			}
		}()
		if err := l.makeCache(ctx); err != nil && ctx.Err() == nil {
			l.cfg.Logger.Warn("workers start more slowly: compiling ahead failed", "error", err)
		}
	})
}

func (l *Launcher) makeCache(ctx context.Context) error {
	boot := l.cfg.Boot
	boot.Compile = true
	w, err := l.startOnThread(ctx, boot)
	if err != nil {
		return err
	}
	code, err := w.compiled(ctx)
	if err != nil {
		return w.failedStart(err)
	}
	l.cache.Store(&code)
	w.Kill("it has compiled")
	<-w.Done()
	return nil
}

// StartError is a worker that did not come up.
type StartError struct {
	Err    error
	Death  lockdown.Death
	Stderr string // the worker's last words, bounded
}

func (e *StartError) Error() string {
	s := "starting a worker: " + e.Err.Error()
	if e.Stderr != "" {
		s += "; its last words: " + e.Stderr
	}
	return s
}

func (e *StartError) Unwrap() error { return e.Err }
