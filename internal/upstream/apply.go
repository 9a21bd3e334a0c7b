package upstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Changes are the upstreams, by name, for which Apply did something, and those
// for which it did not. Each is in the order of the configuration.
type Changes struct {
	Added, Removed, Changed, Unchanged []string
}

// Any reports whether there is anything but Unchanged.
func (c Changes) Any() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) > 0 }

// defaultGrace is as long as an execution may take.
const defaultGrace = 5 * time.Minute

// Check returns what is wrong with configurations, as OpenSet and Apply would.
func Check(cfgs []Config) error {
	_, err := complete(cfgs)
	return err
}

// complete checks all configurations and puts the defaults in place.
func complete(cfgs []Config) ([]Config, error) {
	folded := map[string]string{}
	out := make([]Config, len(cfgs))
	for i, cfg := range cfgs {
		cfg, err := cfg.withDefaults()
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		// Two names that differ in case alone would be mistaken for each other
		// by people and models alike.
		key := strings.ToLower(cfg.Name)
		if other, taken := folded[key]; taken {
			return nil, fmt.Errorf("upstreams[%d]: Name is %q, which %q has already: names must differ in more than case", i, cfg.Name, other)
		}
		folded[key] = cfg.Name
		out[i] = cfg
	}
	return out, nil
}

// same reports whether a connection by a serves b too. Both are complete.
func same(a, b Config) bool {
	for _, c := range []*Config{&a, &b} {
		c.Logger = nil
		// Whether an empty one is nil means nothing.
		c.Command, c.Env = append([]string{}, c.Command...), append([]string{}, c.Env...)
		if len(c.Headers) == 0 {
			c.Headers = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// Apply makes cfgs the configuration of the set, while it is in use. It does
// not wait: what is new is being connected when it returns. An upstream whose
// configuration is the same keeps its connection (and its Logger); one whose
// configuration has changed gets a new connection, a new circuit and empty
// lists, while the old one goes on for those who have it.
//
// Those are the Views that were taken before, and calls under way. When the
// last of them is done, or when grace is over, an upstream that was removed or
// changed is closed, as Upstream.Close does; calls that are still under way
// then fail with Closed. Zero is the default of 5 min, negative none. So for a
// while there may be two processes of one server.
//
// Where it returns an error (a configuration is wrong, the set is closed)
// nothing has changed.
func (s *Set) Apply(cfgs []Config, grace time.Duration) (Changes, error) {
	cfgs, err := complete(cfgs)
	if err != nil {
		return Changes{}, err
	}
	if grace == 0 {
		grace = defaultGrace
	}
	var done Changes
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Changes{}, errors.New("upstream: the set is closed")
	}
	old := s.now
	next := &roster{generation: old.generation + 1, members: make(map[string]*member, len(cfgs)), holders: 1}
	for _, cfg := range cfgs {
		m, had := old.members[cfg.Name]
		switch {
		case had && same(m.cfg, cfg):
			done.Unchanged = append(done.Unchanged, cfg.Name)
		case had:
			done.Changed = append(done.Changed, cfg.Name)
			m = s.newMember(cfg)
		default:
			done.Added = append(done.Added, cfg.Name)
			m = s.newMember(cfg)
		}
		next.order = append(next.order, cfg.Name)
		next.members[cfg.Name] = m
	}
	for _, name := range old.order {
		if next.members[name] == nil {
			done.Removed = append(done.Removed, name)
		}
	}
	if !done.Any() && slices.Equal(old.order, next.order) {
		return done, nil
	}
	for _, m := range next.members {
		m.holders++
	}
	for name, m := range old.members {
		if next.members[name] != m {
			m.retire(next.members[name] != nil, grace)
		}
	}
	s.now = next
	s.release(old)
	for _, name := range slices.Concat(done.Added, done.Changed) {
		m := next.members[name]
		s.running.Go(func() { m.run(s) })
	}
	s.version.Add(1)
	s.wake()
	return done, nil
}

func (s *Set) newMember(cfg Config) *member {
	cfg.Logger = cfg.Logger.With("server", cfg.Name)
	m := &member{cfg: cfg, breaker: newBreaker(cfg, cfg.Logger), dial: s.dial, settled: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancelCause(s.base)
	return m
}

// retire bounds how long a member is kept that the set has no more. Called with
// Set.mu.
func (m *member) retire(changed bool, grace time.Duration) {
	m.retired = &Error{Kind: Closed, Server: m.cfg.Name, Message: "it is not in the configuration any more"}
	if changed {
		m.retired.Message = "its configuration has changed"
	}
	if grace < 0 {
		m.cancel(m.retired)
		return
	}
	m.grace = time.AfterFunc(grace, func() {
		if m.ctx.Err() == nil {
			m.cfg.Logger.Warn("an upstream that was removed or changed is still in use: its time is over", "grace", grace)
		}
		m.cancel(m.retired)
	})
}
