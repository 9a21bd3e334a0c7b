package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// config decodes a whole autoclave.toml. What is wrong is in d.
func (d *decoder) config(root map[string]any) *Config {
	if servers, ok := root["servers"].(map[string]any); ok {
		for name, x := range servers {
			if s, ok := x.(map[string]any); ok && s["enabled"] == false {
				d.off = append(d.off, join("servers", name))
			}
		}
	}
	var f file
	d.section("", root, reflect.ValueOf(&f).Elem(), "")
	c := &Config{
		File: d.file,
		Runtime: autoclave.Config{
			Limits: f.Limits.limits(), Pool: f.Pool.pool(), Lockdown: d.lockdown(f.Lockdown),
			KillGrace: f.Engine.KillGrace, StackDepth: f.Engine.StackDepth, MaxFrame: int(f.Engine.MaxFrame),
		},
		Engine:    d.engine(f.Engine),
		Stash:     f.Stash.sessions(),
		HTTP:      d.http(f.HTTP),
		Rates:     f.rates(),
		Redaction: d.redaction(f.Redaction),
		Audit: audit.Config{
			Path: f.Audit.Path, ProgramText: f.Audit.ProgramText, OnFailure: audit.Consequence(f.Audit.OnFailure), Timeout: f.Audit.Timeout,
		},
		used: d.used,
	}
	_, given := d.tree.at["audit.path"]
	switch {
	case given && strings.TrimSpace(c.Audit.Path) == "" && !d.wrong("audit.path"):
		d.errorf("audit.path", `is empty, so that nothing would be recorded: write a file, or "stderr", or leave [audit] out where that is meant`)
	case !given && f.Audit != (auditSection{}):
		d.errorf("audit", `path is missing: nothing is recorded without it; write a file, or "stderr"`)
	}
	if c.Audit.Path != "" && c.Audit.Path != audit.Stderr {
		c.Audit.Path = d.relative(c.Audit.Path)
	}
	c.Runtime.Engine, c.Runtime.Engines = c.Engine.Name, c.Engine.Also
	c.Runtime.Node = autoclave.NodeConfig{Path: c.Engine.Node, Jitless: c.Engine.Jitless, Isolates: c.Engine.Isolates}
	d.checkStash(c.Stash)
	c.Servers = d.servers(f.Servers)
	c.Policy = d.policy(&f, c.Servers)
	c.Approval = Approval{HideDenied: orTrue(f.Policy.HideDenied), AskTimeout: orDefault(f.Policy.AskTimeout, 5*time.Minute), MaxAsking: f.Policy.MaxAsking}
	if n, workers := f.Policy.MaxAsking, orDefault(f.Pool.MaxWorkers, defaultMaxWorkers); n > 0 && workers > 0 && n >= workers {
		d.errorf("policy.max_asking", "is %d, and there may be %d workers: those who wait for an answer hold one each, and must leave one", n, workers)
	}
	c.secrets = d.allSecrets()
	c.Warnings = d.warnings
	return c
}

// defaultMaxWorkers is the pool's.
const defaultMaxWorkers = 8

func orDefault[T ~int | ~int64 | ~string](v, dflt T) T {
	var zero T
	if v == zero {
		return dflt
	}
	return v
}

func orTrue(b *bool) bool { return b == nil || *b }

// relative makes a path relative to the file, so that it means the same
// wherever the command is started.
func (d *decoder) relative(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.file), path)
}

func (s limitsSection) limits() autoclave.Limits {
	return autoclave.Limits{
		CPU: s.CPU, Wall: s.Wall, CallTimeout: s.CallTimeout, Heap: s.Heap, Program: int(s.Program), Result: int(s.Result),
		Arguments: int(s.Arguments), CallResult: int(s.CallResult), Calls: s.Calls, Concurrency: s.Concurrency,
		Logs: int(s.Logs), Emits: int(s.Emits),
	}
}

func (s poolSection) pool() autoclave.PoolConfig {
	return autoclave.PoolConfig{
		MinWorkers: s.MinWorkers, MinIdle: s.MinIdle, Reserve: s.Reserve, MaxWorkers: s.MaxWorkers, MaxIdleTime: s.MaxIdleTime, MaxUses: s.MaxUses,
		MaxLifetime: s.MaxLifetime, HealthCheckTimeout: s.HealthCheckTimeout, SpawnTimeout: s.SpawnTimeout, MaxQueue: s.MaxQueue,
		MaxQueuePerTenant: s.MaxQueuePerTenant, MaxQueueWait: s.MaxQueueWait, MaxWorkerMemory: s.MaxWorkerMemory,
	}
}

func (s stashSection) sessions() stash.SessionsConfig {
	return stash.SessionsConfig{
		Store: stash.Config{
			MaxEntries: s.MaxEntries, MaxValue: int(s.MaxValue), MaxTotal: s.MaxTotal, DefaultTTL: s.DefaultTTL, MaxTTL: s.MaxTTL,
		},
		MaxSessions: s.MaxSessions, MaxPerPrincipal: s.MaxPerPrincipal, MaxTotal: s.AllTotal, IdleTTL: s.IdleTTL,
	}
}

func (d *decoder) checkStash(c stash.SessionsConfig) {
	if s, err := stash.NewSessions(c); err != nil {
		d.errorf("stash", "%s", strings.TrimPrefix(err.Error(), "stash: "))
	} else {
		s.Close()
	}
}

func (f *file) rates() Rates {
	return Rates{
		PerServer: f.Rate.PerServer, PerTool: f.Rate.PerTool, PerSession: f.Rate.PerSession,
		ExecutionBytes: orDefault(f.Budget.ExecutionBytes, -1), SessionCalls: orDefault(f.Budget.SessionCalls, -1),
		SessionBytes: orDefault(f.Budget.SessionBytes, -1),
	}
}

func (d *decoder) engine(s engineSection) Engine {
	e := Engine{Name: orDefault(s.Name, autoclave.EngineQuickJS), Node: orDefault(s.Node, "node"), Jitless: s.Jitless, Isolates: orDefault(s.Isolates, 2)}
	if e.Name == autoclave.EngineV8 {
		d.use(FeatureNode, "engine.name")
	}
	for i, name := range s.Also {
		at := index("engine.also", i)
		switch {
		case name != autoclave.EngineQuickJS && name != autoclave.EngineV8:
			d.errorf(at, "is %q: it can be %q or %q", name, autoclave.EngineQuickJS, autoclave.EngineV8)
		case name == e.Name || slices.Contains(e.Also, name):
			d.errorf(at, "is %q, which is named already", name)
		default:
			e.Also = append(e.Also, name)
			if name == autoclave.EngineV8 {
				d.use(FeatureNode, "engine.also")
			}
		}
	}
	if e.Isolates > 64 {
		d.errorf("engine.isolates", "is %d: 64 is the most", e.Isolates)
	}
	return e
}

func (d *decoder) lockdown(s lockdownSection) autoclave.LockdownConfig {
	for i, name := range s.RequireLayers {
		if layers := lockdown.Layers(); !slices.Contains(layers, name) {
			near := nearest(name, layers)
			if near == "" {
				near = "one of " + strings.Join(layers, ", ")
			}
			d.errorf(index("lockdown.require_layers", i), "is %q, and there is no such layer: did you mean %s?", name, near)
		}
	}
	if s.Off && s.Require != string(lockdown.None) {
		d.errorf("lockdown.off", `is true: then write require = "none" too, so that nobody takes programs for confined`)
	}
	if s.Require == string(lockdown.None) && len(s.RequireLayers) > 0 && s.Off {
		d.errorf("lockdown.require_layers", "asks for layers, and lockdown is off")
	}
	return autoclave.LockdownConfig{Require: s.Require, RequireLayers: s.RequireLayers, Off: s.Off}
}

func (d *decoder) redaction(s redactionSection) Redaction {
	for i, p := range s.Patterns {
		re, err := regexp.Compile(p)
		switch path := index("redaction.patterns", i); {
		case err != nil:
			d.errorf(path, "is no regular expression: %v", err)
		case re.MatchString(""):
			d.errorf(path, "matches nothing at all: it would match between any two characters")
		}
	}
	for i, secret := range s.Secrets {
		if len(secret) < minSecret && !d.raw {
			d.errorf(index("redaction.secrets", i), "has %d bytes: what is shorter than %d occurs in texts by chance", len(secret), minSecret)
		}
		d.addSecret(secret)
	}
	return Redaction{
		Credentials: orTrue(s.Credentials), HostPaths: orTrue(s.HostPaths), PrivateAddresses: orTrue(s.PrivateAddresses),
		StackTraces: orTrue(s.StackTraces), Secrets: s.Secrets, Patterns: s.Patterns,
	}
}

func (d *decoder) policy(f *file, servers []Server) policy.Config {
	c := policy.Config{Default: policy.Action(f.Policy.Default), Scope: policy.Scope(f.Policy.LabelScope), Servers: map[string]policy.Action{}}
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.Name
		if s.Default != "" {
			c.Servers[s.Name] = s.Default
		}
	}
	for i, r := range f.Rule {
		c.Rules = append(c.Rules, d.rule(index("rule", i), r, names))
	}
	d.ruleNames(f.Rule)
	in := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(f.Groups)) {
		g := f.Groups[name]
		path := join("groups", name)
		if len(g.Servers) == 0 {
			d.errorf(path, "servers is missing: a group has one server or more")
		}
		for i, server := range g.Servers {
			at := index(path+".servers", i)
			d.knownServer(at, server, names)
			if other, ok := in[server]; ok {
				d.errorf(at, "is %q, which is in the group %q already: a server is in one group at most", server, other)
			}
			in[server] = name
		}
		c.Groups = append(c.Groups, policy.Group{Name: name, Servers: g.Servers, Strict: g.Strict})
	}
	if len(d.errs) == 0 {
		if _, err := policy.New(c); err != nil {
			d.errorf("policy", "%v", err)
		}
	}
	return c
}

func (d *decoder) rule(path string, r ruleSection, servers []string) policy.Rule {
	if r.Action == "" && !d.wrong(path+".action") {
		d.errorf(path, `action is missing: it can be "allow", "ask" or "deny"`)
	}
	for _, l := range []struct {
		key      string
		patterns list
	}{{"server", r.Server}, {"tool", r.Tool}, {"resource", r.Resource}, {"session", r.Session}, {"principal", r.Principal}} {
		if _, given := d.tree.at[path+"."+l.key]; given && len(l.patterns) == 0 {
			d.errorf(path+"."+l.key, `is empty: write "*" for all, or leave it out`)
		}
		for i, p := range l.patterns {
			at := index(path+"."+l.key, i)
			if err := policy.CheckPattern(p); err != nil {
				d.errorf(at, "%v", err)
			} else if name, ok := policy.Literal(p); ok && l.key == "server" {
				d.knownServer(at, name, servers)
			}
		}
	}
	if r.ReadOnly != nil && *r.ReadOnly && r.Destructive != nil && *r.Destructive {
		d.errorf(path+".destructive", "is true, as read_only is: a tool that is read-only is never destructive, so this rule would match nothing. Leave one of them out, or make two rules of it")
	}
	if r.Action == string(policy.Allow) && len(r.Session) > 0 {
		d.warnings = append(d.warnings, fmt.Sprintf("%s allows by session: the model chooses that name, so this allows whatever names it the same", path))
	}
	return policy.Rule{
		Name: r.Name, Action: policy.Action(r.Action), Servers: r.Server, Tools: r.Tool, Resources: r.Resource,
		ReadOnly: r.ReadOnly, Destructive: r.Destructive, OpenWorld: r.OpenWorld, Sessions: r.Session, Principals: r.Principal,
	}
}

// ruleNames refuses names that stand for something else too: an audit has
// nothing but the name.
func (d *decoder) ruleNames(rules []ruleSection) {
	owner := map[string]string{"groups": "that which refuses what groups keep to themselves"}
	for i, r := range rules {
		if r.Name == "" {
			owner["rule "+strconv.Itoa(i+1)] = index("rule", i) + ", which has no name,"
		}
	}
	for i, r := range rules {
		if r.Name == "" {
			continue
		}
		at := index("rule", i)
		if other, ok := owner[r.Name]; ok {
			d.errorf(at+".name", "is %q, as %s is called: the audit could not tell them apart", r.Name, other)
			continue
		}
		owner[r.Name] = at
	}
}

// knownServer refuses names that no server has: a protection that is meant
// for a server must not miss it by a letter.
func (d *decoder) knownServer(path, name string, servers []string) {
	if slices.Contains(servers, name) {
		return
	}
	if near := nearest(name, servers); near != "" {
		d.errorf(path, "is %q, and there is no such server: did you mean %s?", name, near)
		return
	}
	d.errorf(path, "is %q, and there is no such server among [servers]", name)
}

// isURL returns what is wrong with an http or https URL, or "".
func isURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is no URL" // the error would show it, and there may be a secret in it
	case u.Scheme != "http" && u.Scheme != "https":
		return "is no URL that begins with http:// or https://"
	case u.Host == "" || u.Hostname() == "":
		return "is a URL without a host"
	case u.Fragment != "":
		return "is a URL with a fragment, which servers never get"
	}
	return ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hostPort returns what is wrong with an address to listen on, or "".
func hostPort(s string) (host, problem string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", `must be HOST:PORT, such as "127.0.0.1:7341"`
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return host, "has no port between 0 and 65535"
	} else if _ = n; strings.ContainsAny(host, " /") {
		return host, "has a host that cannot be one"
	}
	return host, ""
}
