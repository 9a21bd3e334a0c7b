package pool

import (
	"context"
	"time"
)

// Observer is told what happens in a pool, so that metrics and traces can be
// attached to it. Observe is called outside the pool's lock, by the goroutine
// that caused the event, many at a time: it must be safe for concurrent use, and
// quick. Events of different goroutines may arrive in another order than they
// happened in; Stats is what is consistent. The context is the caller's for
// EventAcquired, EventCancelled and EventRefused (TryAcquire: the background), the background
// for the rest. Observe may call Stats, but not Drain or Close.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// EventKind says what happened. Later versions may add kinds.
type EventKind string

// The kinds of events, and which fields of Event they set besides Kind.
const (
	EventSpawned     EventKind = "spawned"      // Worker; Duration: how long Spawn took
	EventSpawnFailed EventKind = "spawn_failed" // Worker, Err; Duration: how long Spawn took
	EventAcquired    EventKind = "acquired"     // Worker, Tenant, Uses; Duration: how long the caller waited
	EventRefused     EventKind = "refused"      // Tenant, Err; Duration: how long the caller waited
	EventCancelled   EventKind = "cancelled"    // Tenant, Err; Duration: how long the caller waited
	EventReleased    EventKind = "released"     // Worker, Tenant, Uses; Duration: how long the lease was held
	EventReset       EventKind = "reset"        // Worker, Uses; Err, if it failed; Duration: how long Reset took
	EventKilled      EventKind = "killed"       // Worker, Tenant, Uses, Reason, Err where there is one; Duration: its age
)

// Event is one thing that happened in a pool.
type Event struct {
	Kind     EventKind
	Worker   uint64 // serial number of the worker in its pool, from 1
	Tenant   string // the lease's tenant, or the one that the worker is bound to
	Uses     int    // leases that the worker has served, this one included
	Reason   Reason // why a worker was killed
	Err      error
	Duration time.Duration
}
