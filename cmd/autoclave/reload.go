package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/reload"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// retireTime is how long programs that began under the old configuration may
// go on calling a server that the new one has no more.
const retireTime = 5 * time.Minute

// instance is what serve has made of its configuration, and makes anew of
// what that has been changed to.
type instance struct {
	read       func() (*config.Config, error)
	prepare    func(*config.Config) // fills in what depends on how it is served
	log        *slog.Logger
	set        *upstream.Set
	runtimes   *runtimes
	dispatcher *dispatch.Dispatcher
	watcher    *reload.Watcher
	ignore     func()               // SIGHUP, from then on
	offer      func(*config.Config) // tells the gateway of limits and engines

	mu   sync.Mutex // one reload at a time
	cfg  *config.Config
	sink *audit.Sink // nil where nothing is recorded
	kept []string    // the secrets of all configurations so far
}

// secrets returns those of cfg, and of all before it: connections and tokens of
// an old configuration live on for a while.
func (s *instance) secrets(cfg *config.Config) []string {
	s.kept = append(s.kept, secretsOf(cfg)...)
	slices.Sort(s.kept)
	s.kept = slices.Compact(s.kept)
	return s.kept
}

// open opens everything that cfg says. What is open when it returns an error is
// closed by close all the same.
func (s *instance) open(ctx context.Context, cfg *config.Config) error {
	s.cfg = cfg
	var err error
	if s.sink, err = openAudit(cfg, s.log); err != nil {
		return err
	}
	rules, err := governed(cfg, s.secrets(cfg), s.sink, s.log)
	if err != nil {
		return err
	}
	if s.set, err = upstream.OpenSet(ctx, upstreamConfigs(cfg, s.log)); err != nil {
		return err
	}
	cfg.Runtime.Logger = s.log
	rt, err := autoclave.Open(ctx, cfg.Runtime)
	if err != nil {
		return err
	}
	s.runtimes = newRuntimes(rt, cfg.Runtime.Limits)
	s.dispatcher, err = dispatch.New(dispatch.Config{Upstreams: s.set, Describe: descriptions(cfg), Rules: rules, Logger: s.log})
	return err
}

// close ends what open opened.
func (s *instance) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runtimes != nil {
		closeWithin(s.runtimes.Close, closeTime)
	}
	if s.set != nil {
		closeWithin(s.set.Close, serversTime)
	}
	if s.sink != nil {
		closeWithin(s.sink.Close, closeTime)
	}
	s.ignore()
}

// reopen opens the audit file again, which whoever rotates it has moved.
func (s *instance) reopen(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sink == nil {
		return
	}
	if err := s.sink.Reopen(ctx); err != nil {
		s.log.Error("the audit file could not be opened again: records go on to the old one", "err", err)
	}
}

// notice begins to watch the configuration's file. It must be called before the
// file is read for the first time, so that no change is missed.
func (s *instance) notice(path string) (err error) {
	hangups, ignore := reload.Hangups()
	s.ignore = ignore
	s.watcher, err = reload.New(reload.Config{Path: path, Now: hangups, Logger: s.log})
	return err
}

// watch reads the configuration again when its file changes, and at SIGHUP,
// which opens the audit file again too. The function that it returns ends that,
// and returns when it has ended.
func (s *instance) watch(ctx context.Context, offer func(*config.Config)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.offer = offer
	var done sync.WaitGroup
	done.Go(func() {
		s.watcher.Run(ctx, func(ctx context.Context) {
			s.reopen(ctx)
			s.reload(ctx)
		})
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// reload puts into force what the configuration says now, as far as that can
// be done without a restart. Where it is wrong, the old one stays.
func (s *instance) reload(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.next(ctx)
	if err != nil {
		if ctx.Err() == nil {
			reload.Refused(s.log, err)
		}
		return
	}
	if !slices.Equal(next.Warnings, s.cfg.Warnings) {
		warn(s.log, next)
	}
	plan, merged := reload.Compare(s.cfg, next, true)
	if err := s.apply(ctx, plan, merged); err != nil && ctx.Err() == nil { // else it is the end
		s.log.Error("not all of the configuration could be put into force", "err", err)
	}
}

// suspicious is how long a file that takes all rules away must stay as it is: it
// may be half of what is being written.
const suspicious = 2 * time.Second

// next reads the configuration.
func (s *instance) next(ctx context.Context) (*config.Config, error) {
	read := func() (*config.Config, error) {
		if b, err := os.ReadFile(s.cfg.File); err == nil && len(bytes.TrimSpace(b)) == 0 {
			return nil, fmt.Errorf("%s is empty", s.cfg.File)
		}
		next, err := s.read()
		if err == nil {
			s.prepare(next)
			next.Runtime.Logger = s.log
		}
		return next, err
	}
	next, err := read()
	if err != nil {
		return nil, err
	}
	bare := func(c *config.Config) bool { return len(c.Policy.Rules)+len(c.Policy.Groups) == 0 }
	if bare(s.cfg) || !bare(next) {
		return next, nil
	}
	s.log.Warn("the configuration has no rules and groups any more: if that stays so, they are gone", "in", suspicious)
	select {
	case <-time.After(suspicious):
		return read()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// apply puts a configuration into force, and says what of it. Workers that
// cannot be had stay as they were, and are tried again with the next change.
func (s *instance) apply(ctx context.Context, plan reload.Plan, next *config.Config) error {
	var rt *autoclave.Runtime
	var failed error
	if plan.Has(reload.Workers) {
		if rt, failed = autoclave.Open(ctx, next.Runtime); failed != nil {
			failed = fmt.Errorf("the workers stay as they are: %w", failed)
			next.Runtime, next.Engine = s.cfg.Runtime, s.cfg.Engine
			plan = plan.Without(reload.Workers)
		}
	}
	rules, err := governed(next, s.secrets(next), s.sink, s.log)
	var changes upstream.Changes
	if err == nil {
		changes, err = s.dispatcher.Reconfigure(rules, descriptions(next), upstreamConfigs(next, s.log), retireTime)
	}
	if err == nil && rt != nil {
		err = s.runtimes.replace(rt, next.Runtime.Limits)
	}
	if err != nil {
		if rt != nil {
			closeWithin(rt.Close, closeTime)
		}
		return errors.Join(err, failed)
	}
	s.cfg = next
	s.offer(next)
	plan.Log(s.log)
	if changes.Any() {
		s.log.Warn("the servers have changed", "added", changes.Added, "changed", changes.Changed, "removed", changes.Removed)
	}
	return failed
}
