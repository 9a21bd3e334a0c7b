package autoclave

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
	"github.com/autoclave-run/autoclave/internal/worker"
	"github.com/autoclave-run/autoclave/pool"
)

var served atomic.Bool

// ServeIfWorker must be the first thing that main does (in tests: TestMain).
// Workers are the same executable, started again: in one of them this call
// runs the worker and never returns. In any other process it returns at once.
func ServeIfWorker() {
	served.Store(true)
	if worker.Requested() {
		worker.Main()
	}
}

// Config says how a Runtime works. The zero value is useful. It is copied by
// Open.
type Config struct {
	// Limits are what every program is held to.
	Limits Limits
	// Pool says how many workers there are and when they live and die.
	Pool PoolConfig
	// Lockdown says what workers must be confined by.
	Lockdown LockdownConfig
	// Engine runs the programs that do not name one: EngineQuickJS, which is
	// the default, or EngineV8, which needs Node.js. A Program may name one of
	// Engines besides. Each engine has a pool of its own, of the size that Pool
	// says; those of Engines start their workers when they are first asked for.
	Engine  string
	Engines []string
	// Node says how the V8 engine is run.
	Node NodeConfig
	// KillGrace is how long a program that is to end (its limit is met, its
	// caller is gone) has to do so before its process is killed. Default
	// 250 ms; negative kills at once.
	KillGrace time.Duration
	// StackDepth is how deep a program's calls may nest. Default: what the
	// engine holds to be safe.
	StackDepth int
	// MaxFrame bounds a message between host and worker, in bytes. Default
	// 32 MiB. It must hold the largest body that Limits allow.
	MaxFrame int
	// Logger gets what an operator should know. Nil discards.
	Logger *slog.Logger

	workerPath string // another executable, for tests
}

// PoolConfig is pool.Config without what the Runtime fills in. Zero means the
// default, negative means none or unlimited; package pool describes each.
type PoolConfig struct {
	MinWorkers         int           // kept alive (2)
	MinIdle            int           // armed and waiting (1)
	Reserve            int           // kept for tenants that have no worker (none)
	MaxWorkers         int           // alive at once (8)
	MaxIdleTime        time.Duration // idle longer and above the minimum: ended (60 s)
	MaxUses            int           // executions of one worker (1000)
	MaxLifetime        time.Duration // age of one worker (1 h)
	HealthCheckTimeout time.Duration // for a worker's started and armed (500 ms)
	SpawnTimeout       time.Duration // from start to armed (5 s)
	MaxQueue           int           // executions that wait for a worker (1024)
	MaxQueuePerTenant  int           // of them, one tenant's
	MaxQueueWait       time.Duration // none: as long as the context
	MaxWorkerMemory    int64         // private resident bytes after re-arming (32 MiB)
	Observer           pool.Observer // what happens in the pool, for metrics and traces
}

// LockdownConfig says what a worker must be confined by.
type LockdownConfig struct {
	// Require is the level below which no worker is used: "strict",
	// "partial" or "none". Empty means the best that this machine can give,
	// with a warning where that is not strict.
	Require string
	// RequireLayers are layers that must be active besides.
	RequireLayers []string
	// Off applies nothing, for debugging a worker. Require must be "none".
	Off bool
	// Trap makes a forbidden system call a crash that tells which one, with a
	// stack, instead of an end without a word. For debugging only: what can
	// be caught can be tried again.
	Trap bool
}

const (
	defaultKillGrace   = 250 * time.Millisecond
	defaultHealthCheck = 500 * time.Millisecond
)

// A Runtime runs programs. It owns the pool of workers. Make one with Open,
// share it, and Close it. It is safe for concurrent use.
type Runtime struct {
	limits  Limits
	grace   time.Duration
	health  time.Duration
	stack   int64
	log     *slog.Logger
	engines []*engine // the default first

	nextID atomic.Uint64

	closing  chan struct{} // closed when executions are to end
	closeOne sync.Once
	active   activity

	deathsMu sync.Mutex
	deaths   map[string]uint64
}

// ErrNotServed is what Open returns where ServeIfWorker has not run: the
// workers of such a program would be the program itself, started for ever.
var ErrNotServed = errors.New("autoclave: ServeIfWorker has not run: make autoclave.ServeIfWorker() the first statement of main (and of TestMain), so that this executable can be its own worker")

// Open starts a Runtime: its minimum of workers is being started when it
// returns, and the first of them is armed. It returns an error that names the
// field where the configuration is wrong, or what is missing where this
// machine cannot confine workers as the configuration demands.
func Open(ctx context.Context, cfg Config) (*Runtime, error) {
	if !served.Load() {
		return nil, ErrNotServed
	}
	r, err := newRuntime(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("autoclave: %w", err)
	}
	if _, err := r.engines[0].pool.PreWarm(ctx); err != nil {
		err = errors.Join(err, r.Close(closedContext()))
		return nil, fmt.Errorf("autoclave: starting workers: %w", err)
	}
	return r, nil
}

func closedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func newRuntime(ctx context.Context, cfg Config) (*Runtime, error) {
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Runtime{limits: limits, log: cfg.Logger, closing: make(chan struct{}), stack: int64(cfg.StackDepth)}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	switch {
	case cfg.KillGrace == 0:
		r.grace = defaultKillGrace
	case cfg.KillGrace > 0:
		r.grace = cfg.KillGrace
	}
	maxFrame := cfg.MaxFrame
	if maxFrame == 0 {
		maxFrame = wire.DefaultMaxFrame
	}
	if err := checkFrame(limits, maxFrame); err != nil {
		return nil, err
	}
	switch r.health = cfg.Pool.HealthCheckTimeout; {
	case r.health == 0:
		r.health = defaultHealthCheck
	case r.health < 0:
		r.health = 100 * 365 * 24 * time.Hour
	}
	if limits.Heap < wire.MinHeap {
		return nil, fmt.Errorf("Config.Limits.Heap is %d bytes: an isolate needs %d at least", limits.Heap, int64(wire.MinHeap))
	}
	if d := cfg.StackDepth; d != 0 && (d < wire.MinStack || d > wire.MaxStack) {
		return nil, fmt.Errorf("Config.StackDepth is %d: it must be between %d and %d, or 0 for the default", d, wire.MinStack, wire.MaxStack)
	}
	floor, err := lockdownFloor(cfg.Lockdown, r.log)
	if err != nil {
		return nil, err
	}
	names, err := cfg.engines()
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		e, err := r.newEngine(ctx, cfg, name, i > 0, maxFrame, floor)
		if err != nil {
			for _, e := range r.engines {
				err = errors.Join(err, e.close(closedContext()))
			}
			return nil, err
		}
		r.engines = append(r.engines, e)
	}
	return r, nil
}

// checkFrame refuses limits whose bodies do not fit a frame: a program that
// keeps its limits must not break the protocol.
func checkFrame(l Limits, maxFrame int) error {
	const room = wire.MaxHeader + 64
	for _, f := range []struct {
		name string
		size int
	}{{"Program", l.Program}, {"Result", l.Result}, {"Arguments", l.Arguments}, {"CallResult", l.CallResult}, {"Emits", l.Emits}, {"Logs", l.Logs}} {
		if f.size > maxFrame-room {
			return fmt.Errorf("Config.Limits.%s is %d bytes, which does not fit Config.MaxFrame of %d: raise MaxFrame to at least %d",
				f.name, f.size, maxFrame, f.size+room)
		}
	}
	return nil
}

// died counts how workers died.
func (r *Runtime) died(kind string) {
	r.deathsMu.Lock()
	defer r.deathsMu.Unlock()
	if r.deaths == nil {
		r.deaths = map[string]uint64{}
	}
	r.deaths[kind]++
}

// Deaths counts the workers that have died so far, by Error.CauseKind. Those
// that the pool ended in its ordinary course are "host_kill".
func (r *Runtime) Deaths() map[string]uint64 {
	r.deathsMu.Lock()
	defer r.deathsMu.Unlock()
	return maps.Clone(r.deaths)
}

// Stats returns what the pool of the default engine has done so far.
func (r *Runtime) Stats() pool.Stats { return r.engines[0].pool.Stats() }

// EngineStats returns what the pool of each engine has done so far, by name.
func (r *Runtime) EngineStats() map[string]pool.Stats {
	all := make(map[string]pool.Stats, len(r.engines))
	for _, e := range r.engines {
		all[e.name] = e.pool.Stats()
	}
	return all
}

// Recycle replaces every worker, each when its execution ends.
func (r *Runtime) Recycle() {
	for _, e := range r.engines {
		e.pool.Reset()
	}
}

// Close refuses new executions, waits for those under way until ctx ends, then
// ends them with ShuttingDown, and returns when every worker and goroutine of
// the Runtime is gone. It may be called more than once.
func (r *Runtime) Close(ctx context.Context) error {
	// The order matters: an execution whose worker the pool kills must find
	// that the Runtime is closing.
	poolCtx, killAll := context.WithCancel(context.WithoutCancel(ctx))
	defer killAll()
	stop := context.AfterFunc(ctx, func() {
		r.closeOne.Do(func() { close(r.closing) })
		killAll()
	})
	defer stop()
	closed := make(chan error, len(r.engines))
	for _, e := range r.engines {
		go func() { closed <- e.pool.Close(poolCtx) }()
	}
	var err error
	for range r.engines {
		// Executions that did not end in time were ended, as was asked for.
		if e := <-closed; !errors.Is(e, context.Canceled) {
			err = errors.Join(err, e)
		}
	}
	r.closeOne.Do(func() { close(r.closing) })
	for _, e := range r.engines {
		e.launcher.Close()
	}
	return errors.Join(err, r.active.end(ctx))
}

// lingering is how long Close waits, once its context has ended, for a Host's
// methods to notice that theirs has.
const lingering = time.Second

// activity counts executions and host calls under way.
type activity struct {
	mu    sync.Mutex
	n     int
	ended bool
	idle  chan struct{} // closed when ended and n is 0
}

// enter counts one more, unless the end was called for.
func (a *activity) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.n++
	return true
}

// add counts one more while another is under way.
func (a *activity) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
}

func (a *activity) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n--; a.n == 0 && a.ended {
		close(a.idle)
	}
}

// end lets nobody enter any more and waits until all have left, for a moment
// beyond the end of ctx.
func (a *activity) end(ctx context.Context) error {
	a.mu.Lock()
	if !a.ended {
		a.ended = true
		a.idle = make(chan struct{})
		if a.n == 0 {
			close(a.idle)
		}
	}
	idle := a.idle
	a.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-idle:
		return nil
	case <-time.After(lingering):
		return errors.New("autoclave: a Host still works on a call whose context has ended")
	}
}
