package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var plainHeaders = []Header{
	{Type: TypeStarted, ID: 1},
	{Type: TypeExecute, ID: 1<<50 + 3, Seed: []byte("0123456789abcdef0123456789abcdef"), Catalog: "v_1-2", Limits: &Limits{CPU: 5000, Heap: 128 << 20, Calls: 100, Emits: 1, Preview: true}},
	{Type: TypeExecute, Limits: &Limits{}},
	{Type: TypeReturn, ID: 2, Call: 3, Form: FormMCP},
	{Type: TypeCall, ID: 2, Call: 3, Kind: KindTool, Server: "my server", Name: "do-it.v2", Timeout: 60000},
	{Type: TypeLog, ID: 2, Level: LevelWarn, Truncated: true},
	{Type: TypeDone, ID: 2, Usage: &Usage{CPU: 12, HeapPeak: 300000, Calls: 7}},
	{Type: TypeDone, ID: 2, Usage: &Usage{}},
	{Type: TypeArmed, Generation: 9},
}

var otherHeaders = []Header{
	{Type: TypeDone, ID: 1, Error: &Error{Code: CodeScript, Message: "no"}},
	{Type: TypeCall, ID: 1, Server: "bücher", Name: `a"b\\c`},
	{Type: TypeCall, ID: 1, Name: "<b>&"},
	{Type: TypeProgress, ID: 1, Done: 0.5, Message: "half"},
	{Type: TypeReturn, ID: 1<<64 - 1, Timeout: -3},
	{Type: TypeDone, Usage: &Usage{CPU: -1}, Warnings: []string{"w"}},
	{Type: TypeHello, Protocol: 1, Engine: "quickjs", Lockdown: json.RawMessage(`{"level":"strict"}`)},
}

// TestHeaders: what the fast ways write and read is what encoding/json would.
func TestHeaders(t *testing.T) {
	for i, h := range append(append([]Header{}, plainHeaders...), otherHeaders...) {
		raw, err := appendHeader([]byte("before"), &h)
		if err != nil {
			t.Fatal(err)
		}
		raw = raw[len("before"):]
		if i < len(plainHeaders) {
			if _, ok := h.appendPlain(nil); !ok {
				t.Errorf("%s took the slow way out", raw)
			}
			if s := (scanner{b: raw}); !s.header(new(Header)) {
				t.Errorf("%s took the slow way in", raw)
			}
		}
		var ours, theirs Header
		if err := decodeHeader(raw, &ours); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if err := json.Unmarshal(raw, &theirs); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if !reflect.DeepEqual(ours, theirs) || !reflect.DeepEqual(ours, h) {
			t.Errorf("%s\nours   %+v\ntheirs %+v\nwant   %+v", raw, ours, theirs, h)
		}
	}
}

// FuzzHeader: whatever comes, the answer is that of encoding/json.
func FuzzHeader(f *testing.F) {
	for _, h := range append(append([]Header{}, plainHeaders...), otherHeaders...) {
		raw, _ := json.Marshal(h)
		f.Add(raw)
	}
	for _, s := range []string{`{}`, `{"type":"a","type":"b"}`, `{"TYPE":"a"}`, `{"type":null}`, `{"id":01}`, `{"id":1e3}`, `{"seed":"a"}`, `{"seed":""}`, `{"limits":{"heap":1,"heap":2}}`, `{"usage":{}}x`, `{"truncated":false}`, ` {"type":"a"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ours, theirs Header
		err1, err2 := decodeHeader(raw, &ours), json.Unmarshal(raw, &theirs)
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", raw, err1, err2)
		}
		if err1 != nil {
			return
		}
		if !reflect.DeepEqual(ours, theirs) {
			t.Fatalf("%q\nours   %+v\ntheirs %+v", raw, ours, theirs)
		}
		out, err := appendHeader(nil, &ours)
		if err != nil {
			t.Fatalf("%q does not encode: %v", raw, err)
		}
		var again Header
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%q was written as %q: %v", raw, out, err)
		}
		// Empty and absent are the same to a peer.
		if want, _ := json.Marshal(ours); !strings.EqualFold(string(mustMarshal(again)), string(want)) {
			t.Fatalf("%q was written as %q", raw, out)
		}
	})
}

func mustMarshal(h Header) []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	return b
}
