package dispatch

import (
	"fmt"
	"maps"
	"time"

	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/redact"
)

// Rules are what host calls are subject to. The zero value lets every valid
// call through, redacts nothing and records nothing. They are copied.
type Rules struct {
	// Policy has the rules, the defaults and the groups of servers.
	Policy policy.Config
	// HideDenied leaves tools that are denied to everybody out of the catalog.
	HideDenied bool
	// AskTimeout is how long a person's answer is waited for. Default 5 min.
	AskTimeout time.Duration
	// MaxAsking is how many executions may wait for a person's answer at a
	// time. It must be less than there are workers, or those who wait would
	// hold them all. Zero: nobody is asked, and what would be asked is refused.
	MaxAsking int
	Rates     Rates
	// Redact takes out of errors and results what a model must not see. Nil:
	// nothing is taken out.
	Redact *redact.Redactor
	// Audit gets a record of each execution, ProgramText with its text. It
	// stays its owner's. Nil: nothing is recorded.
	Audit       *audit.Sink
	ProgramText bool
}

// Rates bound how often is called, and how much is carried. The zero value
// bounds nothing.
type Rates struct {
	// PerServer, PerTool and PerSession are for each server, each tool and
	// each session. Servers and Tools, by server, and by server and tool, go
	// before them.
	PerServer, PerTool, PerSession Rate
	Servers                        map[string]Rate
	Tools                          map[string]map[string]Rate
	// ExecutionBytes is what the calls of one execution may carry, arguments
	// and results together; SessionBytes and SessionCalls are for all of a
	// session. Zero or less: no bound.
	ExecutionBytes int64
	SessionBytes   int64
	SessionCalls   int64
}

// Rate is a bound over time: Events in each Per, Burst of them at once. The
// zero Rate is no bound.
type Rate struct {
	Events int
	Per    time.Duration
	Burst  int
}

func (r Rate) check(field string) error {
	switch {
	case r == Rate{}:
		return nil
	case r.Events <= 0 || r.Per <= 0 || r.Burst <= 0:
		return fmt.Errorf("dispatch: Rules.Rates.%s is %d in %v with bursts of %d: all must be positive, or all zero for no bound", field, r.Events, r.Per, r.Burst)
	}
	return nil
}

// perSecond is the rate as the limiter takes it.
func (r Rate) perSecond() float64 { return float64(r.Events) / r.Per.Seconds() }

// rules are Rules, checked and compiled. They are immutable: an execution ends
// under those that it began with.
type rules struct {
	Rules
	policy *policy.Policy
	// strict says that there is a group that keeps its data to itself.
	strict bool
}

func compileRules(r Rules) (*rules, error) {
	p, err := policy.New(r.Policy)
	if err != nil {
		return nil, fmt.Errorf("dispatch: Rules.Policy: %w", err)
	}
	if r.AskTimeout < 0 || r.MaxAsking < 0 {
		return nil, fmt.Errorf("dispatch: Rules.AskTimeout is %v and Rules.MaxAsking %d: neither can be negative", r.AskTimeout, r.MaxAsking)
	}
	if r.AskTimeout == 0 {
		r.AskTimeout = 5 * time.Minute
	}
	checks := []error{r.Rates.PerServer.check("PerServer"), r.Rates.PerTool.check("PerTool"), r.Rates.PerSession.check("PerSession")}
	for name, rate := range r.Rates.Servers {
		checks = append(checks, rate.check(fmt.Sprintf("Servers[%q]", name)))
	}
	for server, tools := range r.Rates.Tools {
		for name, rate := range tools {
			checks = append(checks, rate.check(fmt.Sprintf("Tools[%q][%q]", server, name)))
		}
	}
	r.Rates.Servers = maps.Clone(r.Rates.Servers)
	r.Rates.Tools = maps.Clone(r.Rates.Tools)
	for server, tools := range r.Rates.Tools {
		r.Rates.Tools[server] = maps.Clone(tools)
	}
	for _, err := range checks {
		if err != nil {
			return nil, err
		}
	}
	out := &rules{Rules: r, policy: p}
	for _, g := range r.Policy.Groups {
		out.strict = out.strict || g.Strict && len(g.Servers) > 0
	}
	return out, nil
}

// maxMessage is how much of a message is looked at, in bytes. A program is
// shown an eighth of it, so that nothing is cut in the middle of a secret.
const maxMessage = 64 << 10

// text is a message as a model may see it.
func (r *rules) text(s string) string {
	if r.Redact == nil || s == "" {
		return s
	}
	return r.Redact.Text(s[:min(len(s), maxMessage)])
}
