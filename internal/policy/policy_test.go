package policy_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/autoclave-run/autoclave/internal/policy"
)

var yes, no = ptr(true), ptr(false)

func ptr(b bool) *bool { return &b }

func compile(t testing.TB, cfg policy.Config) *policy.Policy {
	t.Helper()
	p, err := policy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"ab", "a", false},
		{"*", "", true}, {"*", "anything/at.all", true}, {"**", "x", true},
		{"delete_*", "delete_", true}, {"delete_*", "delete_issue", true}, {"delete_*", "undelete_issue", false},
		{"*_delete", "issue_delete", true}, {"*_delete", "issue_delete_", false},
		{"a*b*c", "aXbXbXc", true}, {"a*b*c", "aXcXb", false},
		{"?", "", false}, {"?", "x", true}, {"?", "é", true}, {"??", "é", false}, {"?", "\xff", true}, {"a?c", "abc", true},
		{`\*`, "*", true}, {`\*`, "x", false}, {`\?a`, "?a", true}, {`\\`, `\`, true}, {`\é*`, "éx", true},
		// Nothing is folded.
		{"delete", "Delete", false}, {"delete", "delete ", false}, {"delete", " delete", false}, {"delete", "delete\x00", false},
		{"delete", "d\u0435lete", false},                          // Cyrillic
		{"é", "e\u0301", false},                                   // one code point, two
		{"delete", "\uff44\uff45\uff4c\uff45\uff54\uff45", false}, // full width
		{"delete", "dele\u200bte", false},                         // zero width space
		{"K", "\u212a", false},                                    // Kelvin
	} {
		if got := policy.Match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("Match(%q, %+q) is %v", tt.pattern, tt.name, got)
		}
	}
	// What makes a backtracking matcher take for ever.
	if policy.Match(strings.Repeat("*a", 500)+"b", strings.Repeat("a", 100_000)) {
		t.Error("it matches")
	}
}

func TestPatterns(t *testing.T) {
	for pattern, says := range map[string]string{
		"": "empty", "a[bc]": `write \[`, "{a,b}": `write \{`, `a\`: "after the last", "\xff": "UTF-8", strings.Repeat("a", 1025): "1024 is the most",
		`a\[b`: "", "a]": "", "a*": "", "a}b": "",
	} {
		err := policy.CheckPattern(pattern)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: %v, want %q", pattern, err, says)
		}
	}
	for pattern, want := range map[string]string{"a": "a", `a\*`: "a*", `\\`: `\`, "a*": "", "a?": ""} {
		if name, ok := policy.Literal(pattern); name != want || ok != (want != "") {
			t.Errorf("Literal(%q): %q, %v", pattern, name, ok)
		}
	}
}

func TestQuoteMatchesItselfAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.SampledFrom([]rune(`ab*?\[{é.`))).Draw(t, "name")
		other := rapid.StringOf(rapid.SampledFrom([]rune(`ab*?\[{é.`))).Draw(t, "other")
		q := policy.Quote(name)
		if !policy.Match(q, name) || name != other && policy.Match(q, other) {
			t.Fatalf("%q quotes %q; matches %q: %v", q, name, other, policy.Match(q, other))
		}
		if literal, ok := policy.Literal(q); !ok || literal != name {
			t.Fatalf("Literal(%q) is %q", q, literal)
		}
		if err := policy.CheckPattern(q); err != nil && name != "" {
			t.Fatal(err)
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "aXXbYc")
	f.Add(`\*é?*`, "*é€")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got := policy.Match(pattern, name)
		if policy.CheckPattern(pattern) != nil || strings.ToValidUTF8(name, "") != name {
			return
		}
		var re strings.Builder
		re.WriteString(`(?s)\A`)
		escaped := false
		for _, r := range pattern {
			switch {
			case !escaped && r == '\\':
				escaped = true
				continue
			case !escaped && r == '*':
				re.WriteString(".*")
			case !escaped && r == '?':
				re.WriteString(".")
			default:
				re.WriteString(regexp.QuoteMeta(string(r)))
			}
			escaped = false
		}
		re.WriteString(`\z`)
		if want := regexp.MustCompile(re.String()).MatchString(name); got != want {
			t.Fatalf("Match(%q, %q) is %v", pattern, name, got)
		}
	})
}

func TestRules(t *testing.T) {
	p := compile(t, policy.Config{
		Rules: []policy.Rule{
			{Name: "except", Action: policy.Allow, Servers: []string{"tracker"}, Tools: []string{"delete_draft"}},
			{Name: "no deleting", Action: policy.Deny, Tools: []string{"delete_*", "*_delete"}},
			{Action: policy.Ask, Servers: []string{"mail"}, Destructive: yes, OpenWorld: yes},
			{Name: "readers", Action: policy.Allow, Servers: []string{"mail"}, ReadOnly: yes},
			{Name: "closed", Action: policy.Allow, Servers: []string{"mail"}, OpenWorld: no},
			{Name: "tame", Action: policy.Ask, Servers: []string{"mail"}, Destructive: no},
			{Name: "secrets", Action: policy.Deny, Resources: []string{"secret://*"}},
			{Name: "all of vault", Action: policy.Deny, Servers: []string{"vault"}},
			{Name: "alice", Action: policy.Allow, Servers: []string{"admin"}, Principals: []string{"alice", "team-*"}},
			{Name: "session", Action: policy.Ask, Servers: []string{"admin"}, Sessions: []string{"s-?"}},
			{Name: "both", Action: policy.Deny, Servers: []string{"files"}, Tools: []string{"rm"}, Resources: []string{"*"}},
		},
		Servers: map[string]policy.Action{"admin": policy.Deny},
		Default: policy.Ask,
	})
	for _, tt := range []struct {
		q      policy.Request
		action policy.Action
		rule   string
		reason string
	}{
		{policy.Request{Server: "tracker", Tool: "delete_draft"}, policy.Allow, "except", "tool delete_draft on server tracker"},
		{policy.Request{Server: "tracker", Tool: "delete_issue"}, policy.Deny, "no deleting", "denies tool delete_* or *_delete"},
		{policy.Request{Server: "other", Tool: "delete_draft"}, policy.Deny, "no deleting", ""},
		{policy.Request{Server: "Tracker", Tool: "delete_draft"}, policy.Deny, "no deleting", ""},
		{policy.Request{Server: "tracker", Tool: "Delete_issue"}, policy.Ask, "", "no rule matches, and the default is ask"},
		// Absent hints: destructive, open world, not read-only.
		{policy.Request{Server: "mail", Tool: "send"}, policy.Ask, "rule 3", "wants a person to be asked about what is destructive and open-world on server mail"},
		{policy.Request{Server: "mail", Tool: "send", Annotations: policy.Annotations{ReadOnly: yes}}, policy.Allow, "readers", ""},
		// Read-only beats a destructive hint.
		{policy.Request{Server: "mail", Tool: "send", Annotations: policy.Annotations{ReadOnly: yes, Destructive: yes}}, policy.Allow, "readers", ""},
		{policy.Request{Server: "mail", Tool: "send", Annotations: policy.Annotations{OpenWorld: no}}, policy.Allow, "closed", "allows what is not open-world on server mail"},
		{policy.Request{Server: "mail", Tool: "send", Annotations: policy.Annotations{Destructive: no}}, policy.Ask, "tame", ""},
		{policy.Request{Server: "any", Resource: "secret://x"}, policy.Deny, "secrets", "denies resource secret://*"},
		{policy.Request{Server: "any", Resource: "delete_x"}, policy.Ask, "", ""},
		{policy.Request{Server: "any", Tool: "secret://x"}, policy.Ask, "", ""},
		{policy.Request{Server: "vault", Tool: "x"}, policy.Deny, "all of vault", "denies everything on server vault"},
		{policy.Request{Server: "vault", Resource: "x"}, policy.Deny, "all of vault", ""},
		{policy.Request{Server: "vault"}, policy.Deny, "all of vault", ""},
		{policy.Request{Server: "mail", Resource: "x"}, policy.Allow, "readers", ""}, // to read is read-only
		{policy.Request{Server: "any"}, policy.Ask, "", ""},
		{policy.Request{Server: "admin", Tool: "x", Principal: "alice"}, policy.Allow, "alice", ""},
		{policy.Request{Server: "admin", Tool: "x", Principal: "team-b"}, policy.Allow, "alice", ""},
		{policy.Request{Server: "admin", Tool: "x", Principal: "malice"}, policy.Deny, "", "the default of the server admin is deny"},
		{policy.Request{Server: "admin", Tool: "x"}, policy.Deny, "", ""},
		{policy.Request{Server: "admin", Tool: "x", Session: "s-1"}, policy.Ask, "session", "in session s-?"},
		{policy.Request{Server: "files", Tool: "rm"}, policy.Deny, "both", ""},
		{policy.Request{Server: "files", Tool: "ls"}, policy.Ask, "", ""},
		{policy.Request{Server: "files", Resource: "file://x"}, policy.Deny, "both", ""},
		{policy.Request{Server: "files"}, policy.Deny, "both", ""},
	} {
		d := p.Decide(tt.q)
		if d.Action != tt.action || d.Rule != tt.rule || !strings.Contains(d.Reason, tt.reason) || (d.Index < 0) != (d.Rule == "") {
			t.Errorf("%+v\ngives %+v\nwant  %s by %q: %q", tt.q, d, tt.action, tt.rule, tt.reason)
		}
	}
	if d := compile(t, policy.Config{}).Decide(policy.Request{Server: "s", Tool: "t"}); d.Action != policy.Allow {
		t.Errorf("the zero Config says %+v", d)
	}
}

func TestConfigIsCopied(t *testing.T) {
	tools, readOnly := []string{"a"}, true
	p := compile(t, policy.Config{Rules: []policy.Rule{{Action: policy.Deny, Tools: tools, ReadOnly: &readOnly}}})
	tools[0], readOnly = "b", false
	if d := p.Decide(policy.Request{Tool: "a", Annotations: policy.Annotations{ReadOnly: yes}}); d.Action != policy.Deny {
		t.Errorf("%+v", d)
	}
}

func TestConfigErrors(t *testing.T) {
	for field, cfg := range map[string]policy.Config{
		"Rules[1].Action":       {Rules: []policy.Rule{{Action: policy.Ask}, {}}},
		"Rules[0].Tools[1]":     {Rules: []policy.Rule{{Action: policy.Ask, Tools: []string{"a", "[b]"}}}},
		"Rules[0].Servers[0]":   {Rules: []policy.Rule{{Action: policy.Ask, Servers: []string{""}}}},
		"Rules[0].Resources[0]": {Rules: []policy.Rule{{Action: policy.Ask, Resources: []string{`\`}}}},
		"Rules[0].Sessions[0]":  {Rules: []policy.Rule{{Action: policy.Ask, Sessions: []string{""}}}},
		"Rules[0].Principals":   {Rules: []policy.Rule{{Action: policy.Ask, Principals: []string{""}}}},
		"Default":               {Default: "maybe"},
		`Servers["s"]`:          {Servers: map[string]policy.Action{"s": ""}},
		"Scope":                 {Scope: "world"},
		"Groups[0].Name":        {Groups: []policy.Group{{}}},
		"Groups[1].Name":        {Groups: []policy.Group{{Name: "g"}, {Name: "g"}}},
		"Groups[1].Servers[0]":  {Groups: []policy.Group{{Name: "g", Servers: []string{"s"}}, {Name: "h", Servers: []string{"s"}}}},
	} {
		_, err := policy.New(cfg)
		if e, ok := errors.AsType[*policy.ConfigError](err); !ok || !strings.HasPrefix(e.Field, field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestFirstMatchWins holds Decide against what it is said to be.
func TestFirstMatchWins(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "ab", "A"})
	pattern := rapid.SampledFrom([]string{"a", "b", "*b", "a*", "?"})
	action := rapid.SampledFrom([]policy.Action{policy.Allow, policy.Ask, policy.Deny})
	hint := rapid.SampledFrom([]*bool{nil, yes, no})
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.Custom(func(t *rapid.T) policy.Rule {
			return policy.Rule{
				Action: action.Draw(t, "action"), Servers: rapid.SliceOfN(pattern, 0, 2).Draw(t, "servers"), Tools: rapid.SliceOfN(pattern, 0, 2).Draw(t, "tools"),
				ReadOnly: hint.Draw(t, "read-only"), Destructive: hint.Draw(t, "destructive"), Principals: rapid.SliceOfN(pattern, 0, 1).Draw(t, "principals"),
			}
		})
		rules := rapid.SliceOfN(rule, 0, 5).Draw(t, "rules")
		p, err := policy.New(policy.Config{Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		q := policy.Request{Server: name.Draw(t, "server"), Tool: name.Draw(t, "tool"), Principal: name.Draw(t, "principal"),
			Annotations: policy.Annotations{ReadOnly: hint.Draw(t, "ro"), Destructive: hint.Draw(t, "d")}}
		got := p.Decide(q)
		for i, r := range rules {
			alone, err := policy.New(policy.Config{Rules: []policy.Rule{r}})
			if err != nil {
				t.Fatal(err)
			}
			if alone.Decide(q).Index == 0 {
				if got.Index != i || got.Action != r.Action {
					t.Fatalf("rule %d matches first, and %+v decided", i, got)
				}
				return
			}
		}
		if got.Index != -1 || got.Action != policy.Allow {
			t.Fatalf("no rule matches, and %+v decided", got)
		}
	})
}

func TestDecideAllocatesNothing(t *testing.T) {
	p, q := tenRules(t)
	if n := testing.AllocsPerRun(100, func() { p.Decide(q) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func tenRules(t testing.TB) (*policy.Policy, policy.Request) {
	var rules []policy.Rule
	for i := range 10 {
		rules = append(rules, policy.Rule{Action: policy.Deny, Servers: []string{fmt.Sprint("server", i)}, Tools: []string{"delete_*", "*_delete"}, ReadOnly: no})
	}
	return compile(t, policy.Config{Rules: rules}), policy.Request{Server: "server9", Tool: "a_tool_with_a_name", Principal: "alice"}
}

func BenchmarkDecide(b *testing.B) {
	p, q := tenRules(b)
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(q)
	}
}

func TestGroups(t *testing.T) {
	p := compile(t, policy.Config{Groups: []policy.Group{
		{Name: "hr", Servers: []string{"people", "pay"}, Strict: true},
		{Name: "crm", Servers: []string{"sales"}, Strict: true},
		{Name: "web", Servers: []string{"search", "mail"}},
	}})
	all := []string{"people", "pay", "sales", "search", "mail", "other"}
	for _, tt := range []struct {
		name     string
		receive  []string
		take     []string
		labels   []string
		may      []string
		mayNotBy string
	}{
		{"nothing", nil, nil, nil, all, ""},
		{"open data", []string{"search", "other"}, nil, nil, all, ""},
		{"strict data", []string{"people"}, nil, []string{"hr"}, []string{"people", "pay"}, "group hr"},
		{"from the stash", nil, []string{"hr"}, []string{"hr"}, []string{"people", "pay"}, "group hr"},
		{"of two", []string{"people"}, []string{"crm"}, []string{"crm", "hr"}, nil, "crm and of hr"},
		// A group that is not there any more has no servers.
		{"of a group of before", nil, []string{"gone"}, []string{"gone"}, nil, "group gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var session policy.Session
			f := p.Begin(&session)
			for _, s := range tt.receive {
				f.Receive(s)
			}
			if got := f.Take(tt.take); !slices.Equal(got, tt.labels) || !slices.Equal(f.Labels(), got) || !slices.Equal(session.Labels(), got) {
				t.Errorf("labels are %q, of the session %q, want %q", got, session.Labels(), tt.labels)
			}
			for _, s := range all {
				d := f.Send(s)
				if may := slices.Contains(tt.may, s); (d.Action == policy.Allow) != may {
					t.Errorf("sending to %s: %+v", s, d)
				} else if !may && (!strings.Contains(d.Reason, tt.mayNotBy) || !strings.Contains(d.Reason, s)) {
					t.Errorf("%q does not say %q", d.Reason, tt.mayNotBy)
				}
			}
			// The next execution.
			if got := p.Begin(&session).Labels(); len(got) != 0 {
				t.Errorf("the next one begins with %q", got)
			}
		})
	}
	if g := p.StrictGroup("pay"); g != "hr" {
		t.Error(g)
	}
	if g := p.StrictGroup("mail"); g != "" {
		t.Error(g)
	}
}

func TestFlowConcurrency(t *testing.T) {
	p := compile(t, policy.Config{Scope: policy.ScopeSession, Groups: []policy.Group{{Name: "g", Servers: []string{"a"}, Strict: true}, {Name: "h", Servers: []string{"b"}, Strict: true}}})
	var session policy.Session
	var wg sync.WaitGroup
	for range 4 {
		f := p.Begin(&session)
		for _, s := range []string{"a", "b", "c"} {
			wg.Go(func() {
				f.Receive(s)
				if l := p.StrictGroup(s); l != "" && !slices.Contains(session.Labels(), l) {
					t.Errorf("the session does not have %s", l)
				}
				f.Send(s)
				f.Take([]string{"x"})
			})
		}
	}
	wg.Wait()
	if got := session.Labels(); !slices.Equal(got, []string{"g", "h", "x"}) {
		t.Errorf("labels are %q", got)
	}
}

func TestSessionScope(t *testing.T) {
	p := compile(t, policy.Config{Scope: policy.ScopeSession, Groups: []policy.Group{{Name: "hr", Servers: []string{"people"}, Strict: true}}})
	var session, other policy.Session
	before := p.Begin(&session)
	p.Begin(&session).Receive("people")
	if d := p.Begin(&session).Send("mail"); d.Action != policy.Deny {
		t.Errorf("the next execution: %+v", d)
	}
	if d := before.Send("mail"); d.Action != policy.Allow {
		t.Errorf("one that began before: %+v", d)
	}
	for _, s := range []*policy.Session{&other, nil} {
		if d := p.Begin(s).Send("mail"); d.Action != policy.Allow {
			t.Errorf("another session: %+v", d)
		}
	}
}
