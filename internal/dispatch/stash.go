package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// The stash of the caller's session, with labels: see packages policy and stash.

// StashPut implements autoclave.StashHost.
func (h *Host) StashPut(_ context.Context, key string, value json.RawMessage, ttl float64) error {
	d := time.Duration(math.MaxInt64)
	if ttl < d.Seconds() { // what is longer is above every bound, or is for ever
		d = time.Duration(ttl * float64(time.Second))
	}
	if ttl > 0 && d == 0 {
		d = 1
	}
	return h.stashed("stash.put", key, len(value), func(s *stash.Store, labels []string) (int, []string, error) {
		return 0, nil, s.Put(key, value, d, labels)
	})
}

// StashGet implements autoclave.StashHost.
func (h *Host) StashGet(_ context.Context, key string) (value json.RawMessage, err error) {
	err = h.stashed("stash.get", key, 0, func(s *stash.Store, labels []string) (int, []string, error) {
		e, err := s.Get(key, labels)
		value = e.Value
		return len(value), e.Labels, err
	})
	return value, err
}

// StashDelete implements autoclave.StashHost.
func (h *Host) StashDelete(_ context.Context, key string) (found bool, err error) {
	err = h.stashed("stash.delete", key, 0, func(s *stash.Store, labels []string) (_ int, take []string, err error) {
		found, take, err = s.Delete(key, labels)
		return 0, take, err
	})
	return found, err
}

// StashKeys implements autoclave.StashHost.
func (h *Host) StashKeys(context.Context) (keys []string, err error) {
	err = h.stashed("stash.keys", "", 0, func(s *stash.Store, _ []string) (_ int, take []string, err error) {
		keys, take, err = s.Keys()
		return 0, take, err
	})
	return keys, err
}

// stashed calls f with the labels of the execution, and has the execution take
// on what f returns before the program gets to know anything.
func (h *Host) stashed(kind, key string, out int, f func(s *stash.Store, labels []string) (in int, take []string, err error)) error {
	start := time.Now()
	rec := audit.Call{Kind: kind, Tool: key, BytesOut: out}
	at := h.enter(rec, start)
	var in int
	var err error
	if s := h.caller.Stash; s == nil {
		err = &autoclave.Error{Code: autoclave.StashError, Message: "there is no stash here"}
	} else {
		var take []string
		in, take, err = f(s, h.labels())
		if e, ok := errors.AsType[*stash.Error](err); ok {
			take = e.Labels
		}
		s.Raise(h.flow.Take(take))
	}
	err = stashError(err)
	rec.BytesIn = in
	h.record(at, rec, start, err)
	return err
}

func stashError(err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*autoclave.Error](err); ok {
		return own
	}
	if e, ok := errors.AsType[*stash.Error](err); ok {
		return &autoclave.Error{Code: autoclave.StashError, Message: e.Message, Suggestion: e.Suggestion}
	}
	return fmt.Errorf("the stash: %w", err)
}
