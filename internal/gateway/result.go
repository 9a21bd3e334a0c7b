package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// outcome is the structured content of an execution.
type outcome struct {
	Value     json.RawMessage `json:"value,omitempty"`
	Truncated *truncated      `json:"truncated,omitempty"`
	Error     *failed         `json:"error,omitempty"`
	Logs      []logged        `json:"logs,omitempty"`
	Calls     []called        `json:"calls,omitempty"`
	Usage     usage           `json:"usage"`
	Warnings  []string        `json:"warnings,omitempty"`
	Session   string          `json:"session,omitempty"` // the name that was given
}

// truncated stands in place of a value that is too large for a model.
type truncated struct {
	Bytes int    `json:"bytes"`
	Shown int    `json:"shown"`
	Stash string `json:"stash,omitempty"` // the key under which all of it is
}

type failed struct {
	*autoclave.Error
	RetryAfter int64 `json:"retry_after_ms,omitempty"`
}

type logged struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

type called struct {
	Kind   string         `json:"kind,omitempty"`
	Server string         `json:"server,omitempty"`
	Tool   string         `json:"tool,omitempty"`
	OK     bool           `json:"ok"`
	Code   autoclave.Code `json:"code,omitempty"`
	Millis float64        `json:"ms"`
}

type usage struct {
	Run      int64 `json:"run_ms"`
	CPU      int64 `json:"cpu_ms"`
	HeapPeak int64 `json:"heap_bytes"`
	Calls    int   `json:"calls"`
}

// What a model is shown at most of the rest.
const (
	maxConsole = 8 << 10 // bytes of console output
	maxMessage = 4 << 10 // bytes of one message
	maxCalls   = 100     // calls in the structured content
	maxListed  = 20      // calls in the text of a failure
)

// failure is the answer where no program ran.
func failure(e *autoclave.Error) *mcp.CallToolResult {
	return render(&autoclave.Result{Error: e}, rendering{})
}

// result is the answer for a run that has ended.
func (r *run) result() *mcp.CallToolResult {
	return render(r.res, rendering{warnings: r.warnings, maxText: r.g.cfg.MaxText, keep: r.keep, session: r.name})
}

// keptFor is how long a value that was cut stays in the stash, and kept how
// many of them.
const (
	keptFor      = 15 * time.Minute
	kept         = 4
	keptByChance = 8 // where there is no session
)

// keep puts a value that the model does not see whole into the session's
// stash, so that another program can look at the rest, and returns the key. It
// is empty where the stash has no room for it.
func (r *run) keep(value json.RawMessage) string {
	r.s.mu.Lock()
	r.s.kept++
	n := (r.s.kept-1)%kept + 1
	r.s.mu.Unlock()
	if r.s.ss.ID() == "" {
		// Nobody counts for a principal. By chance, so that values that are
		// cut at about the same time seldom replace each other.
		n = rand.IntN(keptByChance) + 1
	}
	key := fmt.Sprintf("result:%d", n)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Second)
	defer cancel()
	if err := r.host.stash.StashPut(ctx, key, value, keptFor.Seconds()); err != nil {
		return ""
	}
	return key
}

// rendering is what a result is written with.
type rendering struct {
	warnings []string // ours, before the program's
	maxText  int
	keep     func(json.RawMessage) string // nil: nothing is kept
	session  string                       // the name that was given
}

// render writes what came of a program: the value, or what a model needs to
// mend the program at once; then what it emitted; then its console.
func render(res *autoclave.Result, with rendering) *mcp.CallToolResult {
	blocks, left := emitted(res.Emits, with.maxText)
	out := outcome{
		Session: with.session,
		Logs:    shownLogs(res.Logs), Calls: shownCalls(res.Calls),
		Usage: usage{res.Usage.Run.Milliseconds(), res.Usage.CPU.Milliseconds(), res.Usage.HeapPeak, res.Usage.Calls},
	}
	for _, w := range append(append(with.warnings, res.Warnings...), left...) {
		out.Warnings = append(out.Warnings, clip(w, maxMessage))
	}
	var text string
	if res.Error != nil {
		e := *res.Error
		e.Message, e.Suggestion = clip(e.Message, maxMessage), clip(e.Suggestion, maxMessage)
		e.Frame, e.Stack = clip(e.Frame, maxMessage), clip(e.Stack, maxMessage)
		out.Error = &failed{Error: &e, RetryAfter: e.RetryAfter.Milliseconds()}
		text = describe(&e, res.Calls)
	} else {
		text, out.Truncated = show(res.Value, with.maxText, with.keep)
		if out.Truncated == nil {
			out.Value = res.Value
		}
	}
	result := &mcp.CallToolResult{
		Content: append([]mcp.Content{&mcp.TextContent{Text: text}}, blocks...),
		IsError: res.Error != nil,
	}
	if notes := describeNotes(&out); notes != "" {
		result.Content = append(result.Content, &mcp.TextContent{Text: notes})
	}
	structured, err := json.Marshal(out)
	if err != nil {
		// The value is valid JSON, or the runtime would have refused it.
		return failure(autoclave.Errorf(autoclave.Internal, "marshalling the result: %w", err))
	}
	result.StructuredContent = json.RawMessage(structured)
	return result
}

// show returns the text of a value: a string as it is, all else as JSON.
func show(value json.RawMessage, maxText int, keep func(json.RawMessage) string) (string, *truncated) {
	var text string
	if value = bytes.TrimSpace(value); len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	if len(text) <= maxText {
		return text, nil
	}
	shown := strings.TrimSuffix(clip(text, maxText), "…")
	cut := &truncated{Bytes: len(text), Shown: len(shown)}
	note := fmt.Sprintf("\n[cut: the value has %s, the first %s are shown. Return less: select fields, filter, slice, count.",
		humanize.IBytes(uint64(cut.Bytes)), humanize.IBytes(uint64(cut.Shown)))
	if keep != nil {
		if cut.Stash = keep(value); cut.Stash != "" {
			note += fmt.Sprintf(" All of it is kept for %d minutes: const all = await stash.get(%q)", int(keptFor.Minutes()), cut.Stash)
		}
	}
	return shown + note + "]", cut
}

// describe is a failure for a model: the code, the message, the place in its
// source, what would be right, and what has been done already.
func describe(e *autoclave.Error, calls []autoclave.CallRecord) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.Code, e.Message)
	if e.Cause != "" {
		fmt.Fprintf(&b, "cause: %s\n", e.Cause)
	}
	switch {
	case e.Frame != "":
		fmt.Fprintf(&b, "\n%s\n\n", strings.Trim(e.Frame, "\n"))
	case e.Line > 0:
		fmt.Fprintf(&b, "at line %d, column %d\n", e.Line, e.Column)
	}
	if e.Suggestion != "" {
		b.WriteString(e.Suggestion + "\n")
	}
	switch {
	case e.RetryAfter > 0:
		fmt.Fprintf(&b, "Try again in %v.\n", e.RetryAfter.Round(10*time.Millisecond))
	case e.Retryable:
		b.WriteString("Trying again can help.\n")
	}
	if done := describeCalls(calls); done != "" {
		b.WriteString("Calls that were made before it failed, whose effects stay: " + done + "\n")
	}
	return b.String()
}

// describeCalls lists the tool calls of a program that failed, so that the next
// one does not do a thing twice.
func describeCalls(calls []autoclave.CallRecord) string {
	var list []string
	left := 0
	for _, c := range calls {
		if c.Kind != "" {
			continue
		}
		if len(list) == maxListed {
			left++
			continue
		}
		what := clip(c.Server, 100) + "." + clip(c.Tool, 100)
		if c.OK {
			what += " ok"
		} else {
			what += " " + string(c.Code)
		}
		list = append(list, what)
	}
	if left > 0 {
		list = append(list, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(list, ", ")
}

// describeNotes is what a model should see beside the value: clients show it
// the text, and not all of them the rest.
func describeNotes(out *outcome) string {
	var b strings.Builder
	for _, w := range out.Warnings {
		b.WriteString("warning: " + w + "\n")
	}
	if len(out.Logs) > 0 {
		b.WriteString("console:\n")
	}
	for _, l := range out.Logs {
		if l.Level != "log" && l.Level != "info" {
			b.WriteString(l.Level + ": ")
		}
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

func shownLogs(entries []autoclave.LogEntry) []logged {
	var logs []logged
	left := maxConsole
	for i, e := range entries {
		if left <= 0 {
			return append(logs, logged{"warn", fmt.Sprintf("%d more lines of console output are not shown", len(entries)-i)})
		}
		text := clip(e.Text, left)
		left -= len(text) + 8
		if e.Truncated {
			text += " [cut at the limit of console output]"
		}
		logs = append(logs, logged{e.Level, text})
	}
	return logs
}

func shownCalls(records []autoclave.CallRecord) []called {
	var calls []called
	for _, c := range records[:min(len(records), maxCalls)] {
		calls = append(calls, called{c.Kind, clip(c.Server, 100), clip(c.Tool, 200), c.OK, c.Code, c.Millis})
	}
	return calls
}
