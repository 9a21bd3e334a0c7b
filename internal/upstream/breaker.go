package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// breaker stops requests to a server that does not work, so that programs need
// not wait for it and it is not hit while it is down. A nil breaker lets all
// pass.
//
// The end of a connection is not its business: that is known at once, and
// bringing the server back has a back-off of its own. What it counts are
// requests that a standing connection cannot get answered.
type breaker struct {
	server string
	cb     *gobreaker.CircuitBreaker[json.RawMessage]
	until  atomic.Int64 // when the circuit closes for a trial, in Unix nanoseconds
}

func newBreaker(cfg Config, log *slog.Logger) *breaker {
	if cfg.BreakerFailures < 0 {
		return nil
	}
	b := &breaker{server: cfg.Name}
	b.cb = gobreaker.NewCircuitBreaker[json.RawMessage](gobreaker.Settings{
		Name:        cfg.Name,
		MaxRequests: 1,
		Timeout:     cfg.BreakerCooldown,
		ReadyToTrip: func(c gobreaker.Counts) bool { return int64(c.ConsecutiveFailures) >= int64(cfg.BreakerFailures) },
		IsSuccessful: func(err error) bool {
			e, ok := errors.AsType[*Error](err)
			return err == nil || ok && e.Kind == Refused
		},
		IsExcluded: func(err error) bool {
			e, ok := errors.AsType[*Error](err)
			return err != nil && !(ok && (e.trips || e.Kind == Refused))
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				b.until.Store(time.Now().Add(cfg.BreakerCooldown).UnixNano())
				log.Warn("upstream does not work: no requests for a while", "pause", cfg.BreakerCooldown)
			case gobreaker.StateClosed:
				log.Info("upstream works again")
			}
		},
	})
	return b
}

// do runs f, or returns a CircuitOpen error.
func (b *breaker) do(f func() (json.RawMessage, error)) (json.RawMessage, error) {
	if b == nil {
		return f()
	}
	raw, err := b.cb.Execute(f)
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		wait := max(time.Until(time.Unix(0, b.until.Load())), time.Millisecond)
		return nil, &Error{Kind: CircuitOpen, Server: b.server, RetryAfter: wait, err: err,
			Message: fmt.Sprintf("its last requests failed one after the other: none is sent for another %v", wait.Round(100*time.Millisecond))}
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return nil, &Error{Kind: CircuitOpen, Server: b.server, RetryAfter: time.Second, err: err,
			Message: "its last requests failed, and one is under way to see whether it works again"}
	}
	return raw, err
}
