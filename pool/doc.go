// Package pool keeps expensive, single-user workers warm and decides who may
// have one. It is written for child processes, but it knows nothing of
// processes, pipes or JavaScript: a worker is whatever implements Worker.
//
// # Use
//
// Give New a function that makes an armed worker. The pool spawns MinWorkers in
// the background at once; PreWarm waits for them. Acquire lends a worker to one
// caller on behalf of one tenant. The caller ends the lease with Release, when
// the worker can be used again, or with Discard, when it cannot:
//
//	l, err := p.Acquire(ctx, "alice")
//	if err != nil {
//		return err // context error, *OverloadedError, *SpawnError or ErrClosed
//	}
//	if err := use(l.Worker()); err != nil {
//		l.Discard(err)
//		return err
//	}
//	l.Release()
//
// # What is promised
//
//   - Acquire in the good case is: pop, bind, return. It does no I/O, checks no
//     health and allocates only the lease. A worker is made ready for its next
//     user after a lease (Worker.Reset), off every caller's path, and its death
//     is noticed when it happens.
//   - A worker is bound to the tenant that first used it and never serves
//     another. A lease prefers its tenant's idle workers, then unbound ones, then
//     a new one; at MaxWorkers it replaces the worker of another tenant that has
//     been idle longest: at once for a tenant that holds none, else only one that
//     has been idle for 250 ms or whose tenant holds more, so that whoever works
//     in a loop keeps his worker beside one who floods the pool.
//   - With Reserve, some workers stay armed for tenants that hold none. A flood,
//     with leases however long, then does not make the next tenant wait.
//   - Waiting is first come, first served within a tenant and round-robin over
//     tenants. At MaxWorkers a worker stays with its tenant's queue until another
//     tenant, one that holds fewer workers, has waited 50 ms; then it is replaced.
//     A worker that was bound less than 50 ms ago is left alone, so that tenants
//     who compete for too few workers take turns and do not kill at every lease.
//   - A lease holds exactly one slot. Releasing it twice is harmless; dropping it
//     is found by the garbage collector, logged as an error, and costs the worker.
//   - A spawn belongs to the pool. The caller who caused it may give up; the
//     worker goes to whoever is next.
//   - Idle workers are a stack: the surplus at its bottom ages out.
//   - A worker that is used up is replaced while its last lease still runs; one
//     that is too old is retired when its successor is armed. Only at MaxWorkers
//     must the old one die first.
//
// # When spawning fails
//
// After a failed Spawn the pool waits before it tries again: 25 ms, doubled at
// each failure up to 10 s, with jitter; and then with one attempt at a time until
// one succeeds. Meanwhile a caller whose tenant has a worker that will come back
// (leased or being reset) waits for it in line as always. A caller whom only a
// spawn could serve gets a *SpawnError at once, with the error of the last
// attempt and the time until the next; nobody is left to wait for something that
// is known to fail. Workers that are armed but die at once, unused, five in a
// row, count as failed spawns too.
//
// # Shape of the code
//
// state.go, callers.go, workers.go and settle.go are the state machine: its data,
// what callers cause, what workers cause, and what follows from either. It starts no
// goroutine, does not block and reads no clock. pool.go, lease.go and run.go are the
// plumbing: it locks, calls one transition, unlocks, and then carries out the effects that
// the transition asked for. There is one mutex, and no callback (Spawn, Reset, Kill, Memory, Observer,
// Logger) runs under it.
//
// The pool must not know what a worker is made of, what a tenant is, or which
// metrics system watches it.
package pool
