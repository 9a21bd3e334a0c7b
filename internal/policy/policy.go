package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Action is what is to happen with a host call.
type Action string

// The actions. Ask means that a person is asked, and that the call is refused
// where none can be.
const (
	Allow Action = "allow"
	Ask   Action = "ask"
	Deny  Action = "deny"
)

// Rule says what is to happen with the calls that it matches: those for which
// every condition holds that it has. A list holds when one of its patterns
// matches; an empty one is no condition. See Match for what a pattern is.
type Rule struct {
	// Name is how the rule is called in decisions and in the audit. Optional.
	Name   string
	Action Action
	// Servers are patterns of server names.
	Servers []string
	// Tools are patterns of tool names, Resources of resource URIs. A rule
	// with Tools alone matches no resource read, one with Resources alone no
	// tool call, one with neither both.
	Tools     []string
	Resources []string
	// ReadOnly, Destructive and OpenWorld are what the tool's annotations must
	// say. See Annotations for what an absent one means.
	ReadOnly    *bool
	Destructive *bool
	OpenWorld   *bool
	// Sessions and Principals are patterns of who calls.
	Sessions   []string
	Principals []string
}

// Config is a policy as it is written. The zero value allows everything. It is
// copied.
type Config struct {
	// Rules are tried in order; the first that matches decides.
	Rules []Rule
	// Servers is what happens where no rule matches, by server name.
	Servers map[string]Action
	// Default is what happens where Servers has nothing either. Default Allow.
	Default Action
	// Groups are the groups of servers; a server is in one at most.
	Groups []Group
	// Scope says how far labels reach. Default ScopeExecution.
	Scope Scope
}

// Annotations are a tool's hints as its server gives them. They are the
// server's word and nothing else: a rule that allows by one trusts the server.
// A rule that asks or denies does not, as long as the server does not lie.
//
// An absent hint means what MCP says: not read-only, destructive, open world.
// A tool that is read-only is not destructive, whatever its hint says.
type Annotations struct {
	ReadOnly    *bool
	Destructive *bool
	OpenWorld   *bool
}

// Request is a host call that is to be decided.
type Request struct {
	Server string
	// Tool is the name of the tool, byte for byte. Resource is the URI of a
	// resource that is to be read, and Tool is empty then. For listing a
	// server's resources both are empty, and rules with Tools do not match.
	Tool     string
	Resource string
	// Annotations are the tool's. For resources they are not looked at: to
	// read is read-only, not destructive, open world.
	Annotations Annotations
	Session     string
	Principal   string
}

// Decision is what a policy says of a Request.
type Decision struct {
	Action Action
	// Rule is the name of the rule that decided, or "rule 3" where it has
	// none. Empty: a default did.
	Rule string
	// Index is the place of that rule in Config.Rules, or -1.
	Index int
	// Reason is a sentence for people and models.
	Reason string
}

// Policy decides. It is immutable and may be used concurrently.
type Policy struct {
	rules     []rule
	servers   map[string]Decision
	otherwise Decision
	groups    map[string]string // by server: its strict group
	scope     Scope
}

type rule struct {
	Rule
	decision Decision
}

// ConfigError says what is wrong with a Config.
type ConfigError struct {
	// Field is where: "Rules[2].Tools[0]".
	Field   string
	Message string
}

func (e *ConfigError) Error() string { return "policy: " + e.Field + " " + e.Message }

// New returns the policy that cfg says, or a *ConfigError.
func New(cfg Config) (*Policy, error) {
	p := &Policy{servers: map[string]Decision{}, groups: map[string]string{}, scope: cfg.Scope}
	for i, r := range cfg.Rules {
		compiled, err := compile(i, r)
		if err != nil {
			return nil, err
		}
		p.rules = append(p.rules, compiled)
	}
	for server, action := range cfg.Servers {
		if !action.valid() {
			return nil, &ConfigError{fmt.Sprintf("Servers[%q]", server), badAction(action)}
		}
		p.servers[server] = Decision{Action: action, Index: -1,
			Reason: fmt.Sprintf("no rule matches, and the default of the server %s is %s", server, action)}
	}
	if cfg.Default == "" {
		cfg.Default = Allow
	}
	if !cfg.Default.valid() {
		return nil, &ConfigError{"Default", badAction(cfg.Default)}
	}
	p.otherwise = Decision{Action: cfg.Default, Index: -1, Reason: fmt.Sprintf("no rule matches, and the default is %s", cfg.Default)}
	if err := p.addGroups(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

func (a Action) valid() bool { return a == Allow || a == Ask || a == Deny }

func badAction(a Action) string {
	return fmt.Sprintf("is %q: it can be %q, %q or %q", a, Allow, Ask, Deny)
}

func compile(i int, r Rule) (rule, error) {
	at := fmt.Sprintf("Rules[%d].", i)
	if !r.Action.valid() {
		return rule{}, &ConfigError{at + "Action", badAction(r.Action)}
	}
	for _, list := range []struct {
		field    string
		patterns *[]string
	}{
		{"Servers", &r.Servers}, {"Tools", &r.Tools}, {"Resources", &r.Resources}, {"Sessions", &r.Sessions}, {"Principals", &r.Principals},
	} {
		*list.patterns = slices.Clone(*list.patterns)
		for n, pattern := range *list.patterns {
			if err := CheckPattern(pattern); err != nil {
				return rule{}, &ConfigError{fmt.Sprintf("%s%s[%d]", at, list.field, n), err.Error()}
			}
		}
	}
	r.ReadOnly, r.Destructive, r.OpenWorld = clone(r.ReadOnly), clone(r.Destructive), clone(r.OpenWorld)
	d := Decision{Action: r.Action, Rule: r.Name, Index: i}
	called := fmt.Sprintf("the rule %q", r.Name)
	if d.Rule == "" {
		d.Rule = "rule " + strconv.Itoa(i+1)
		called = d.Rule
	}
	verb := map[Action]string{Allow: "allows", Ask: "wants a person to be asked about", Deny: "denies"}[r.Action]
	d.Reason = fmt.Sprintf("%s %s %s", called, verb, r.describe())
	return rule{r, d}, nil
}

func clone(b *bool) *bool {
	if b == nil {
		return nil
	}
	v := *b
	return &v
}

// describe says in words which calls the rule matches.
func (r Rule) describe() string {
	var what []string
	or := func(list []string) string { return strings.Join(list, " or ") }
	if len(r.Tools) > 0 {
		what = append(what, "tool "+or(r.Tools))
	}
	if len(r.Resources) > 0 {
		what = append(what, "resource "+or(r.Resources))
	}
	s := "everything"
	switch {
	case len(what) > 0:
		s = strings.Join(what, " and ")
	case r.ReadOnly != nil || r.Destructive != nil || r.OpenWorld != nil:
		s = "what is"
	}
	sep := " "
	for _, hint := range []struct {
		name string
		want *bool
	}{{"read-only", r.ReadOnly}, {"destructive", r.Destructive}, {"open-world", r.OpenWorld}} {
		if hint.want == nil {
			continue
		}
		if len(what) > 0 && sep == " " {
			s += " where it is"
		}
		if !*hint.want {
			hint.name = "not " + hint.name
		}
		s += sep + hint.name
		sep = " and "
	}
	if len(r.Servers) > 0 {
		s += " on server " + or(r.Servers)
	}
	if len(r.Sessions) > 0 {
		s += " in session " + or(r.Sessions)
	}
	if len(r.Principals) > 0 {
		s += " for " + or(r.Principals)
	}
	return s
}

// Decide returns what is to happen with the call. It takes well under a
// microsecond a rule and allocates nothing.
func (p *Policy) Decide(q Request) Decision {
	for i := range p.rules {
		if p.rules[i].matches(&q) {
			return p.rules[i].decision
		}
	}
	if d, ok := p.servers[q.Server]; ok {
		return d
	}
	return p.otherwise
}

// AlwaysDenied reports whether the call is denied whoever makes it. Session
// and Principal of q are not looked at.
func (p *Policy) AlwaysDenied(q Request) bool {
	for i := range p.rules {
		r := &p.rules[i]
		if !r.concerns(&q) {
			continue
		}
		if r.Action != Deny {
			return false // to some at least
		}
		if len(r.Sessions) == 0 && len(r.Principals) == 0 {
			return true
		}
	}
	if d, ok := p.servers[q.Server]; ok {
		return d.Action == Deny
	}
	return p.otherwise.Action == Deny
}

func (r *rule) matches(q *Request) bool {
	return r.concerns(q) && matchAny(r.Sessions, q.Session) && matchAny(r.Principals, q.Principal)
}

// concerns reports whether the rule matches but for who calls.
func (r *rule) concerns(q *Request) bool {
	switch {
	case q.Tool != "":
		if len(r.Tools) == 0 && len(r.Resources) > 0 || !matchAny(r.Tools, q.Tool) {
			return false
		}
	case q.Resource != "":
		if len(r.Resources) == 0 && len(r.Tools) > 0 || !matchAny(r.Resources, q.Resource) {
			return false
		}
	default:
		// A listing shows URIs of all kinds: only a rule for all of a
		// server's resources is meant for it.
		if len(r.Tools) > 0 && len(r.Resources) == 0 || len(r.Resources) > 0 && !slices.Contains(r.Resources, "*") {
			return false
		}
	}
	readOnly, destructive, openWorld := q.hints()
	return matchAny(r.Servers, q.Server) && is(r.ReadOnly, readOnly) && is(r.Destructive, destructive) && is(r.OpenWorld, openWorld)
}

func (q *Request) hints() (readOnly, destructive, openWorld bool) {
	if q.Tool == "" {
		return true, false, true
	}
	a := &q.Annotations
	readOnly = a.ReadOnly != nil && *a.ReadOnly
	destructive = !readOnly && (a.Destructive == nil || *a.Destructive)
	openWorld = a.OpenWorld == nil || *a.OpenWorld
	return readOnly, destructive, openWorld
}

func is(want *bool, got bool) bool { return want == nil || *want == got }

// matchAny reports whether one of the patterns matches, or there are none.
func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if Match(p, name) {
			return true
		}
	}
	return len(patterns) == 0
}
