package dispatch

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
)

// maxRecorded bounds the calls of one record. Limits.Calls does, as a rule.
const maxRecorded = 10_000

// entry is a call in the record: from its beginning, because a program may end
// before its calls do, and what has been sent must be on record all the same.
type entry struct {
	audit.Call
	start time.Time
	open  bool
}

// enter notes a call that begins, and returns its place for record; -1 where
// nothing is noted.
func (h *Host) enter(c audit.Call, start time.Time) int {
	if h.rules.Audit == nil {
		return -1
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.calls) == maxRecorded {
		h.unrecorded++
		return -1
	}
	c.Start = millis(start.Sub(h.begin))
	h.calls = append(h.calls, entry{c, start, true})
	return len(h.calls) - 1
}

// leaves notes what has been decided of a call that is about to leave.
func (h *Host) leaves(at int, c *audit.Call) {
	if at < 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e := &h.calls[at].Call
	e.Decision, e.Rule, e.Approval = c.Decision, c.Rule, c.Approval
}

// record notes how a call ended that began at start.
func (h *Host) record(at int, c audit.Call, start time.Time, err error) {
	took := time.Since(start)
	if d := h.d; d.log.Enabled(context.Background(), slog.LevelDebug) {
		attrs := []slog.Attr{
			slog.String("kind", c.Kind), slog.String("server", c.Server), slog.String("name", c.Tool),
			slog.Duration("took", took), slog.Int("bytes_out", c.BytesOut), slog.Int("bytes_in", c.BytesIn),
		}
		if c.Decision != "" {
			attrs = append(attrs, slog.String("decision", c.Decision), slog.String("rule", c.Rule))
		}
		if err != nil {
			attrs = append(attrs, slog.Any("err", err))
		}
		d.log.LogAttrs(context.Background(), slog.LevelDebug, "host call", attrs...)
	}
	if at < 0 {
		return
	}
	c.Start, c.Millis = millis(start.Sub(h.begin)), millis(took)
	if c.OK = err == nil; err != nil {
		c.Code, c.Error = autoclave.UpstreamError, err.Error()
		if own, ok := err.(*autoclave.Error); ok {
			c.Code, c.Error = own.Code, own.Message
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[at] = entry{Call: c}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Finish has the last word on an execution: it redacts its result and writes
// the record. It must be called once, when the execution has ended and before
// anybody gets to know how. What it returns is the result to be handed on: where
// the record cannot be written and the configuration demands it, one that has
// nothing but an error.
func (h *Host) Finish(ctx context.Context, p autoclave.Program, res *autoclave.Result) *autoclave.Result {
	h.session.leave()
	h.view.Release()
	sink := h.rules.Audit
	if sink != nil {
		if err := write(ctx, sink, h.recordOf(p, res)); err != nil {
			h.d.log.Error("an execution could not be recorded: its result is withheld", "err", err)
			e := autoclave.Errorf(autoclave.Internal, "the program has run, but that could not be recorded, so its result is withheld")
			e.Suggestion = "Do not run it again before somebody has looked: its calls have been made."
			return &autoclave.Result{Error: e, Usage: res.Usage}
		}
	}
	return h.redacted(res)
}

// recordGrace is how long a record may take once nobody waits for its
// execution any more: whoever closes everything must come to an end.
const recordGrace = 2 * time.Second

func write(ctx context.Context, sink *audit.Sink, r *audit.Record) error {
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		patience := time.NewTimer(recordGrace)
		defer patience.Stop()
		select {
		case <-patience.C:
			cancel()
		case <-writing.Done():
		}
	})()
	return sink.Write(writing, r)
}

func (h *Host) recordOf(p autoclave.Program, res *autoclave.Result) *audit.Record {
	r := &audit.Record{
		ID: audit.NewID(), Time: h.begin, Tenant: p.Tenant, Name: h.caller.Name, OK: res.Error == nil, Usage: res.Usage, Worker: res.Worker,
		Program: audit.Program{Hash: audit.Hash(p.Source), Bytes: len(p.Source)},
		Labels:  h.labels(),
	}
	if h.caller.Session != "" {
		// Whoever has the name of a session may be able to join it.
		r.Session = audit.Hash(h.caller.Session)[:len("sha256:")+16]
	}
	if h.rules.ProgramText {
		r.Program.Text = p.Source
	}
	h.mu.Lock()
	for _, e := range h.calls {
		if e.open {
			e.Code, e.Millis = autoclave.Cancelled, millis(time.Since(e.start))
			e.Error = "the program ended before the call did: whether it was carried out is not known"
		}
		r.Calls = append(r.Calls, e.Call)
	}
	if r.CallsOmitted = int(h.unrecorded); h.unrecorded > 0 {
		h.d.log.Warn("a record has not all calls", "calls", len(h.calls), "left_out", h.unrecorded)
	}
	h.mu.Unlock()
	met := func(c autoclave.Code) {
		if (c.Blame() == autoclave.BlameLimit || c == autoclave.RateLimited) && !slices.Contains(r.Limits, c) {
			r.Limits = append(r.Limits, c)
		}
	}
	if res.Error != nil {
		r.Code, r.Error = res.Error.Code, res.Error.Message
		met(r.Code)
	}
	for _, c := range res.Calls {
		met(c.Code)
	}
	for _, c := range r.Calls {
		met(c.Code)
	}
	return r
}

// redacted is a result without the secrets that a program may have put
// together, from halves that were none.
func (h *Host) redacted(res *autoclave.Result) *autoclave.Result {
	r := h.rules.Redact
	if r == nil {
		return res
	}
	out := *res
	if out.Value != nil {
		out.Value = r.JSON(out.Value)
	}
	if out.Error != nil {
		e := *out.Error
		e.Message, e.Suggestion = r.DataText(e.Message), r.DataText(e.Suggestion)
		e.Server, e.Tool = r.DataText(e.Server), r.DataText(e.Tool)
		if e.Result != nil {
			e.Result = r.JSON(json.RawMessage(e.Result))
		}
		e.Frame, e.Stack, e.Cause = r.DataText(e.Frame), r.DataText(e.Stack), r.Text(e.Cause)
		out.Error = &e
	}
	out.Warnings = slices.Clone(out.Warnings)
	for i, w := range out.Warnings {
		out.Warnings[i] = r.DataText(w)
	}
	out.Logs = slices.Clone(out.Logs)
	for i := range out.Logs {
		out.Logs[i].Text = r.DataText(out.Logs[i].Text)
	}
	out.Emits = slices.Clone(out.Emits)
	for i, block := range out.Emits {
		out.Emits[i] = r.JSON(block)
	}
	out.Calls = slices.Clone(out.Calls)
	for i := range out.Calls {
		c := &out.Calls[i]
		c.Server, c.Tool = r.DataText(c.Server), r.DataText(c.Tool)
		c.Kind = clip(r.DataText(c.Kind)) // a worker that was taken over can say anything
	}
	return &out
}

// Text is a text of the program, a line of its console say, as it may leave.
func (h *Host) Text(s string) string {
	if r := h.rules.Redact; r != nil {
		return r.DataText(s)
	}
	return s
}
