package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// serveHTTP serves gw at an address until ctx ends. When it listens it says so
// on out: whoever asked for port 0 learns the port there.
func serveHTTP(ctx context.Context, gw *gateway.Gateway, address string, cfg config.HTTP, ready func() []string, out io.Writer) error {
	c, err := httpConfig(address, cfg)
	if err != nil {
		return err
	}
	c.Ready = ready
	h, err := gw.NewHTTP(c)
	if err != nil {
		return err
	}
	l, err := h.Listen(ctx, address)
	if err != nil {
		h.Close()
		return err
	}
	scheme, path := "http", cfg.Path
	if c.TLS != nil {
		scheme = "https"
	}
	if path == "" {
		path = "/mcp"
	}
	fmt.Fprintf(out, "autoclave: serving MCP at %s://%s%s\n", scheme, l.Addr(), path)
	return h.Serve(ctx, l)
}

// httpConfig is what the configuration says, as the gateway takes it.
func httpConfig(address string, cfg config.HTTP) (gateway.HTTPConfig, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return gateway.HTTPConfig{}, fmt.Errorf("%q is no address to listen on: it must be HOST:PORT, such as 127.0.0.1:7341", address)
	}
	c := gateway.HTTPConfig{
		Path: cfg.Path, AllowUnauthenticated: cfg.AllowUnauthenticated,
		Origins: cfg.AllowedOrigins, Hosts: cfg.AllowedHosts,
		MaxBody: cfg.MaxBody, MaxHeader: cfg.MaxHeader,
		HeaderTimeout: cfg.HeaderTimeout, BodyTimeout: cfg.BodyTimeout, IdleTimeout: cfg.IdleTimeout, WriteTimeout: cfg.WriteTimeout,
		MaxConnections: cfg.MaxConnections, MaxSessions: cfg.MaxSessions, MaxPerPrincipal: cfg.MaxPerPrincipal,
		SessionTimeout: cfg.SessionTimeout, Drain: cfg.DrainTimeout,
	}
	if host != "" && net.ParseIP(host) == nil {
		c.Hosts = append([]string{host}, c.Hosts...)
	}
	for _, t := range cfg.Tokens {
		c.Tokens = append(c.Tokens, gateway.Token(t))
	}
	if j := cfg.JWT; j != nil {
		c.JWT = &gateway.JWTConfig{
			Issuer: j.Issuer, Audience: j.Audience, KeysURL: j.KeysURL, KeysFile: j.KeysFile,
			PrincipalClaim: j.PrincipalClaim, Leeway: j.Leeway,
		}
	}
	if cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return c, fmt.Errorf("reading the certificate: %w", err)
		}
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return c, nil
}

// stashes has room for a stash of each session, and of each principal, where
// the configuration does not say how many there may be.
func stashes(cfg *config.Config) {
	// Twice as many: programs can give a stash a name of their own.
	if cfg.Stash.MaxSessions == 0 {
		cfg.Stash.MaxSessions = 2 * cmp.Or(cfg.HTTP.MaxSessions, 1024)
	}
	if cfg.Stash.MaxPerPrincipal == 0 {
		cfg.Stash.MaxPerPrincipal = min(2*cmp.Or(cfg.HTTP.MaxPerPrincipal, 256), cfg.Stash.MaxSessions)
	}
}

// missing says what is not there yet for programs to be run. It names no
// server: anybody may ask.
func missing(rt *autoclave.Runtime, ups *upstreams) func() []string {
	return func() []string {
		var all []string
		if s := rt.Stats(); s.Idle+s.Leased+s.Resetting == 0 {
			all = append(all, "no worker is armed")
		}
		down, pending := 0, 0
		members := ups.set.Members()
		for _, m := range members {
			switch {
			case m.Pending:
				pending++
			case !m.Up:
				down++
			}
		}
		if pending > 0 {
			all = append(all, fmt.Sprintf("%d of %d servers are still starting", pending, len(members)))
		}
		if down > 0 {
			all = append(all, fmt.Sprintf("%d of %d servers are not connected", down, len(members)))
		}
		return all
	}
}

// warnInsecure tells an operator what he may not have meant.
func warnInsecure(logger *slog.Logger, cfg config.HTTP) {
	if len(cfg.Tokens) == 0 && cfg.JWT == nil && cfg.AllowUnauthenticated {
		logger.Warn("nobody has to say who he is: whoever reaches this server can use all that it is connected to")
	}
}
