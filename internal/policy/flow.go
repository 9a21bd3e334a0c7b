package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Group is a set of servers.
type Group struct {
	Name string
	// Servers are names, not patterns.
	Servers []string
	// Strict keeps the data of the group's servers in the group. Data of a
	// group that is not strict may go anywhere.
	Strict bool
}

// Scope says how far labels reach.
type Scope string

const (
	// ScopeExecution: an execution begins without labels. What it returns to
	// the model is the model's, who may write it into the next program.
	ScopeExecution Scope = "execution"
	// ScopeSession: an execution begins with all labels that the session has
	// had, so that data does not come back through the model either.
	ScopeSession Scope = "session"
)

func (p *Policy) addGroups(cfg Config) error {
	switch p.scope {
	case "":
		p.scope = ScopeExecution
	case ScopeExecution, ScopeSession:
	default:
		return &ConfigError{"Scope", fmt.Sprintf("is %q: it can be %q or %q", p.scope, ScopeExecution, ScopeSession)}
	}
	names, in := map[string]bool{}, map[string]string{}
	for i, g := range cfg.Groups {
		switch {
		case g.Name == "":
			return &ConfigError{fmt.Sprintf("Groups[%d].Name", i), "is empty"}
		case names[g.Name]:
			return &ConfigError{fmt.Sprintf("Groups[%d].Name", i), fmt.Sprintf("is %q, as that of another group is", g.Name)}
		}
		names[g.Name] = true
		for n, server := range g.Servers {
			if other, ok := in[server]; ok {
				return &ConfigError{fmt.Sprintf("Groups[%d].Servers[%d]", i, n),
					fmt.Sprintf("is %q, which is in the group %q already: a server is in one group at most", server, other)}
			}
			in[server] = g.Name
			if g.Strict {
				p.groups[server] = g.Name
			}
		}
	}
	return nil
}

// StrictGroup returns the strict group that the server is in; empty: none.
func (p *Policy) StrictGroup(server string) string { return p.groups[server] }

// Session has the labels of a session's executions. It may be used
// concurrently.
type Session struct {
	mu     sync.Mutex
	labels []string
}

// Labels returns all labels that an execution of the session has had, sorted.
func (s *Session) Labels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.labels
}

// Flow has the labels of one execution: the strict groups that it has received
// data of. It may be used concurrently, as an execution's calls are.
type Flow struct {
	policy  *Policy
	session *Session

	mu     sync.Mutex
	labels []string // sorted; replaced, never changed
}

// Begin returns the flow of an execution that begins. The policy that it was
// begun with stays its own. session may be nil.
func (p *Policy) Begin(session *Session) *Flow {
	f := &Flow{policy: p, session: session}
	if session != nil && p.scope == ScopeSession {
		f.labels = session.Labels()
	}
	return f
}

// Send says whether the execution may send to the server, Allow or Deny. To
// call a tool is to send, with or without arguments, and so is to ask a server
// for a resource or for its list of them. It must be asked for each call, right
// before the call leaves.
func (f *Flow) Send(server string) Decision {
	f.mu.Lock()
	labels := f.labels
	f.mu.Unlock()
	own := f.policy.groups[server]
	for _, l := range labels {
		if l != own {
			return refusal(server, own, labels)
		}
	}
	return Decision{Action: Allow, Index: -1, Reason: "data may flow there"}
}

func refusal(server, own string, labels []string) Decision {
	what := "the server " + server + " is in no strict group"
	if own != "" {
		what = fmt.Sprintf("the server %s is in the group %s", server, own)
	}
	return Decision{Action: Deny, Rule: "groups", Index: -1, Reason: fmt.Sprintf(
		"this execution has received data of the strict group %s, which must not leave it, and %s: "+
			"call %s first, or in an execution that does not use that data", strings.Join(labels, " and of "), what, server)}
}

// Receive notes that the server has answered. It must be called before any of
// the answer is handed to the program, a value or an error, also one that says
// only that there was no answer in time: for each call that has left. It
// returns the labels that the execution has then.
func (f *Flow) Receive(server string) []string {
	if g := f.policy.groups[server]; g != "" {
		return f.Take([]string{g})
	}
	return f.Labels()
}

// Take adds the labels of what the execution gets from elsewhere, which is to
// say from the stash, and returns those that it has then. It must be called
// before the program gets it.
func (f *Flow) Take(labels []string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if added := union(f.labels, labels); len(added) > len(f.labels) {
		// The session first: who finds the label here must find it there.
		if s := f.session; s != nil {
			s.mu.Lock()
			s.labels = union(s.labels, added)
			s.mu.Unlock()
		}
		f.labels = added
	}
	return f.labels
}

// Labels returns the labels that the execution has, sorted. The slice must not
// be changed.
func (f *Flow) Labels() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.labels
}

// union returns a where it has all of b, else a new sorted set.
func union(a, b []string) []string {
	var extra []string
	for _, l := range b {
		if !slices.Contains(a, l) && !slices.Contains(extra, l) {
			extra = append(extra, l)
		}
	}
	if len(extra) == 0 {
		return a
	}
	out := append(slices.Clone(a), extra...)
	slices.Sort(out)
	return out
}
