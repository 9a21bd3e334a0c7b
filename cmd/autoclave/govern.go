package main

import (
	"fmt"
	"log/slog"

	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/redact"
)

// defaultMaxWorkers is what the pool takes where the configuration says nothing.
const defaultMaxWorkers = 8

// governed is what the configuration says of calls. The sink is nil where
// nothing is recorded.
func governed(cfg *config.Config, secrets []string, sink *audit.Sink, logger *slog.Logger) (dispatch.Rules, error) {
	redactor, err := redactor(cfg, secrets, logger)
	if err != nil {
		return dispatch.Rules{}, err
	}
	rates := dispatch.Rates{
		PerServer: dispatch.Rate(cfg.Rates.PerServer), PerTool: dispatch.Rate(cfg.Rates.PerTool), PerSession: dispatch.Rate(cfg.Rates.PerSession),
		Servers: map[string]dispatch.Rate{}, Tools: map[string]map[string]dispatch.Rate{},
		ExecutionBytes: cfg.Rates.ExecutionBytes, SessionBytes: cfg.Rates.SessionBytes, SessionCalls: int64(cfg.Rates.SessionCalls),
	}
	for _, s := range cfg.Servers {
		rates.Servers[s.Name] = dispatch.Rate(s.Rate)
		rates.Tools[s.Name] = map[string]dispatch.Rate{}
		for tool, r := range s.ToolRates {
			rates.Tools[s.Name][tool] = dispatch.Rate(r)
		}
	}
	return dispatch.Rules{
		Policy: cfg.Policy, HideDenied: cfg.Approval.HideDenied,
		AskTimeout: cfg.Approval.AskTimeout, MaxAsking: maxAsking(cfg),
		Rates: rates, Redact: redactor, Audit: sink, ProgramText: cfg.Audit.ProgramText,
	}, nil
}

// maxAsking leaves a worker to those who ask nobody.
func maxAsking(cfg *config.Config) int {
	workers := cfg.Runtime.Pool.MaxWorkers
	switch {
	case workers == 0:
		workers = defaultMaxWorkers
	case workers < 0:
		workers = 1 << 20 // without bound: nobody can hold them all
	}
	most := max(workers-1, 0)
	if n := cfg.Approval.MaxAsking; n > 0 {
		return min(n, most)
	}
	return most
}

// secretsOf are the secrets that are taken out of what a model sees.
func secretsOf(cfg *config.Config) []string {
	if !cfg.Redaction.Credentials {
		return cfg.Redaction.Secrets
	}
	return cfg.Secrets()
}

func redactor(cfg *config.Config, secrets []string, logger *slog.Logger) (*redact.Redactor, error) {
	c := redact.Config{Secrets: secrets, Patterns: cfg.Redaction.Patterns}
	for class, on := range map[redact.Classes]bool{
		redact.Credentials: cfg.Redaction.Credentials, redact.HostPaths: cfg.Redaction.HostPaths,
		redact.PrivateAddresses: cfg.Redaction.PrivateAddresses, redact.StackTraces: cfg.Redaction.StackTraces,
	} {
		if !on {
			c.Off |= class
		}
	}
	r, err := redact.New(c)
	if err != nil {
		return nil, fmt.Errorf("[redaction]: %w", err)
	}
	for _, s := range append(r.Skipped(), r.Slow()...) {
		logger.Warn("redaction: " + s)
	}
	return r, nil
}

// openAudit opens what records go to, or returns nil where there is nothing.
func openAudit(cfg *config.Config, logger *slog.Logger) (*audit.Sink, error) {
	if cfg.Audit.Path == "" {
		return nil, nil
	}
	c := cfg.Audit
	c.Logger = logger
	sink, err := audit.Open(c)
	if err != nil {
		return nil, fmt.Errorf("[audit]: %w", err)
	}
	return sink, nil
}

func descriptions(cfg *config.Config) map[string]string {
	all := map[string]string{}
	for _, s := range cfg.Enabled() {
		if s.Description != "" {
			all[s.Name] = s.Description
		}
	}
	return all
}
