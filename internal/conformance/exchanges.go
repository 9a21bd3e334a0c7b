package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// exchanges test what is said rather than what a program comes to. Each has a
// worker of its own.
var exchanges = []struct {
	name string
	run  func(*session)
}{
	{"strangeness is tolerated", strangeness},
	{"unknown fields are tolerated", unknownFields},
	{"frames in pieces", pieces},
	{"late messages are dropped", lateMessages},
	{"returns that were not asked for", strayReturns},
	{"returns in any order", anyOrder},
	{"cancel while it waits", cancelWaiting},
	{"cancel while it sleeps", cancelSleeping},
	{"cancel while it computes", cancelComputing},
	{"cancel cannot be caught", cancelCaught},
	{"a reason that is a code", cancelReasons},
	{"isolates", isolates},
	{"reset without an execution", resetOnly},
	{"reset while a program runs", earlyReset},
	{"limits of the next isolate", nextLimits},
	{"a preview of a large value", preview},
	{"randomness comes from the seed", randomness},
	{"16 MiB both ways", large},
	{"a host that is slow to read", slowHost},
	{"catalogs", catalogChange},
	{"the longest header", longHeader},
	{"started comes first", startedFirst},
	{"the end of input", endOfInput},
	{"a malformed frame", malformed},
	{"a frame over the limit", oversized},
}

// expect runs a program that must have the value.
func (s *session) expect(source, want string) {
	s.t.Helper()
	if out := s.run(Case{Source: source}); out.err != nil || out.value != want {
		s.t.Errorf("%s\ngot %s, want %s", source, out, want)
	}
}

func strangeness(s *session) {
	strange := func() {
		s.send(wire.Header{Type: "from-tomorrow", ID: 77, Message: "?", Call: 3}, "no JSON at all")
		s.send(wire.Header{Type: "x"}, "")
	}
	strange()
	x := s.start(Case{Source: "await tools.s.t({ a: 1 }); await sleep(5); await tools.s.t({ a: 2 })"})
	x.onCall = func(Call) { strange() }
	if out := x.finish(); out.value != `{"a":2}` {
		s.t.Errorf("got %s", out)
	}
	strange()
	s.reset()
	strange()
	s.expect("1 + 1", "2")
}

// rawFrame is a frame with a header as it stands.
func rawFrame(header, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(header)))
	return append(b, header+body...)
}

func (s *session) raw(b []byte) {
	s.t.Helper()
	if s.c.Raw == nil {
		s.t.Skip("this connection cannot write bytes as they are")
	}
	if _, err := s.c.Raw.Write(b); err != nil {
		s.fatalf("writing: %v", err)
	}
}

const zeroSeed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func unknownFields(s *session) {
	s.raw(rawFrame(`{"colour":{"deep":[1,[2]]},"type":"execute","id":5,"limits":{"cpu_ms":60000,"calls":9,"concurrency":8,"arguments":1000,"logs":1000,"result":1000,"moons":3},"seed":"`+zeroSeed+`","extra":null}`,
		"await tools.s.t({ a: 1 })"))
	h, _ := s.receive()
	if h.Type != wire.TypeStarted || h.ID != 5 {
		s.fatalf("got %s of %d, want started of 5", h.Type, h.ID)
	}
	if h, _ = s.receive(); h.Type != wire.TypeCall || h.Call != 1 {
		s.fatalf("got %s %d, want call 1", h.Type, h.Call)
	}
	s.raw(rawFrame(`{"type":"return","id":5,"call":1,"mood":"good","error":null}`, ` {"b": 2} `))
	h, body := s.receive()
	if h.Type != wire.TypeDone || h.Error != nil || string(body) != `{"b":2}` {
		s.fatalf("got %s %+v %s", h.Type, h.Error, body)
	}
	s.raw(rawFrame(`{"type":"reset","limits":{"heap":67108864,"luck":1},"why":"because"}`, ""))
	s.armed(2)
}

func pieces(s *session) {
	frame := rawFrame(`{"type":"execute","id":9,"seed":"`+zeroSeed+`","limits":{"cpu_ms":60000}}`, "1 + 1")
	for i := range frame {
		s.raw(frame[i : i+1])
	}
	s.receive()
	if h, body := s.receive(); h.Type != wire.TypeDone || string(body) != "2" {
		s.fatalf("got %s %s", h.Type, body)
	}
	// And several in one write.
	s.raw(slices.Concat(rawFrame(`{"type":"reset"}`, ""), rawFrame(`{"type":"execute","id":10,"seed":"`+zeroSeed+`","limits":{"cpu_ms":60000}}`, "2 + 2")))
	s.armed(2)
	s.receive()
	if h, body := s.receive(); h.Type != wire.TypeDone || string(body) != "4" {
		s.fatalf("got %s %s", h.Type, body)
	}
}

func lateMessages(s *session) {
	x := s.start(Case{Source: "tools.s.t(); tools.s.t(); 'gone'", Answer: always(Answer{Never: true})})
	if out := x.finish(); out.value != `"gone"` {
		s.t.Errorf("got %s", out)
	}
	late := func() {
		for call := range uint64(3) {
			s.send(wire.Header{Type: wire.TypeReturn, ID: x.id, Call: call + 1}, `"late"`)
		}
		s.send(wire.Header{Type: wire.TypeReturn, ID: x.id, Call: 1, Error: &wire.Error{Code: wire.CodeToolError, Message: "late"}}, "")
		s.send(wire.Header{Type: wire.TypeCancel, ID: x.id, Reason: "late"}, "")
	}
	late()
	s.reset()
	late()
	next := s.start(Case{Source: "const a = await tools.s.t({ mine: true }); await sleep(20); [a, await tools.s.t({ n: 2 })]"})
	next.onCall = func(Call) { late() }
	if out := next.finish(); out.value != `[{"mine":true},{"n":2}]` {
		s.t.Errorf("with late messages of the one before it: %s", out)
	}
	late()
	s.reset()
	s.expect("3", "3")
}

func strayReturns(s *session) {
	x := s.start(Case{Source: "const a = await tools.s.t({ n: 1 }); await sleep(20); const b = await tools.s.t({ n: 2 }); [a, b]"})
	x.onCall = func(c Call) {
		// Not made yet, made long ago, never made.
		for _, call := range []uint64{0, c.Number + 1, c.Number + 100, c.Number - 1} {
			s.send(wire.Header{Type: wire.TypeReturn, ID: x.id, Call: call}, `"stray"`)
		}
	}
	if out := x.finish(); out.value != `[{"n":1},{"n":2}]` {
		s.t.Errorf("got %s", out)
	}
}

func anyOrder(s *session) {
	out := s.run(Case{
		Source: "(await Promise.all([...Array(8).keys()].map((n) => tools.s.t({ n })))).map((x) => x.n).join('')",
		Answer: func(c Call) Answer { return Answer{Body: c.Body, With: 8} },
	})
	if out.value != `"01234567"` || out.mostOpen != 8 {
		s.t.Errorf("got %s with %d calls at once", out, out.mostOpen)
	}
}

// cancelled ends the execution from outside, and holds the worker to the end.
// The test's patience is its only bound: how long the grace is, is the host's.
func (x *execution) cancelled(reason, code string) {
	x.t.Helper()
	x.send(wire.Header{Type: wire.TypeCancel, ID: x.id, Reason: reason}, "")
	if out := x.finish(); out.err == nil || out.err.Code != code {
		x.t.Errorf("got %s, want %s", out, code)
	}
	x.reset()
	x.expect("1 + 1", "2")
	x.reset()
}

func cancelWaiting(s *session) {
	x := s.start(Case{Source: "await tools.s.t()", Answer: always(Answer{Never: true})})
	x.step()
	x.cancelled(wire.CodeCancelled, wire.CodeCancelled)
}

func cancelSleeping(s *session) {
	s.start(Case{Source: "await sleep(1e8)"}).cancelled("the caller is gone", wire.CodeCancelled)
}

func cancelComputing(s *session) {
	x := s.start(Case{Source: "console.log('computing'); for (;;) {}"})
	x.step()
	x.cancelled(wire.CodeCancelled, wire.CodeCancelled)
}

func cancelCaught(s *session) {
	x := s.start(Case{Source: "for (;;) { try { await tools.s.t() } catch {} try { for (;;) {} } catch {} }", Answer: always(Answer{Never: true})})
	x.step()
	x.cancelled(wire.CodeCancelled, wire.CodeCancelled)
	x = s.start(Case{Source: "console.log('a'); for (;;) { try { for (;;) {} } catch {} finally { continue } }"})
	x.step()
	x.cancelled(wire.CodeCancelled, wire.CodeCancelled)
}

func cancelReasons(s *session) {
	for _, code := range []string{wire.CodeTimeout, wire.CodeCPULimit, wire.CodeShuttingDown, wire.CodeCancelled} {
		s.start(Case{Source: "await sleep(1e8)"}).cancelled(code, code)
	}
}

// isolates leaves behind what a program can, and looks for it in the next.
func isolates(s *session) {
	leave := `globalThis.left = 1; Object.prototype.left = 1; Array.prototype.map = () => 'left'; JSON.stringify = () => 'left';
		Math.max = () => 'left'; Symbol.for('left').x; console.left = 1; setTimeout(() => { globalThis.left = 2 }, 1);
		Promise.resolve().then(function f() { globalThis.left = 3 }); tools.s.t(); Date.now = () => 0; 7`
	look := `[typeof globalThis.left, ({}).left === undefined, [1].map((x) => x).join(), JSON.stringify([1]), Math.max(1, 2), typeof console.left, Date.now() > 1]`
	for range 20 {
		if out := s.run(Case{Source: leave, Answer: always(Answer{Never: true})}); out.err != nil {
			s.t.Fatalf("got %s", out)
		}
		s.reset()
		s.expect(look, `["undefined",true,"1","[1]",2,"undefined",true]`)
		s.reset()
	}
	if s.generation != 41 {
		s.t.Errorf("generation %d after 40 resets", s.generation)
	}
}

func resetOnly(s *session) {
	for range 5 {
		s.reset()
	}
	s.expect("1", "1")
}

// earlyReset says in advance what is to come after done.
func earlyReset(s *session) {
	next := wire.Header{Type: wire.TypeReset, Limits: &wire.Limits{Heap: Generous().Heap}}
	x := s.start(Case{Source: "globalThis.left = 1; await tools.s.t({ n: 1 }); await sleep(5); console.log('on'); [left, (await tools.s.t({ n: 2 })).n]"})
	x.onCall = func(c Call) {
		if c.Number == 1 {
			s.send(next, "")
		}
	}
	if out := x.finish(); out.value != "[1,2]" || len(out.logs) != 1 {
		s.t.Errorf("a program that was going on got %s", out)
	}
	s.armed(s.generation + 1)
	s.expect("typeof left", `"undefined"`)
}

func nextLimits(s *session) {
	const take = "new Uint8Array(30e6).length"
	for _, c := range []struct {
		heap int64
		want string
	}{{16 << 20, wire.CodeHeapLimit}, {64 << 20, "30000000"}, {16 << 20, wire.CodeHeapLimit}, {64 << 20, "30000000"}} {
		s.send(wire.Header{Type: wire.TypeReset, Limits: &wire.Limits{Heap: c.heap}}, "")
		s.armed(s.generation + 1)
		out := s.run(Case{Source: take})
		if got := out.String(); !strings.HasPrefix(got, c.want) {
			s.t.Errorf("with a heap of %d: %s, want %s", c.heap, got, c.want)
		}
	}
	// An execute may lower it further.
	s.reset()
	if out := s.run(Case{Source: take, Limits: wire.Limits{Heap: 16 << 20}}); out.err == nil || out.err.Code != wire.CodeHeapLimit {
		s.t.Errorf("with a lower limit in execute: %s", out)
	}
}

// preview: how much of a value fits is the worker's to say.
func preview(s *session) {
	const source = `({ text: "é\n".repeat(1000) })`
	for _, limit := range []int64{60, 100, 1000} {
		out := s.run(Case{Source: source, Limits: wire.Limits{Result: limit, Preview: true}})
		var got struct {
			Truncated bool
			Bytes     int
			Preview   string
		}
		if err := json.Unmarshal([]byte(out.value), &got); err != nil {
			s.t.Fatalf("got %s: %v", out, err)
		}
		if !got.Truncated || got.Bytes != 4011 || !strings.HasPrefix(`{"text":"`+strings.Repeat(`é\n`, 1000), got.Preview) || limit > 60 && got.Preview == "" {
			s.t.Errorf("with a limit of %d: %s", limit, out)
		}
		s.reset()
	}
}

func randomness(s *session) {
	const draw = "[Math.random(), crypto.randomUUID(), Array.from(crypto.getRandomValues(new Uint8Array(9))), Math.random()]"
	with := func(b byte) string {
		s.t.Helper()
		out := s.startWith(Case{Source: draw}, bytes.Repeat([]byte{b}, 32)).finish()
		if out.err != nil {
			s.t.Errorf("got %s", out)
		}
		s.reset()
		return out.value
	}
	one, two, again := with(1), with(2), with(1)
	if one != again {
		s.t.Errorf("one seed gave %s and %s", one, again)
	}
	if one == two {
		s.t.Errorf("two seeds gave %s", one)
	}
}

func large(s *session) {
	const size = 16 << 20
	body := `"` + strings.Repeat("x", size-2) + `"`
	limits := wire.Limits{Arguments: size + 64, CallResult: size, Result: size, Heap: Generous().Heap}
	sent := 0
	out := s.run(Case{
		Source: fmt.Sprintf("const r = await tools.s.t({ s: 'y'.repeat(%d) }); [r.length, r[0]]", size-100), Limits: limits,
		Answer: func(c Call) Answer { sent = len(c.Body); return Answer{Body: body} },
	})
	if want := fmt.Sprintf(`[%d,"x"]`, size-2); out.value != want || sent < size-100 {
		s.t.Errorf("got %s after %d bytes of arguments, want %s", out, sent, want)
	}
	s.reset()
	if out := s.run(Case{Source: fmt.Sprintf("'z'.repeat(%d)", size-2), Limits: limits}); len(out.value) != size {
		s.t.Errorf("a value of %d bytes came as %d: %.200s", size, len(out.value), out)
	}
	s.reset()
	// Four at a time, both ways at once.
	out = s.run(Case{
		Source: "(await Promise.all([1, 2, 3, 4].map((n) => tools.s.t({ n, s: 'y'.repeat(1 << 20) })))).map((r) => r.n + r.s.length)", Limits: wire.Limits{Arguments: 2 << 20},
	})
	if want := "[1048577,1048578,1048579,1048580]"; out.value != want {
		s.t.Errorf("got %.200s, want %s", out, want)
	}
}

// slowHost lets the worker fill the pipe: it blocks, and nothing is lost.
func slowHost(s *session) {
	x := s.start(Case{
		Source: "for (let i = 0; i < 64; i++) { emit({ type: 'text', text: 'x'.repeat(100000) }); console.log(i) }\nprogress(1); 'done'",
	})
	time.Sleep(100 * time.Millisecond)
	out := x.finish()
	if out.value != `"done"` || len(out.emits) != 64 || len(out.logs) != 64 || out.logs[63] != "log: 63" {
		s.t.Errorf("got %s, %d emits, %d logs", out, len(out.emits), len(out.logs))
	}
}

func catalogChange(s *session) {
	const look = "Object.keys(tools)"
	for _, c := range []struct{ catalog, want string }{
		{"", "[]"},
		{`[{"name":"a","tools":["x"]}]`, `["a"]`},
		{`[{"name":"b","tools":[]},{"name":"c","tools":["y"]}]`, `["b","c"]`},
		{"", "[]"},
		{`[{"name":"b","tools":[]},{"name":"c","tools":["y"]}]`, `["b","c"]`},
		{"[]", "[]"},
	} {
		if out := s.run(Case{Source: look, Catalog: c.catalog}); out.value != c.want {
			s.t.Errorf("with the catalog %q: %s, want %s", c.catalog, out, c.want)
		}
		s.reset()
	}
	// One that comes while a program runs is for the next.
	x := s.start(Case{Source: "await tools.s.t({}); Object.keys(tools)", Catalog: `[{"name":"old","tools":["t"]}]`})
	x.onCall = func(Call) {
		s.send(wire.Header{Type: wire.TypeCatalog, Catalog: "newer"}, `[{"name":"new","tools":["t"]}]`)
	}
	if out := x.finish(); out.value != `["old"]` {
		s.t.Errorf("a catalog changed under a program: %s", out)
	}
}

// longHeader is an error that fills a header, which the worker passes on in a
// header of its own.
func longHeader(s *session) {
	out := s.run(Case{Source: "await tools.s.t()", Answer: always(Answer{Error: &wire.Error{
		Code: wire.CodeToolError, Message: strings.Repeat("m", 30<<10), Suggestion: strings.Repeat("s", 20<<10),
	}})})
	if out.err == nil || out.err.Code != wire.CodeToolError || !strings.HasPrefix(out.err.Message, "mmm") {
		s.t.Errorf("got %.200s", out)
	}
}

func startedFirst(s *session) {
	// start itself holds the worker to it; a program that fails to compile or
	// is too long is started all the same.
	for _, c := range []Case{{Source: "async () => {"}, {Source: strings.Repeat(" ", 2000), Limits: wire.Limits{Program: 1000}}, {Source: "console.log(1); throw 1"}} {
		if out := s.run(c); out.err == nil {
			s.t.Errorf("%.20q: %s", c.Source, out)
		}
		s.silent(20 * time.Millisecond)
		s.reset()
	}
}

func (s *session) ends() {
	s.t.Helper()
	s.broken = true
	for {
		_, _, err := s.c.Receive(time.Now().Add(patience))
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return
		default:
			s.t.Fatalf("the worker goes on: %v", err)
		}
	}
}

func endOfInput(s *session) {
	if s.c.CloseInput == nil {
		s.t.Skip("this connection cannot close the worker's input")
	}
	s.start(Case{Source: "await tools.s.t()", Answer: always(Answer{Never: true})}).step()
	if err := s.c.CloseInput(); err != nil {
		s.t.Fatal(err)
	}
	s.ends()
}

func malformed(s *session) {
	s.raw(rawFrame(`{"type":`, ""))
	s.ends()
}

func oversized(s *session) {
	b := binary.BigEndian.AppendUint32(nil, 1<<31)
	s.raw(binary.BigEndian.AppendUint32(b, 20))
	s.ends()
}
