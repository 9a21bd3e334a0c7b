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
// is stopped with it: the Host says how long it waits.
//
// With a context that is not of a host call it does nothing.
func PauseClock(ctx context.Context) (resume func()) {
	c, ok := ctx.Value(clockKey{}).(*hostCall)
	if !ok {
		return func() {}
	}
	c.pause()
	c.x.pause()
	return sync.OnceFunc(func() {
		c.x.resume()
		c.resume()
	})
}

func (x *execution) pause() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.paused == 0 {
		x.pausedAt = time.Now()
	}
	x.paused++
}

func (x *execution) resume() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.paused--; x.paused == 0 {
		x.pauses += time.Since(x.pausedAt)
	}
}

// wall is how long the execution has taken, pauses left out, and whether its
// clock runs.
func (x *execution) wall(now time.Time) (time.Duration, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	spent := x.spent + now.Sub(x.begin) - x.pauses
	if x.paused > 0 {
		return spent - now.Sub(x.pausedAt), false
	}
	return spent, true
}
