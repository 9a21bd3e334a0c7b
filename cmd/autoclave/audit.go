package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/catalog"
)

type auditFlags struct {
	filter       audit.Filter
	since, until string
	text, utc    bool
	json         bool
	last         int
}

func newAudit(*global) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit FILE",
		Short: "Show the record of what programs did",
		Long: `Show the record of what programs did, as serve writes it where the configuration
has [audit]. FILE is - for standard input. The options choose records; all that
are given must hold.

Exit status: 0, also where nothing is chosen; 1 some lines are no records; 2 it
could not be read.`,
		Example: `  autoclave audit audit.jsonl
  autoclave audit audit.jsonl --failed --since 1h
  autoclave audit audit.jsonl --decision deny --server github
  zcat audit.jsonl.1.gz | autoclave audit - --program 93e7fe1d --text`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("audit takes one FILE, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.since, "since", "", "only from this time on: 2006-01-02, 2006-01-02T15:04:05Z, or how long ago, as 90m")
	fs.StringVar(&f.until, "until", "", "only before this time")
	fs.StringVar(&f.filter.Tenant, "principal", "", "only programs of this principal")
	fs.StringVar(&f.filter.Session, "session", "", "only this session, by its name or its hash")
	fs.StringVar(&f.filter.Program, "program", "", "only this program, by its hash or the beginning of it")
	fs.BoolVar(&f.filter.Failed, "failed", false, "only what failed, or had a call that did")
	fs.StringVar(&f.filter.Code, "code", "", "only with this error code")
	fs.StringVar(&f.filter.Server, "server", "", "only with a call of this server")
	fs.StringVar(&f.filter.Tool, "tool", "", "only with a call of this tool")
	fs.StringVar(&f.filter.Decision, "decision", "", "only with a call that was decided so: allow, ask, deny")
	fs.BoolVar(&f.text, "text", false, "print the programs, where the record has them")
	fs.BoolVar(&f.utc, "utc", false, "print times in UTC")
	fs.BoolVar(&f.json, "json", false, "print the records as they are")
	fs.IntVar(&f.last, "last", 0, "only the last so many of what is chosen")
	return cmd
}

func (f *auditFlags) run(cmd *cobra.Command, path string) error {
	var err error
	now := time.Now()
	if f.filter.Since, err = parseTime("--since", f.since, now); err != nil {
		return err
	}
	if f.filter.Until, err = parseTime("--until", f.until, now); err != nil {
		return err
	}
	if d := f.filter.Decision; d != "" && d != "allow" && d != "ask" && d != "deny" {
		return fmt.Errorf("--decision is %q: it can be allow, ask or deny", d)
	}
	if f.last < 1 && cmd.Flags().Changed("last") {
		return fmt.Errorf("--last is %d: it must be at least 1", f.last)
	}
	f.filter.Code = strings.ToUpper(f.filter.Code)
	if err := checkCode(f.filter.Code); err != nil {
		return err
	}
	in := io.NopCloser(cmd.InOrStdin())
	if path != "-" {
		if in, err = os.Open(path); err != nil {
			return fmt.Errorf("opening the audit: %w", err)
		}
	}
	defer in.Close()
	printer := audit.Printer{Text: f.text, Location: time.Local}
	if f.utc {
		printer.Location = time.UTC
	}
	show := func(r *audit.Record) error {
		if f.json {
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetEscapeHTML(false)
			return out.Encode(r)
		}
		return printer.Print(cmd.OutOrStdout(), r)
	}
	var kept []*audit.Record
	bad := 0
	for r, err := range audit.Read(in) {
		var line *audit.LineError
		switch {
		case errors.As(err, &line):
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", path, err)
			bad++
			continue
		case err != nil:
			return err
		case !f.filter.Match(r):
			continue
		case f.last == 0:
			if err := show(r); err != nil {
				return fmt.Errorf("printing a record: %w", err)
			}
			continue
		}
		if kept = append(kept, r); len(kept) > f.last {
			kept[0] = nil
			kept = kept[1:]
		}
	}
	for _, r := range kept {
		if err := show(r); err != nil {
			return fmt.Errorf("printing a record: %w", err)
		}
	}
	if bad > 0 {
		return statusError(exitProgram)
	}
	return nil
}

// knownCodes are all that a record can have, as errors.go has them.
var knownCodes = []autoclave.Code{
	autoclave.SyntaxError, autoclave.ScriptError, autoclave.InvalidResult, autoclave.NeverSettles,
	autoclave.CPULimit, autoclave.Timeout, autoclave.HeapLimit, autoclave.OutputLimit, autoclave.CodeLimit, autoclave.CallLimit,
	autoclave.ArgumentLimit, autoclave.CallResultLimit, autoclave.EmitLimit,
	autoclave.Cancelled, autoclave.Overloaded, autoclave.ShuttingDown,
	autoclave.ServerNotFound, autoclave.ToolNotFound, autoclave.ResourceNotFound, autoclave.InvalidArguments, autoclave.ToolError,
	autoclave.UpstreamError, autoclave.UpstreamTimeout, autoclave.CircuitOpen, autoclave.PolicyDenied, autoclave.ApprovalDenied,
	autoclave.RateLimited, autoclave.StashError,
	autoclave.WorkerCrashed, autoclave.ProtocolError, autoclave.Internal,
}

// checkCode refuses a code that no record can have: that nothing is found must
// not come of a letter.
func checkCode(code string) error {
	if code == "" {
		return nil
	}
	names := make([]string, len(knownCodes))
	for i, c := range knownCodes {
		names[i] = string(c)
	}
	if slices.Contains(names, code) {
		return nil
	}
	if near := catalog.Nearest(code, names); len(near) > 0 {
		return fmt.Errorf("--code is %q, and there is no such code: did you mean %s?", code, strings.Join(near, " or "))
	}
	return fmt.Errorf("--code is %q, and there is no such code: there are %s", code, strings.Join(names, ", "))
}

// parseTime reads a date, a time, or how long ago.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is %q: it must be a date such as 2006-01-02, a time such as 2006-01-02T15:04:05Z, or how long ago, such as 90m", flag, s)
}
