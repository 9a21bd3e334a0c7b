package main

import (
	"context"
	"fmt"
	"log/slog"
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
	s.runtimes = newRuntimes(rt)
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

// watch reads the configuration again when its file changes, and at SIGHUP,
// which opens the audit file again too. The function that it returns ends that,
// and returns when it has ended.
func (s *instance) watch(ctx context.Context) (stop func(), err error) {
	hangups, ignore := reload.Hangups()
	w, err := reload.New(reload.Config{Path: s.cfg.File, Now: hangups, Logger: s.log})
	if err != nil {
		ignore()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		w.Run(ctx, func(ctx context.Context) {
			s.reopen(ctx)
			s.reload(ctx)
		})
	})
	return func() {
		cancel()
		done.Wait()
		ignore()
	}, nil
}

// reload puts into force what the configuration says now, as far as that can
// be done without a restart. Where it is wrong, the old one stays.
func (s *instance) reload(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.read()
	if err != nil {
		reload.Refused(s.log, err)
		return
	}
	s.prepare(next)
	next.Runtime.Logger = s.log
	if !slices.Equal(next.Warnings, s.cfg.Warnings) {
		warn(s.log, next)
	}
	plan, merged := reload.Compare(s.cfg, next, true)
	if err := s.apply(ctx, plan, merged); err != nil {
		if ctx.Err() == nil { // else it is the end
			s.log.Error("the configuration could not be put into force", "err", err)
		}
		return
	}
	plan.Log(s.log)
}

// apply puts a configuration into force. What it comes to it keeps, also where
// it then fails.
func (s *instance) apply(ctx context.Context, plan reload.Plan, next *config.Config) error {
	now := *s.cfg
	rules, err := governed(next, s.secrets(next), s.sink, s.log)
	if err != nil {
		return err
	}
	if _, err := s.dispatcher.Reconfigure(rules, descriptions(next), upstreamConfigs(next, s.log), retireTime); err != nil {
		return err
	}
	runtime := now.Runtime
	now = *next
	now.Runtime = runtime
	s.cfg = &now
	if !plan.Has(reload.Workers) {
		return nil
	}
	rt, err := autoclave.Open(ctx, next.Runtime)
	if err != nil {
		return fmt.Errorf("the workers stay as they are: %w", err)
	}
	if err := s.runtimes.replace(rt); err != nil {
		closeWithin(rt.Close, closeTime)
		return err
	}
	s.cfg = next
	return nil
}
