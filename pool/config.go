package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Worker is one pooled thing, usually a child process. The pool calls its
// methods from goroutines of its own, at most one Reset at a time and never a
// Reset during a lease.
type Worker interface {
	// Reset makes the worker ready for its next lease. It is called after a
	// lease, off every caller's path, and returns nil when the worker is armed.
	// An error kills the worker. Reset must return soon after ctx ends, which is
	// after HealthCheckTimeout or when the worker is killed or dies.
	Reset(ctx context.Context) error

	// Done is closed when the worker is dead. The channel is always the same.
	Done() <-chan struct{}

	// Kill ends the worker. It may be called at any time, many times, also
	// during a Reset or a lease. It returns at once; the close of Done follows
	// without fail, for a pool closes only when all its workers are gone. The
	// reason is for logs: one of the Reason values, then a detail, if any.
	Kill(reason string)
}

// memoryReporter is what a worker may also be: one that knows how much private
// resident memory it has. It is asked after every successful Reset, before the
// worker is lent again, so the answer should cost microseconds. A worker that
// does not know answers false.
type memoryReporter interface {
	Memory() (bytes int64, ok bool)
}

// Config says how a pool behaves. Zero in a field means the default; a negative
// number means none, or unlimited. New copies the Config.
type Config[W Worker] struct {
	// Spawn makes an armed worker, one whose next lease can begin at once.
	// Its context ends after SpawnTimeout or when the pool has no use for the
	// worker any more (Close, Reset); Spawn must return soon after that. It is
	// called from goroutines of the pool, several at a time. Required.
	Spawn func(ctx context.Context) (W, error)

	// MinWorkers is how many workers are kept alive, idle or not. Default 2, or
	// MaxWorkers where that is less. Negative: none.
	MinWorkers int
	// MinIdle is how many idle workers that no tenant is bound to are kept, while
	// there are fewer than MaxWorkers. Default 1. Negative: none.
	MinIdle int
	// Reserve is how many workers are kept for tenants that hold none: one that
	// holds a worker gets another only where so many stay armed besides, and at
	// MaxWorkers one that holds several gives one up to have them again. So a
	// tenant that floods the pool, with programs however long, does not make the
	// next one wait; the price is that no tenant can have all workers. Default
	// none. It must be less than MaxWorkers. While Spawn fails it is given out too.
	Reserve int
	// MaxWorkers bounds the workers that exist, those that are being spawned or
	// are dying included. Default 8. Negative: unlimited.
	MaxWorkers int

	// MaxIdleTime is how long a worker may be idle before it is reaped, unless
	// MinWorkers or MinIdle needs it. Default 60 s. Negative: for ever.
	MaxIdleTime time.Duration
	// MaxUses is how many leases a worker serves, give or take 10 %, so that
	// workers that began together do not end together. Default 1000. Negative:
	// unlimited. With 1, every lease gets a worker that nobody used before.
	MaxUses int
	// MaxLifetime is the age, counted from its arming and give or take 10 %, at
	// which a worker is replaced: an idle one when its successor is armed, a
	// leased one when it comes back. Default 1 h. Negative: unlimited.
	MaxLifetime time.Duration

	// HealthCheckTimeout bounds Worker.Reset; a worker that takes longer is
	// killed. Default 500 ms. Negative: no bound.
	HealthCheckTimeout time.Duration
	// SpawnTimeout bounds Spawn. Default 5 s. Negative: no bound.
	SpawnTimeout time.Duration

	// MaxQueue bounds the callers that wait, all tenants together. One more is
	// refused with an OverloadedError. Default 1024. Negative: unlimited.
	// A pool without a queue is one on which only TryAcquire is called.
	MaxQueue int
	// MaxQueuePerTenant bounds the callers of one tenant that wait. Default half
	// of MaxQueue, and at least 1, so that no tenant can fill the queue alone.
	// Negative: only MaxQueue counts.
	MaxQueuePerTenant int
	// MaxQueueWait bounds how long a caller waits; then it is refused with an
	// OverloadedError. Zero or negative: as long as its context.
	MaxQueueWait time.Duration

	// MaxWorkerMemory is the private resident memory in bytes above which a
	// worker is replaced after a Reset. It needs a worker with the method
	// Memory() (bytes int64, ok bool). Default 32 MiB. Negative: unlimited.
	MaxWorkerMemory int64

	// Logger hears of failures. Nil: nothing is logged.
	Logger *slog.Logger
	// Observer is told of everything that happens. Nil: nobody is.
	Observer Observer
}

// forever stands for a time that never comes and a duration that never ends.
const forever = time.Duration(math.MaxInt64)

// limits is a Config with all defaults in place: "none" has become 0 and
// "unlimited" the largest value of its type.
type limits struct {
	minWorkers, minIdle, maxWorkers int
	reserve                         int
	maxUses                         int
	maxQueue, maxPerTenant          int
	maxIdle, lifetime               time.Duration
	health, spawn, queueWait        time.Duration
	memory                          int64
}

// or gives the default for zero and the extreme for a negative value.
func or[T int | int64 | time.Duration](v, dflt, negative T) T {
	switch {
	case v == 0:
		return dflt
	case v < 0:
		return negative
	}
	return v
}

func (c *Config[W]) limits() (limits, error) {
	if c.Spawn == nil {
		return limits{}, errors.New("pool: Spawn is nil: it must be a function that makes an armed worker")
	}
	maxWorkers := or(c.MaxWorkers, 8, math.MaxInt)
	maxQueue := or(c.MaxQueue, 1024, math.MaxInt)
	l := limits{
		minWorkers:   or(c.MinWorkers, min(2, maxWorkers), 0),
		minIdle:      or(c.MinIdle, 1, 0),
		maxWorkers:   maxWorkers,
		maxUses:      or(c.MaxUses, 1000, math.MaxInt),
		maxQueue:     maxQueue,
		maxPerTenant: or(c.MaxQueuePerTenant, max(1, maxQueue/2), maxQueue),
		maxIdle:      or(c.MaxIdleTime, time.Minute, forever),
		lifetime:     or(c.MaxLifetime, time.Hour, forever),
		health:       or(c.HealthCheckTimeout, 500*time.Millisecond, forever),
		spawn:        or(c.SpawnTimeout, 5*time.Second, forever),
		queueWait:    or(c.MaxQueueWait, forever, forever),
		memory:       or(c.MaxWorkerMemory, 32<<20, math.MaxInt64),
	}
	l.reserve = max(c.Reserve, 0)
	which := func(given int) string {
		if given == 0 {
			return " (the default)"
		}
		return ""
	}
	if l.minWorkers > l.maxWorkers {
		return limits{}, fmt.Errorf("pool: MinWorkers is %d, more than MaxWorkers, which is %d%s: lower the one or raise the other",
			l.minWorkers, l.maxWorkers, which(c.MaxWorkers))
	}
	if l.minIdle > l.maxWorkers {
		return limits{}, fmt.Errorf("pool: MinIdle is %d, more than MaxWorkers, which is %d%s: lower the one or raise the other",
			l.minIdle, l.maxWorkers, which(c.MaxWorkers))
	}
	if l.reserve >= l.maxWorkers {
		return limits{}, fmt.Errorf("pool: Reserve is %d, which leaves none of MaxWorkers, which is %d%s: lower the one or raise the other",
			l.reserve, l.maxWorkers, which(c.MaxWorkers))
	}
	l.minIdle = max(l.minIdle, l.reserve)
	if l.maxPerTenant > l.maxQueue {
		return limits{}, fmt.Errorf("pool: MaxQueuePerTenant is %d, more than MaxQueue, which is %d%s: lower the one or raise the other",
			l.maxPerTenant, l.maxQueue, which(c.MaxQueue))
	}
	return l, nil
}
