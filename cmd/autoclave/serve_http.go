package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// serveHTTP serves gw at an address until ctx ends. When it listens it says so
// on out: whoever asked for port 0 learns the port there.
func serveHTTP(ctx context.Context, gw *gateway.Gateway, address string, cfg config.HTTP, ready func(names bool) []string, out io.Writer) error {
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
	if c.TLSCert != "" {
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
		MaxConnections: cfg.MaxConnections, MaxConnectionsPerAddress: cfg.MaxConnectionsPerAddress,
		MaxSessions: cfg.MaxSessions, MaxPerPrincipal: cfg.MaxPerPrincipal,
		SessionTimeout: cfg.SessionTimeout, Drain: cfg.DrainTimeout, TLSCert: cfg.TLSCert, TLSKey: cfg.TLSKey,
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

// missing says what is not there yet for programs to be run: servers by their
// names, or only how many.
func missing(s *instance) func(names bool) []string {
	return func(names bool) []string {
		var all []string
		if st := s.runtimes.Stats(); st.Idle+st.Leased+st.Resetting == 0 {
			all = append(all, "no worker is armed")
		}
		var down, pending []string
		members := s.set.Members()
		for _, m := range members {
			switch {
			case m.Pending:
				pending = append(pending, m.Name)
			case !m.Up:
				down = append(down, m.Name)
			}
		}
		say := func(which []string, what string) {
			if len(which) == 0 {
				return
			}
			text := fmt.Sprintf("%d of %d servers are %s", len(which), len(members), what)
			if names {
				text += " (" + strings.Join(which, ", ") + ")"
			}
			all = append(all, text)
		}
		say(pending, "still starting")
		say(down, "not connected")
		return all
	}
}

// warnInsecure tells an operator what he may not have meant.
func warnInsecure(logger *slog.Logger, cfg config.HTTP) {
	if len(cfg.Tokens) == 0 && cfg.JWT == nil && cfg.AllowUnauthenticated {
		logger.Warn("nobody has to say who he is: whoever reaches this server can use all that it is connected to")
	}
}
