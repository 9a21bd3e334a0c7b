package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

func newPolicy(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Say what the rules make of a call",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyTest(g))
	return cmd
}

// policyTest is what `autoclave policy test` was asked.
type policyTest struct {
	from     configFlags
	caller   dispatch.Caller
	after    []string
	resource bool
	json     bool
}

func newPolicyTest(g *global) *cobra.Command {
	var t policyTest
	cmd := &cobra.Command{
		Use:   "test SERVER TOOL [ARGUMENTS]",
		Short: "Say whether a call would be allowed, and which rule says so",
		Long: `Say whether a call would be allowed, asked about or denied, and which rule says
so. The server is connected, for what the tool says of itself, and nothing is
called. ARGUMENTS is a JSON object, which is held against the tool's schema.

A program that has called a server of a strict group may call no server outside
that group: --after says what the program has called before.

Exit status: 0 it would be allowed, or a person asked; 1 it would be refused; 2 it
could not be said.`,
		Example: `  autoclave policy test github delete_repository
  autoclave policy test github create_issue '{"title":"x"}' --principal alice
  autoclave policy test files --resource file:///etc/passwd
  autoclave policy test web fetch --after payroll --after files`,
		Args: func(_ *cobra.Command, args []string) error {
			switch n := len(args); {
			case n < 2:
				return errors.New("policy test needs a server and a tool: autoclave search lists them")
			case n > 3 || t.resource && n > 2:
				return fmt.Errorf("policy test takes a server, a tool and its arguments as one word: %q is one too many", args[n-1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd, g, args) },
	}
	t.from.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&t.caller.Principal, "principal", "local", "who calls")
	fs.StringVar(&t.caller.Name, "session", "", "the session name that came with the program")
	fs.StringArrayVar(&t.after, "after", nil, "as if the program had called this server before; may be repeated")
	fs.BoolVar(&t.resource, "resource", false, "take TOOL for the URI of a resource that is read")
	fs.BoolVar(&t.json, "json", false, "print JSON")
	return cmd
}

func (t *policyTest) run(cmd *cobra.Command, g *global, args []string) error {
	var arguments json.RawMessage
	if len(args) == 3 {
		arguments = json.RawMessage(args[2])
		if !json.Valid(arguments) {
			return fmt.Errorf("the arguments %q are no JSON: they must be one object, in quotes for the shell", args[2])
		}
	}
	logger := g.logger(cmd.ErrOrStderr())
	cfg, err := t.from.load(logger)
	if err != nil {
		return err
	}
	server, err := oneServer(cfg, args[0])
	if err != nil {
		return err
	}
	for _, name := range t.after {
		if _, err := oneServer(cfg, name); err != nil {
			return fmt.Errorf("--after: %w", err)
		}
	}
	if !g.verbose {
		logger = slog.New(slog.DiscardHandler)
	}
	rules, err := governed(cfg, secretsOf(cfg), nil, logger)
	if err != nil {
		return err
	}
	cfgs := []upstream.Config{server.Config}
	if t.resource {
		cfgs = nil // what there is does not matter
	}
	set, err := upstream.OpenSet(cmd.Context(), cfgs)
	if err != nil {
		return err
	}
	defer closeWithin(set.Close, serversTime)
	d, err := dispatch.New(dispatch.Config{Upstreams: set, Rules: rules, Logger: logger})
	if err != nil {
		return err
	}
	var v dispatch.Verdict
	if t.resource {
		v = d.JudgeResource(t.caller, args[0], args[1], t.after...)
	} else {
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
		defer cancel()
		v, err = d.Judge(ctx, t.caller, args[0], args[1], arguments, t.after...)
		if own, ok := errors.AsType[*autoclave.Error](err); ok {
			return errors.New(strings.TrimSpace(own.Message + ". " + own.Suggestion))
		} else if err != nil {
			return err
		}
	}
	if t.json {
		err = t.printJSON(cmd.OutOrStdout(), v)
	} else {
		err = t.print(cmd.OutOrStdout(), args, v, cfg.Policy.Scope)
	}
	if err == nil && (v.Action == policy.Deny || v.Invalid != nil) {
		return statusError(exitProgram)
	}
	return err
}

func oneServer(cfg *config.Config, name string) (*config.Server, error) {
	var names []string
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		if s.Name == name {
			if s.Disabled {
				return nil, fmt.Errorf("the server %s is not enabled in %s", name, cfg.File)
			}
			return s, nil
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no server %q: %s has no servers", name, cfg.File)
	}
	return nil, fmt.Errorf("there is no server %q in %s: there are %s", name, cfg.File, strings.Join(names, ", "))
}

func (t *policyTest) print(w io.Writer, args []string, v dispatch.Verdict, scope policy.Scope) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s.%s\n", v.Action, args[0], args[1])
	fmt.Fprintf(&b, "  %s.\n", v.Reason)
	if !t.resource {
		fmt.Fprintf(&b, "  The tool says that it is %s.\n", hints(v.Annotations))
	}
	if v.Action == policy.Ask {
		b.WriteString("  Where the client cannot ask a person, it is refused.\n")
	}
	if v.Hidden {
		b.WriteString("  It is in no search result and no types (policy.hide_denied).\n")
	}
	if v.Group != "" {
		fmt.Fprintf(&b, "  The server is in the strict group %s: %s.\n", v.Group, afterwards(v, scope))
	}
	if v.Invalid != nil {
		fmt.Fprintf(&b, "  The arguments would be refused: %s\n", v.Invalid.Message)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// afterwards says what a program may call that has called a server of a strict
// group.
func afterwards(v dispatch.Verdict, scope policy.Scope) string {
	who := "a program that has called it"
	if scope == policy.ScopeSession {
		who = "a session that has called it"
	}
	if len(v.GroupServers) < 2 {
		return who + " may call no other server afterwards"
	}
	return who + " may call the servers of that group alone afterwards: " + strings.Join(v.GroupServers, ", ")
}

// hints says in words what rules take a tool for.
func hints(a policy.Annotations) string {
	say := func(b *bool, dflt bool, yes, no string) string {
		word, silent := yes, ""
		if b == nil {
			b, silent = &dflt, " (by default: it does not say)"
		}
		if !*b {
			word = no
		}
		return word + silent
	}
	all := []string{say(a.ReadOnly, false, "read-only", "not read-only")}
	if a.ReadOnly == nil || !*a.ReadOnly {
		all = append(all, say(a.Destructive, true, "destructive", "not destructive"))
	}
	all = append(all, say(a.OpenWorld, true, "open-world", "not open-world"))
	return strings.Join(all, ", ")
}

func (t *policyTest) printJSON(w io.Writer, v dispatch.Verdict) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	var invalid string
	if v.Invalid != nil {
		invalid = v.Invalid.Message
	}
	return out.Encode(struct {
		Action       policy.Action `json:"action"`
		Rule         string        `json:"rule,omitempty"`
		Reason       string        `json:"reason"`
		Hidden       bool          `json:"hidden,omitempty"`
		Group        string        `json:"group,omitempty"`
		GroupServers []string      `json:"group_servers,omitempty"`
		Invalid      string        `json:"invalid,omitempty"`
	}{v.Action, v.Rule, v.Reason, v.Hidden, v.Group, v.GroupServers, invalid})
}
