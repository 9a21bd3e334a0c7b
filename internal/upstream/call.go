package upstream

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"
)

// call is one request that waits for its answer. It taps the raw result from
// below the SDK's decoding, which loses the order of keys and fails on numbers
// like 1e400.
type call struct {
	// stub is what the SDK gets instead of the result.
	stub json.RawMessage
	// raw is set before the SDK's call returns without an error, and must not
	// be read where it returned one.
	raw json.RawMessage

	// name is the tool or the URI, for the Listener.
	name  string
	asker Asker // nil: there is nobody to ask
	token int64 // for progress; 0: nobody listens
	pace  rate  // of progress; guarded by inbox.mu

	cancel context.CancelCauseFunc
	clock  *clock
	// failed is what went wrong below the SDK, which cannot tell it.
	failed atomic.Pointer[Error]
}

// abort ends the call with e as its outcome.
func (c *call) abort(e *Error) { c.cancel(e) }

type callKey struct{}

// callOf returns the call that a request of the SDK belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// clock measures the time of a call, and can be stopped while the call waits
// for what is not the server's to answer for. A nil clock measures nothing.
type clock struct {
	mu     sync.Mutex
	timer  *time.Timer
	left   time.Duration
	since  time.Time
	paused int
	over   bool
}

// startClock calls expired once limit has passed. No limit, no clock.
func startClock(limit time.Duration, expired func()) *clock {
	if limit <= 0 {
		return nil
	}
	return &clock{left: limit, since: time.Now(), timer: time.AfterFunc(limit, expired)}
}

func (c *clock) pause() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused++; c.paused == 1 && c.timer.Stop() {
		c.left -= time.Since(c.since)
	}
}

func (c *clock) resume() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused--; c.paused == 0 && !c.over {
		c.since = time.Now()
		c.timer.Reset(max(c.left, time.Millisecond))
	}
}

func (c *clock) stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.timer.Stop()
}
