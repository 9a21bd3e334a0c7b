package autoclave

import (
	"context"
	"sync"
	"time"
)

type clockKey struct{}

// PauseClock stops the wall clock of the execution that a host call belongs
// to, for as long as the call waits for something that is not the program's
// to answer for, such as a user's approval. ctx is the one that the Host's
// method was given. The function that it returns starts the clock again; it
// must be called, and may be called more than once. The time limit of the call
// itself is not paused: the Host says how long it may wait.
//
// With a context that is not of a host call it does nothing.
func PauseClock(ctx context.Context) (resume func()) {
	x, ok := ctx.Value(clockKey{}).(*execution)
	if !ok {
		return func() {}
	}
	x.mu.Lock()
	if x.paused == 0 {
		x.pausedAt = time.Now()
	}
	x.paused++
	x.mu.Unlock()
	return sync.OnceFunc(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.paused--; x.paused == 0 {
			x.pauses += time.Since(x.pausedAt)
		}
	})
}

// wall is how long the execution has taken, pauses left out, and whether its
// clock runs.
func (x *execution) wall(now time.Time) (time.Duration, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	spent := now.Sub(x.begin) - x.pauses
	if x.paused > 0 {
		return spent - now.Sub(x.pausedAt), false
	}
	return spent, true
}
