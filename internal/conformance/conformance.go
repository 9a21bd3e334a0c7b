// Package conformance holds a worker to PROTOCOL.md and to sandbox.d.ts, over
// the wire and nothing else: a table of programs with what each must come to,
// and a number of exchanges that test the protocol itself. Whatever passes is
// a worker, whatever engine is in it.
//
// It must not know how a worker is started or what it is made of: whoever
// tests one hands over its pipes. It asks for nothing that only one engine
// says: no wording of an engine's own errors, no columns, no depth of a stack.
package conformance

import (
	"io"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// A Conn is one worker as its host sees it. Send and Receive must be set; what
// depends on the others is skipped where they are not.
type Conn struct {
	// Send writes one frame. It may be called while another Send or Receive
	// is under way.
	Send func(h *wire.Header, body []byte) error
	// Receive returns the next frame, or os.ErrDeadlineExceeded, after which
	// it can be called again and nothing is lost.
	Receive func(deadline time.Time) (*wire.Header, []byte, error)
	// Raw is the worker's standard input for what Send would not write.
	Raw io.Writer
	// CloseInput ends the worker's standard input.
	CloseInput func() error
	// Died returns the code that a host tells of a worker that has just ended
	// by itself. A worker may end with a program that must be ended, where its
	// engine cannot be stopped otherwise, if its host tells what would have
	// been told. Without it no worker may end.
	Died func() string
	// New says that hello and armed have not been read yet.
	New bool
}

// Pipes returns the Conn of a worker that has just been started with these as
// its standard input and output. stdout's deadlines must work, as those of
// os.Pipe do.
func Pipes(stdin io.WriteCloser, stdout interface {
	io.Reader
	SetReadDeadline(time.Time) error
}) Conn {
	w, r := wire.NewWriter(stdin, 0), wire.NewReader(stdout, 0)
	return Conn{
		Send: w.Write,
		Receive: func(deadline time.Time) (*wire.Header, []byte, error) {
			if err := stdout.SetReadDeadline(deadline); err != nil {
				return nil, nil, err
			}
			return r.Next()
		},
		Raw: stdin, CloseInput: stdin.Close, New: true,
	}
}

// Run holds a worker to all exchanges and to every n-th case of the table, 1
// for the whole of it. start starts a worker whose isolate has at least 64 MiB
// of heap, and ends it with the test; it is called for each group of tests,
// and again after a worker has broken the protocol.
func Run(t *testing.T, every int, start func(t *testing.T) Conn) {
	for _, group := range Groups() {
		t.Run(group.Name, func(t *testing.T) {
			var s *session
			for i, c := range group.Cases {
				if i%every != 0 {
					continue
				}
				if s == nil || s.broken {
					s = begin(t, start)
				}
				t.Run(c.Name, func(t *testing.T) { s.with(t).check(c) })
			}
		})
	}
	for _, p := range exchanges {
		t.Run("protocol/"+p.name, func(t *testing.T) { p.run(begin(t, start)) })
	}
}

// A Group is what belongs together of the table.
type Group struct {
	Name  string
	Cases []Case
}

// Groups returns the table.
func Groups() []Group {
	return []Group{
		{"forms", forms()},
		{"typescript", typeScript()},
		{"syntax", syntax()},
		{"absent", absent()},
		{"tools", toolCalls()},
		{"results", toolResults()},
		{"host errors", hostErrors()},
		{"resources", resources()},
		{"stash", stashes()},
		{"catalog", catalogs()},
		{"parallel", parallels()},
		{"other systems", otherSystems()},
		{"timers", timers()},
		{"output", output()},
		{"library", library()},
		{"values", values()},
		{"console", consoles()},
		{"errors", errs()},
		{"uncaught", uncaught()},
		{"limits", limits()},
		{"sealed", sealed()},
	}
}

// Cases returns the cases of all groups.
func Cases() []Case {
	var all []Case
	for _, g := range Groups() {
		all = append(all, g.Cases...)
	}
	return all
}

// A Case is one program and what must come of it.
type Case struct {
	Name   string
	Source string
	// Limits replace those of Generous that are set.
	Limits wire.Limits
	// Catalog is the body of a catalog message; empty: there is none.
	Catalog string
	// Answer answers the program's calls; nil is Echo.
	Answer func(Call) Answer

	// Value is the JSON of the value, key order included. Empty: the program
	// fails, with Code.
	Value string
	// Code is the error's code, or several of which one must be it, a|b.
	Code string
	// Line is the line that the error must name, 0 for any or none.
	Line int
	// Frame, Says and Suggests must be in the error's frame, message and
	// suggestion.
	Frame, Says, Suggests string

	// Logs are the console entries, as "level: text". The last may end in …
	// for any rest.
	Logs []string
	// Warnings must be there, each containing the text, and no others.
	Warnings []string
	// Calls are the calls in the order in which they were sent, as
	// "kind server/name body".
	Calls []string
	// Emits are the bodies of emit messages, Progress the texts
	// "done/total message".
	Emits, Progress []string
}

// A Call is a host call of a program.
type Call struct {
	Number       uint64
	Kind         wire.Kind
	Server, Name string
	Timeout      int64 // ms
	Body         string
}

// An Answer is what a host says to a Call.
type Answer struct {
	Form  wire.Form
	Body  string
	Error *wire.Error
	// Never sends nothing.
	Never bool
	// With is how many calls must have come before this answer and those held
	// back before it are sent, the last first.
	With int
}

// Echo answers a call with its own body.
func Echo(c Call) Answer {
	if c.Body == "" {
		return Answer{Form: wire.FormAbsent}
	}
	return Answer{Body: c.Body}
}

func always(a Answer) func(Call) Answer { return func(Call) Answer { return a } }

func mcp(body string) func(Call) Answer { return always(Answer{Form: wire.FormMCP, Body: body}) }

func value(body string) func(Call) Answer { return always(Answer{Body: body}) }

// Generous returns limits that no program of the table meets by accident.
func Generous() wire.Limits {
	return wire.Limits{
		CPU: 60000, Heap: 64 << 20, Program: 256 << 10, Result: 1 << 20, Arguments: 1 << 20, CallResult: 16 << 20,
		Calls: 100, Concurrency: 8, CallTimeout: 60000, Logs: 64 << 10, Emits: 16 << 20,
	}
}

func (c Case) limits() wire.Limits {
	l := Generous()
	for _, f := range []struct{ to, from *int64 }{
		{&l.CPU, &c.Limits.CPU}, {&l.Heap, &c.Limits.Heap}, {&l.Stack, &c.Limits.Stack}, {&l.Program, &c.Limits.Program},
		{&l.Result, &c.Limits.Result}, {&l.Arguments, &c.Limits.Arguments}, {&l.CallResult, &c.Limits.CallResult},
		{&l.Calls, &c.Limits.Calls}, {&l.Concurrency, &c.Limits.Concurrency}, {&l.CallTimeout, &c.Limits.CallTimeout},
		{&l.Logs, &c.Limits.Logs}, {&l.Emits, &c.Limits.Emits},
	} {
		if *f.from != 0 {
			*f.to = *f.from
		}
	}
	l.Preview = c.Limits.Preview
	return l
}
