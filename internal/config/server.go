package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// Server is a server as it is configured.
type Server struct {
	// Config is how it is reached and what it may take. Env is sorted. There is
	// no Logger.
	upstream.Config
	// Description is a sentence for the model, in place of the server's own.
	Description string
	// Disabled says that it is configured and not to be connected.
	Disabled bool
	// Default is what happens with its tools where no rule matches. Empty: the
	// general default.
	Default policy.Action
	// Rate bounds all its calls, ToolRates those of one tool, by name. They go
	// before Rates.PerServer and Rates.PerTool.
	Rate      Rate
	ToolRates map[string]Rate
}

// Enabled returns the servers that are to be connected.
func (c *Config) Enabled() []Server {
	return slices.DeleteFunc(slices.Clone(c.Servers), func(s Server) bool { return s.Disabled })
}

// Upstreams returns how the servers that are to be connected are reached.
func (c *Config) Upstreams() []upstream.Config {
	var out []upstream.Config
	for _, s := range c.Enabled() {
		out = append(out, s.Config)
	}
	return out
}

var (
	serverName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// servers returns them in the order of the file.
func (d *decoder) servers(sections map[string]serverSection) []Server {
	names := slices.Collect(maps.Keys(sections))
	slices.SortFunc(names, func(a, b string) int {
		p, q := d.tree.place(join("servers", a)), d.tree.place(join("servers", b))
		if p.line != q.line {
			return p.line - q.line
		}
		if p.column != q.column {
			return p.column - q.column
		}
		return strings.Compare(a, b)
	})
	folded := map[string]string{}
	var out []Server
	for _, name := range names {
		path := join("servers", name)
		if !serverName.MatchString(name) {
			d.errorf(path, "is a name that a server cannot have: it has 1 to 64 characters of A-Z a-z 0-9 _ - . and begins with a letter, a digit or _; %q would do",
				cleanName(name))
		}
		if other, taken := folded[strings.ToLower(name)]; taken {
			d.errorf(path, "differs from %s in case alone: models and people would mistake one for the other", other)
		}
		folded[strings.ToLower(name)] = name
		out = append(out, d.server(path, name, sections[name]))
	}
	return out
}

func (d *decoder) server(path, name string, s serverSection) Server {
	out := Server{
		Config: upstream.Config{
			Name: name, Transport: upstream.Transport(s.Transport),
			Command: slices.Concat(s.Command, s.Args), BareEnv: s.BareEnv, Dir: s.Cwd, URL: s.URL, Headers: s.Headers,
			ConnectTimeout: s.ConnectTimeout, DiscoverTimeout: s.DiscoverTimeout, CallTimeout: s.CallTimeout,
			Grace: s.CloseGrace, MaxFrame: int(s.MaxFrame), BackoffMin: s.BackoffMin, BackoffMax: s.BackoffMax,
			RefreshInterval: s.RefreshInterval, BreakerFailures: s.BreakerFailures, BreakerCooldown: s.BreakerCooldown,
		},
		Description: s.Description, Disabled: !orTrue(s.Enabled),
		Default: policy.Action(s.Default), Rate: s.Rate, ToolRates: s.ToolRates,
	}
	if out.Dir != "" {
		out.Dir = d.relative(out.Dir)
	}
	local, remote := len(s.Command) > 0, s.URL != ""
	if s.BackoffMax > 0 && s.BackoffMax < s.BackoffMin {
		d.errorf(path+".backoff_max", "is %v, less than backoff_min, which is %v", s.BackoffMax, s.BackoffMin)
	}
	switch {
	case d.failed(path+".command") || d.failed(path+".url") || d.failed(path+".transport"):
	case local && remote:
		d.errorf(path, "has both command and url: it is started or reached, not both")
	case !local && !remote:
		d.errorf(path, "has neither command nor url: it must have one of them")
	case local && out.Transport != upstream.Auto && out.Transport != upstream.Stdio:
		d.errorf(path+".transport", "is %q, and there is a command: that goes with url", out.Transport)
	case remote && out.Transport == upstream.Stdio:
		d.errorf(path+".transport", `is "stdio", and there is a url: that goes with command`)
	}
	if local && s.Command[0] == "" && !d.failed(index(path+".command", 0)) {
		d.errorf(path+".command", "is empty: it must name a program")
	}
	for _, wrong := range []struct {
		key string
		set bool
	}{
		{"args", remote && len(s.Args) > 0}, {"env", remote && len(s.Env) > 0}, {"cwd", remote && s.Cwd != ""}, {"bare_env", remote && s.BareEnv},
		{"headers", local && len(s.Headers) > 0},
	} {
		if wrong.set && local != remote {
			d.errorf(path+"."+wrong.key, "does nothing here: it goes with %s", map[bool]string{true: "command", false: "url"}[remote])
		}
	}
	out.Env = d.serverEnv(path+".env", s.Env)
	d.serverURL(path, s)
	return out
}

func (d *decoder) serverEnv(path string, env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			d.errorf(join(path, name), "is no name of a variable")
			continue
		}
		if secretName.MatchString(name) {
			d.addSecret(env[name])
		}
		out = append(out, name+"="+env[name])
	}
	return out
}

func (d *decoder) serverURL(path string, s serverSection) {
	if s.URL != "" && !d.raw && !d.isOff(path) {
		if problem := isURL(s.URL); problem != "" {
			d.errorf(path+".url", "%s", problem)
		} else if u, err := url.Parse(s.URL); err == nil {
			if pass, ok := u.User.Password(); ok {
				d.addSecret(pass)
			}
			for name, values := range u.Query() {
				if secretName.MatchString(name) {
					d.addSecret(values[0])
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value := s.Headers[name]
		switch {
		case !headerName.MatchString(name):
			d.errorf(join(path+".headers", name), "is no name of a header")
		case strings.ContainsAny(value, "\r\n"):
			d.errorf(join(path+".headers", name), "has a line break in it")
		}
		if secretName.MatchString(name) {
			d.addCredential(value)
		}
	}
}

func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && loopback(u.Hostname())
}

// cleanName makes a name out of one that is none.
func cleanName(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if r < 0x80 && (r == '_' || r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z') {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	s := strings.TrimLeft(b.String(), ".-")
	if s == "" {
		return "server"
	}
	return s[:min(len(s), 64)]
}
