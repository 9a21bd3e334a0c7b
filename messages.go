package autoclave

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// bodyLimit is what an honest worker keeps to, message by message.
func (x *execution) bodyLimit(h *wire.Header) int {
	switch h.Type {
	case wire.TypeDone:
		return x.limits.Result
	case wire.TypeCall:
		return x.limits.Arguments + callSlack
	case wire.TypeEmit:
		return x.limits.Emits - x.emitted
	case wire.TypeLog:
		return x.limits.Logs + wire.LogSlack
	}
	if wire.FromWorker(h.Type) || wire.FromHost(h.Type) {
		return 0
	}
	return wire.MaxHeader
}

// callSlack is what a call's body may have beyond the arguments: the envelope
// around a stash value.
const callSlack = 64

func (x *execution) tooLarge(e *wire.TooLargeError) *Error {
	code := ProtocolError
	switch e.Header.Type {
	case wire.TypeDone:
		code = OutputLimit
	case wire.TypeCall:
		code = ArgumentLimit
	case wire.TypeEmit:
		code = EmitLimit
	}
	return x.violate(code, "%s", e.Error())
}

// message handles one message. It reports true when the execution has ended.
func (x *execution) message(h *wire.Header, body []byte) (ended bool, fail *Error) {
	if !wire.FromWorker(h.Type) {
		if wire.FromHost(h.Type) {
			return true, x.violate(ProtocolError, "%s from a worker", h.Type)
		}
		// A newer worker may say more than this host understands.
		if x.unknown++; x.unknown > maxUnknown {
			return true, x.violate(ProtocolError, "more than %d messages of unknown types", maxUnknown)
		}
		return false, nil
	}
	if used, free := x.w.HeaderBytes()-x.headers, x.headerBudget(); used > free {
		return true, x.violate(ProtocolError, "headers of %d bytes, at most %d are allowed by now", used, free)
	}
	if h.ID != x.id {
		return true, x.violate(ProtocolError, "%s for execution %d while %d is under way", h.Type, h.ID, x.id)
	}
	if h.Type == wire.TypeStarted {
		if x.started {
			return true, x.violate(ProtocolError, "started twice")
		}
		x.started, x.alive = true, true
		return false, nil
	}
	if !x.started {
		return true, x.violate(ProtocolError, "%s before started", h.Type)
	}
	if x.ending != nil && h.Type != wire.TypeDone {
		// What a program says that is being ended has no effect any more.
		return false, nil
	}
	switch h.Type {
	case wire.TypeCall:
		fail = x.call(h, body)
	case wire.TypeLog:
		fail = x.logged(h, body)
	case wire.TypeEmit:
		fail = x.emit(body)
	case wire.TypeProgress:
		fail = x.progressed(h)
	case wire.TypeDone:
		return true, x.done(h, body)
	default:
		fail = x.violate(ProtocolError, "%s while a program runs", h.Type)
	}
	return fail != nil, fail
}

const maxUnknown = 1000

// headerBudget is how many bytes of headers the worker may have sent for this
// execution by now: to read them is work.
func (x *execution) headerBudget() int64 {
	x.messages++
	return 1<<20 + 256*x.messages + 20<<10*int64(x.lastCall+1)
}

func (x *execution) logged(h *wire.Header, body []byte) *Error {
	x.logBytes += len(body) + wire.LogOverhead
	if x.logBytes > x.limits.Logs+wire.LogSlack {
		return x.violate(ProtocolError, "console output over the limit of %d bytes", x.limits.Logs)
	}
	switch h.Level {
	case wire.LevelDebug, wire.LevelLog, wire.LevelInfo, wire.LevelWarn, wire.LevelError:
	default:
		return x.violate(ProtocolError, "log level %q", clip(h.Level))
	}
	entry := LogEntry{Level: h.Level, Text: strings.ToValidUTF8(string(body), "\uFFFD"), Truncated: h.Truncated}
	x.res.Logs = append(x.res.Logs, entry)
	if x.events != nil {
		x.streamed = true
		x.events.Log(entry)
	}
	return nil
}

func (x *execution) emit(body []byte) *Error {
	x.emitted += len(body) + wire.EmitOverhead
	if x.emitted > x.limits.Emits+wire.EmitOverhead {
		return x.violate(EmitLimit, "emitted blocks over the limit of %d bytes", x.limits.Emits)
	}
	if err := wire.ValidateJSON(body, wire.MaxDepth); err != nil {
		return x.violate(ProtocolError, "emitted block: %v", err)
	}
	x.res.Emits = append(x.res.Emits, json.RawMessage(body))
	if x.events != nil {
		x.streamed = true
		x.events.Emit(body)
	}
	return nil
}

func (x *execution) progressed(h *wire.Header) *Error {
	if x.progress++; x.progress > wire.MaxProgress {
		return x.violate(ProtocolError, "more than %d progress messages", wire.MaxProgress)
	}
	if len(h.Message) > wire.MaxProgressMessage {
		return x.violate(ProtocolError, "progress message of %d bytes, at most %d are allowed", len(h.Message), wire.MaxProgressMessage)
	}
	if x.events != nil {
		x.streamed = true
		x.events.Progress(Progress{Done: h.Done, Total: h.Total, Message: h.Message})
	}
	return nil
}

// done takes the value, or what the worker says went wrong.
func (x *execution) done(h *wire.Header, body []byte) *Error {
	if h.Usage != nil {
		x.res.Usage.HeapPeak = max(h.Usage.HeapPeak, 0)
	}
	if len(h.Warnings) > wire.MaxWarnings {
		return x.violate(ProtocolError, "%d warnings, at most %d are allowed", len(h.Warnings), wire.MaxWarnings)
	}
	x.res.Warnings = h.Warnings
	if h.Error != nil && x.ending == nil && x.ctx.Err() != nil {
		// The program failed because its calls did, and they did because the
		// context ended: that is what happened.
		x.ending = cancelled(x.ctx)
	}
	if x.ending != nil {
		if !x.endBy.IsZero() {
			x.w.SetSendDeadline(time.Time{})
		}
		return x.ending
	}
	if h.Error != nil {
		return x.failed(h.Error)
	}
	if err := wire.ValidateJSON(body, wire.MaxDepth); err != nil {
		return x.violate(ProtocolError, "value: %v", err)
	}
	x.res.Value = json.RawMessage(body)
	return nil
}

// failed translates the worker's word about a failure. It may blame the
// program, a limit or a host call, not the caller or the host.
func (x *execution) failed(e *wire.Error) *Error {
	code := Code(e.Code)
	switch code.Blame() {
	case BlameProgram, BlameLimit, BlameHostCall:
	default:
		if code != Internal && !x.said(code) {
			return x.violate(ProtocolError, "a worker cannot answer with code %q", clip(e.Code))
		}
	}
	return &Error{
		Code: code, Message: e.Message, Retryable: e.Retryable && code.Blame() == BlameHostCall && x.lastCall <= 1, Suggestion: e.Suggestion,
		Server: e.Server, Tool: e.Tool, Line: e.Line, Column: e.Column, Frame: e.Frame, Stack: e.Stack,
	}
}

// said reports whether the host itself answered a call of this program with the
// code: one that the program does not catch ends it with that.
func (x *execution) said(code Code) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.res.Calls, func(c CallRecord) bool { return c.Code == code })
}

// clip bounds a hostile string in a message.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
