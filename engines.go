package autoclave

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/node"
	"github.com/autoclave-run/autoclave/internal/process"
	"github.com/autoclave-run/autoclave/internal/worker"
	"github.com/autoclave-run/autoclave/pool"
)

// The engines.
const (
	// EngineQuickJS is in this executable. A fresh isolate takes microseconds.
	EngineQuickJS = "quickjs"
	// EngineV8 is that of Node.js, which must be installed. It compiles, so
	// that programs which compute take a tenth of the time, and has Intl; a
	// fresh isolate takes milliseconds. It is confined on Linux alone.
	EngineV8 = "v8"
)

// NodeConfig says how the V8 engine is run.
type NodeConfig struct {
	// Path is the executable of Node.js 22.13 or later. Default: node on the
	// PATH. Open runs it once, to ask what it is.
	Path string
	// Jitless takes from V8 the memory that it writes code to and executes:
	// what the embedded engine's workers never have. Programs then run some
	// ten times slower.
	Jitless bool
	// Isolates is how many a worker keeps armed, each of some 5 MiB. Default
	// 2.
	Isolates int
}

// v8WorkerMemory is PoolConfig.MaxWorkerMemory's default for V8: what Node.js
// and the isolates that it keeps armed take, and as much again.
const v8WorkerMemory = 256 << 20

// engine is one engine's workers.
type engine struct {
	name     string
	launcher *process.Launcher
	pool     *pool.Pool[*process.Worker]
}

// engines returns the names of the engines, the default first.
func (cfg *Config) engines() ([]string, error) {
	known := []string{EngineQuickJS, EngineV8}
	first := cfg.Engine
	if first == "" {
		first = EngineQuickJS
	}
	names := []string{first}
	for _, name := range cfg.Engines {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		field := "Config.Engine"
		if i > 0 {
			field = "Config.Engines"
		}
		return nil, fmt.Errorf("%s is %q: the engines are %s", field, name, strings.Join(known, " and "))
	}
	if cfg.Node.Isolates < 0 || cfg.Node.Isolates > 64 {
		return nil, fmt.Errorf("Config.Node.Isolates is %d: it must be between 1 and 64, or 0 for the default", cfg.Node.Isolates)
	}
	return names, nil
}

// engine returns the one that a program named.
func (r *Runtime) engine(name string) (*engine, *Error) {
	if name == "" {
		return r.engines[0], nil
	}
	names := make([]string, len(r.engines))
	for i, e := range r.engines {
		if e.name == name {
			return e, nil
		}
		names[i] = e.name
	}
	return nil, Errorf(Internal, "Program.Engine is %q, and the configuration allows %s", clip(name), strings.Join(names, " and "))
}

// newEngine makes an engine's launcher and pool. onDemand starts no worker
// before one is asked for.
func (r *Runtime) newEngine(ctx context.Context, cfg Config, name string, onDemand bool, maxFrame int, floor lockdown.Level) (*engine, error) {
	limits := r.limits
	launch := process.Config{
		OnDeath: r.died,
		Path:    cfg.workerPath, Compile: cfg.workerPath == "",
		Boot: worker.Boot{
			Lockdown: lockdown.Profile{Off: cfg.Lockdown.Off, Trap: cfg.Lockdown.Trap, HeapLimit: limits.Heap},
			Heap:     limits.Heap, Stack: r.stack, MaxFrame: maxFrame, Lazy: process.CanMeasureCPU,
		},
		Host:  lockdown.HostOptions{Off: cfg.Lockdown.Off},
		Floor: floor, FloorLayers: cfg.Lockdown.RequireLayers,
		Logger: r.log,
	}
	size := cfg.Pool
	if onDemand {
		size.MinWorkers, size.MinIdle, size.Reserve = -1, -1, 0
	}
	if name == EngineV8 {
		if runtime.GOOS != "linux" {
			return nil, fmt.Errorf("the engine %s needs Linux: this program cannot confine Node.js on %s", EngineV8, runtime.GOOS)
		}
		info, err := node.Inspect(ctx, cfg.Node.Path)
		if err != nil {
			return nil, err
		}
		launch.Node = &process.NodeConfig{Path: info.Path, Boot: worker.NodeBoot{
			Readable: info.Libraries, Stock: cfg.Node.Isolates, CodeRange: info.CodeRange(), Jitless: cfg.Node.Jitless,
		}}
		if size.MaxWorkerMemory == 0 {
			size.MaxWorkerMemory = v8WorkerMemory + 2*limits.Heap
		}
		if size.HealthCheckTimeout == 0 {
			size.HealthCheckTimeout = v8HealthCheck
		}
	}
	e := &engine{name: name}
	var err error
	if e.launcher, err = process.NewLauncher(launch); err != nil {
		return nil, err
	}
	e.pool, err = pool.New(pool.Config[*process.Worker]{
		Spawn:      e.launcher.Spawn,
		MinWorkers: size.MinWorkers, MinIdle: size.MinIdle, Reserve: size.Reserve, MaxWorkers: size.MaxWorkers,
		MaxIdleTime: size.MaxIdleTime, MaxUses: size.MaxUses, MaxLifetime: size.MaxLifetime,
		HealthCheckTimeout: size.HealthCheckTimeout, SpawnTimeout: size.SpawnTimeout,
		MaxQueue: size.MaxQueue, MaxQueuePerTenant: size.MaxQueuePerTenant, MaxQueueWait: size.MaxQueueWait,
		MaxWorkerMemory: size.MaxWorkerMemory, Observer: size.Observer, Logger: r.log,
	})
	if err != nil {
		e.launcher.Close()
		return nil, err
	}
	return e, nil
}

// v8HealthCheck is PoolConfig.HealthCheckTimeout's default for V8, which may
// have to make an isolate first, beside others that do.
const v8HealthCheck = 2 * time.Second

// close ends an engine that has not served.
func (e *engine) close(ctx context.Context) error {
	err := e.pool.Close(ctx)
	e.launcher.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
