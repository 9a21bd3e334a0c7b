package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// patience is how long a worker may take for anything. It is no measure of
// speed: a worker that is late by this much does not answer at all.
const patience = 2 * time.Minute

// session is a host of one worker, as strict as the protocol allows.
type session struct {
	t          *testing.T
	c          Conn
	id         uint64
	generation uint64
	catalog    string // the body that was sent last, and its version
	version    string
	broken     bool // the worker is of no further use
	mayDie     bool // with the program that runs
}

func begin(t *testing.T, start func(t *testing.T) Conn) *session {
	t.Helper()
	s := &session{t: t, c: start(t), generation: 1}
	if s.c.New {
		s.greet()
	}
	return s
}

// greet reads hello and armed.
func (s *session) greet() {
	s.t.Helper()
	h, body := s.receive()
	if h.Type != wire.TypeHello || len(body) != 0 {
		s.fatalf("the first message is %s with a body of %d bytes, want hello with none", h.Type, len(body))
	}
	if h.Protocol != wire.Version || h.Engine == "" {
		s.fatalf("hello says protocol %d, engine %q", h.Protocol, h.Engine)
	}
	var report struct {
		Level  string            `json:"level"`
		Layers []json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(h.Lockdown, &report); err != nil || report.Level == "" {
		s.fatalf("hello's lockdown report is %s", h.Lockdown)
	}
	s.armed(1)
}

func (s *session) armed(generation uint64) {
	s.t.Helper()
	h, body := s.receive()
	if h.Type != wire.TypeArmed || h.Generation != generation || len(body) != 0 {
		s.fatalf("got %s of generation %d, want armed of %d", h.Type, h.Generation, generation)
	}
	s.generation = generation
}

func (s *session) with(t *testing.T) *session {
	s.t = t
	return s
}

// fatalf ends the test: nobody knows what the worker would say next.
func (s *session) fatalf(format string, args ...any) {
	s.t.Helper()
	s.broken = true
	s.t.Fatalf(format, args...)
}

func (s *session) send(h wire.Header, body string) {
	s.t.Helper()
	if err := s.c.Send(&h, []byte(body)); err != nil {
		s.fatalf("sending %s: %v", h.Type, err)
	}
}

func (s *session) receive() (*wire.Header, []byte) {
	s.t.Helper()
	h, body, err := s.c.Receive(time.Now().Add(patience))
	if err != nil && s.mayDie && !errors.Is(err, os.ErrDeadlineExceeded) {
		panic(died(s.c.Died()))
	}
	if err != nil {
		s.fatalf("waiting for the worker: %v", err)
	}
	return h, body
}

// silent fails the test where the worker says something unasked.
func (s *session) silent(within time.Duration) {
	s.t.Helper()
	h, body, err := s.c.Receive(time.Now().Add(within))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		s.fatalf("the worker said %+v %.100q, %v; want silence", h, body, err)
	}
}

// reset arms the next isolate.
func (s *session) reset() {
	s.t.Helper()
	s.send(wire.Header{Type: wire.TypeReset, Limits: &wire.Limits{Heap: Generous().Heap}}, "")
	s.armed(s.generation + 1)
}

// outcome is all that a worker said of one execution.
type outcome struct {
	value    string
	err      *wire.Error
	usage    wire.Usage
	logs     []string
	warnings []string
	calls    []string
	emits    []string
	progress []string
	order    []string // the types of its messages
	mostOpen int      // calls at once
}

func (o *outcome) String() string {
	if o.err == nil {
		return o.value
	}
	return fmt.Sprintf("%s at %d:%d %q", o.err.Code, o.err.Line, o.err.Column, o.err.Message)
}

// execution is one execution under way.
type execution struct {
	*session
	id      uint64
	limits  wire.Limits
	answer  func(Call) Answer
	out     outcome
	last    uint64
	open    int
	held    []func()
	logged  int64
	emitted int64
	sends   sync.WaitGroup
	// onCall, if set, sees each call before it is answered.
	onCall func(Call)
}

// start sends a program and reads started.
func (s *session) start(c Case) *execution {
	s.t.Helper()
	return s.startWith(c, bytes.Repeat([]byte{byte(s.id)}, 32))
}

func (s *session) startWith(c Case, seed []byte) *execution {
	s.t.Helper()
	s.id++
	x := &execution{session: s, id: s.id, limits: c.limits(), answer: c.Answer}
	if x.answer == nil {
		x.answer = Echo
	}
	version := ""
	if c.Catalog != "" {
		if s.catalog != c.Catalog {
			s.catalog, s.version = c.Catalog, fmt.Sprintf("version-%d", s.id)
			s.send(wire.Header{Type: wire.TypeCatalog, Catalog: s.version}, c.Catalog)
		}
		version = s.version
	}
	s.send(wire.Header{Type: wire.TypeExecute, ID: x.id, Limits: &x.limits, Seed: seed, Catalog: version}, c.Source)
	h, body := s.receive()
	if h.Type != wire.TypeStarted || h.ID != x.id || len(body) != 0 {
		s.fatalf("got %s of execution %d, want started of %d", h.Type, h.ID, x.id)
	}
	return x
}

// run executes a program to its end, without arming the next isolate.
func (s *session) run(c Case) *outcome {
	s.t.Helper()
	return s.start(c).finish()
}

// finish takes all messages up to done.
func (x *execution) finish() *outcome {
	x.t.Helper()
	defer x.sends.Wait()
	for !x.step() {
	}
	return &x.out
}

// step takes one message, and reports whether it was done.
func (x *execution) step() bool {
	x.t.Helper()
	h, body := x.receive()
	if !wire.FromWorker(h.Type) {
		if wire.FromHost(h.Type) {
			x.fatalf("the worker sent %s, which is the host's", h.Type)
		}
		return false
	}
	if h.ID != x.id {
		x.fatalf("%s of execution %d while %d runs", h.Type, h.ID, x.id)
	}
	x.out.order = append(x.out.order, string(h.Type))
	switch h.Type {
	case wire.TypeCall:
		x.call(h, body)
	case wire.TypeLog:
		x.log(h, body)
	case wire.TypeEmit:
		x.json("an emitted block", body)
		x.emitted += int64(len(body)) + wire.EmitOverhead
		if x.emitted > x.limits.Emits {
			x.t.Errorf("%d bytes of emits, the limit is %d", x.emitted, x.limits.Emits)
		}
		x.out.emits = append(x.out.emits, string(body))
	case wire.TypeProgress:
		text := fmt.Sprint(h.Done, "/")
		if h.Total != nil {
			text = fmt.Sprint(h.Done, "/", *h.Total)
		}
		x.out.progress = append(x.out.progress, strings.TrimSpace(text+" "+h.Message))
		if len(h.Message) > wire.MaxProgressMessage || len(x.out.progress) > wire.MaxProgress {
			x.t.Errorf("progress message %d has %d bytes", len(x.out.progress), len(h.Message))
		}
	case wire.TypeDone:
		x.done(h, body)
		return true
	default:
		x.fatalf("%s while a program runs", h.Type)
	}
	return false
}

func (x *execution) call(h *wire.Header, body []byte) {
	x.t.Helper()
	if x.last++; h.Call != x.last {
		x.fatalf("call %d where %d was due", h.Call, x.last)
	}
	if x.limits.Calls > 0 && int64(x.last) > x.limits.Calls {
		x.t.Errorf("call %d, the limit is %d", x.last, x.limits.Calls)
	}
	x.open++
	x.out.mostOpen = max(x.out.mostOpen, x.open)
	if int64(x.open) > x.limits.Concurrency {
		x.t.Errorf("%d calls at once, the limit is %d", x.open, x.limits.Concurrency)
	}
	if len(body) > 0 {
		x.json("a call's body", body)
	}
	if int64(len(body)) > x.limits.Arguments+64 {
		x.t.Errorf("arguments of %d bytes, the limit is %d", len(body), x.limits.Arguments)
	}
	if h.Kind == wire.KindTool && (len(body) == 0 || bytes.TrimSpace(body)[0] != '{') {
		x.t.Errorf("arguments of a tool that are no object: %.100s", body)
	}
	x.out.calls = append(x.out.calls, strings.TrimSpace(fmt.Sprintf("%s %s/%s %s", h.Kind, h.Server, h.Name, body)))
	c := Call{Number: h.Call, Kind: h.Kind, Server: h.Server, Name: h.Name, Timeout: h.Timeout, Body: string(body)}
	if x.onCall != nil {
		x.onCall(c)
	}
	x.reply(c, x.answer(c))
}

// reply sends an answer on a goroutine of its own: while the worker writes, it
// need not read.
func (x *execution) reply(c Call, a Answer) {
	if a.Never {
		return
	}
	send := func() {
		x.open--
		h := &wire.Header{Type: wire.TypeReturn, ID: x.id, Call: c.Number, Form: a.Form, Error: a.Error}
		x.sends.Go(func() {
			if err := x.c.Send(h, []byte(a.Body)); err != nil {
				x.t.Errorf("sending a return: %v", err)
			}
		})
	}
	if a.With == 0 {
		send()
		return
	}
	x.held = append(x.held, send)
	if len(x.held) == a.With {
		for _, f := range slices.Backward(x.held) {
			f()
			x.sends.Wait()
		}
		x.held = nil
	}
}

func (x *execution) log(h *wire.Header, body []byte) {
	x.t.Helper()
	if !slices.Contains([]string{wire.LevelDebug, wire.LevelLog, wire.LevelInfo, wire.LevelWarn, wire.LevelError}, h.Level) {
		x.t.Errorf("log level %q", h.Level)
	}
	if !utf8.Valid(body) {
		x.t.Errorf("console output that is no UTF-8: %.100q", body)
	}
	x.logged += int64(len(body)) + wire.LogOverhead
	if x.logged > x.limits.Logs+wire.LogSlack {
		x.t.Errorf("%d bytes of console output, the limit is %d", x.logged, x.limits.Logs)
	}
	text := h.Level + ": " + string(body)
	if h.Truncated {
		text += " [truncated]"
	}
	x.out.logs = append(x.out.logs, text)
}

// own are the codes that a worker may answer with.
var own = []string{
	wire.CodeSyntax, wire.CodeScript, wire.CodeInvalidResult, wire.CodeNeverSettles,
	wire.CodeCPULimit, wire.CodeTimeout, wire.CodeHeapLimit, wire.CodeOutputLimit, wire.CodeCodeLimit, wire.CodeCallLimit,
	wire.CodeArgumentLimit, wire.CodeCallResultLimit, wire.CodeEmitLimit, wire.CodeCancelled, wire.CodeShuttingDown,
	wire.CodeServerNotFound, wire.CodeToolNotFound, wire.CodeResourceNotFound, wire.CodeInvalidArguments, wire.CodeToolError,
	wire.CodeUpstreamError, wire.CodeUpstreamTimeout, wire.CodeCircuitOpen, wire.CodePolicyDenied, wire.CodeApprovalDenied,
	wire.CodeRateLimited, wire.CodeStashError,
}

func (x *execution) done(h *wire.Header, body []byte) {
	x.t.Helper()
	x.out.err, x.out.warnings = h.Error, h.Warnings
	if h.Usage == nil || h.Usage.CPU < 0 || h.Usage.HeapPeak < 0 || h.Usage.Calls < int64(x.last) {
		x.t.Errorf("usage %+v after %d calls", h.Usage, x.last)
	} else {
		x.out.usage = *h.Usage
	}
	if len(h.Warnings) > wire.MaxWarnings {
		x.t.Errorf("%d warnings", len(h.Warnings))
	}
	if h.Error != nil {
		if !slices.Contains(own, h.Error.Code) {
			x.t.Errorf("a worker must not answer with %q", h.Error.Code)
		}
		if h.Error.Message == "" || h.Error.Line < 0 || h.Error.Column < 0 || !utf8.ValidString(h.Error.Message) {
			x.t.Errorf("error %+v", h.Error)
		}
		if len(body) > 0 {
			x.t.Errorf("a failure with a value: %.100q", body)
		}
		return
	}
	x.json("the value", body)
	if int64(len(body)) > x.limits.Result {
		x.t.Errorf("a value of %d bytes, the limit is %d", len(body), x.limits.Result)
	}
	x.out.value = string(body)
}

func (x *execution) json(what string, body []byte) {
	x.t.Helper()
	if err := wire.ValidateJSON(body, wire.MaxDepth); err != nil {
		x.t.Errorf("%s: %v", what, err)
	}
}

// died is the code of a worker's death.
type died string

// runToDeath is run for a program that may take its worker with it. The code
// is empty where it did not.
func (s *session) runToDeath(c Case) (out *outcome, code string) {
	s.t.Helper()
	defer func() {
		s.mayDie = false
		switch p := recover().(type) {
		case nil:
		case died:
			s.broken, code = true, string(p)
		default:
			panic(p)
		}
	}()
	s.mayDie = s.c.Died != nil && c.Code != ""
	return s.run(c), ""
}

// check runs a case and arms the next isolate.
func (s *session) check(c Case) {
	t := s.t
	t.Helper()
	out, code := s.runToDeath(c)
	if code != "" {
		if !slices.Contains(strings.Split(c.Code, "|"), code) {
			t.Errorf("the worker died of it, of which the host says %s, want %s", code, c.Code)
		}
		return
	}
	defer s.reset()
	if c.Code == "" {
		if out.err != nil || compact(out.value) != compact(c.Value) {
			t.Errorf("got  %s\nwant %s", out, c.Value)
			if out.err != nil {
				t.Log(out.err.Stack)
			}
		}
	} else if out.err == nil || !slices.Contains(strings.Split(c.Code, "|"), out.err.Code) {
		t.Errorf("got %.300s, want %s", out, c.Code)
	} else {
		e := out.err
		if !strings.Contains(e.Message, c.Says) || !strings.Contains(e.Suggestion, c.Suggests) || !strings.Contains(e.Frame, c.Frame) {
			t.Errorf("got %s, suggestion %q, frame\n%s\nwant %q, %q, %q", out, e.Suggestion, e.Frame, c.Says, c.Suggests, c.Frame)
		}
		if c.Line != 0 && e.Line != c.Line {
			t.Errorf("got line %d, want %d: %s\n%s", e.Line, c.Line, e.Message, e.Frame)
		}
	}
	if !same(out.logs, c.Logs) {
		t.Errorf("console %q, want %q", out.logs, c.Logs)
	}
	matched := len(out.warnings) == len(c.Warnings)
	for i := 0; matched && i < len(c.Warnings); i++ {
		matched = strings.Contains(out.warnings[i], c.Warnings[i])
	}
	if !matched {
		t.Errorf("warnings %q, want %q", out.warnings, c.Warnings)
	}
	if c.Calls != nil && !slices.Equal(out.calls, c.Calls) {
		t.Errorf("calls %q, want %q", out.calls, c.Calls)
	}
	if !slices.Equal(out.emits, c.Emits) {
		t.Errorf("emits %q, want %q", out.emits, c.Emits)
	}
	if !slices.Equal(out.progress, c.Progress) {
		t.Errorf("progress %q, want %q", out.progress, c.Progress)
	}
}

// same compares texts, of which one that is wanted may end in … for any rest.
func same(got, want []string) bool {
	return slices.EqualFunc(got, want, func(g, w string) bool {
		begin, open := strings.CutSuffix(w, "…")
		return g == w || open && strings.HasPrefix(g, begin)
	})
}

func compact(s string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s)); err != nil {
		return s
	}
	return b.String()
}
