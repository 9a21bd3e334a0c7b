package upstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		name, in string
		max      int
		want     []string
		tooLong  int
	}{
		{"lines", "a\nbc\n\nd\n", 10, []string{"a", "bc", "", "d"}, 0},
		{"no end", "a\nbc", 10, []string{"a", "bc"}, 0},
		{"at the limit", "abc\n", 3, []string{"abc"}, 0},
		{"over the limit", "abcd\nef\n", 3, []string{"ef"}, 1},
		{"over the limit, no end", "ab\nabcd", 3, []string{"ab"}, 1},
		{"longer than the buffer", long + "\na\n", 200 << 10, []string{long, "a"}, 0},
		{"longer than the buffer and the limit", long + long + "\na\n", 150 << 10, []string{"a"}, 1},
		{"exactly the buffer", strings.Repeat("y", 64<<10-1) + "\na\n", 64 << 10, []string{strings.Repeat("y", 64<<10-1), "a"}, 0},
		{"empty", "", 3, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newLineReader(strings.NewReader(c.in), c.max)
			var got []string
			tooLong := 0
			for {
				line, err := r.next()
				if _, ok := errors.AsType[*oversized](err); ok {
					tooLong++
					continue
				}
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					break
				}
				got = append(got, string(line))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") || tooLong != c.tooLong {
				t.Errorf("got %.60q, %d too long; want %.60q, %d", got, tooLong, c.want, c.tooLong)
			}
		})
	}
	r := newLineReader(&repeat{}, 1000)
	if _, err := r.next(); !errors.Is(err, errEndless) {
		t.Errorf("got %v, want errEndless", err)
	}
}

type repeat struct{}

func (*repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestOversizedID(t *testing.T) {
	pad := `"` + strings.Repeat("x", 3000) + `"`
	for _, c := range []struct {
		in string
		id int64
		ok bool
	}{
		{`{"jsonrpc":"2.0","id":7,"result":{"t":` + pad + `}}`, 7, true},
		{`{"jsonrpc" : "2.0", "id" : 7 , "result":{"t":` + pad + `}}`, 7, true},
		{`{"result":{"t":` + pad + `},"jsonrpc":"2.0","id":12}`, 12, true},
		{`{"result":{"t":` + pad + `},"jsonrpc":"2.0","id": 12 } ` + "\r\n", 12, true},
		{`{"result":{"id":5,"t":` + pad + `},"jsonrpc":"2.0"}`, 0, false},
		{`{"jsonrpc":"2.0","id":"7","result":{"t":` + pad + `}}`, 0, false},
		{`[{"jsonrpc":"2.0","id":7,"result":{"t":` + pad + `}}]`, 7, true},
		{pad, 0, false},
		{`{`, 0, false},
	} {
		_, err := newLineReader(strings.NewReader(c.in), 0).next()
		o, ok := errors.AsType[*oversized](err)
		if !ok {
			t.Fatalf("%.40s: got %v", c.in, err)
		}
		if id, ok := o.id(); id != c.id || ok != c.ok {
			t.Errorf("%.40s: got %d, %t", c.in, id, ok)
		}
		if o.size != int64(len(c.in)) {
			t.Errorf("%.40s: size %d, want %d", c.in, o.size, len(c.in))
		}
	}
}

func TestScanEnvelope(t *testing.T) {
	for _, c := range []struct {
		in, id, result string
		other, ok      bool
	}{
		{`{"jsonrpc":"2.0","id":1,"result":{"a":[1,"}\"\\"]}}`, "1", `{"a":[1,"}\"\\"]}`, false, true},
		{` { "result" : { } , "id" : 12 } `, "12", `{ }`, false, true},
		{`{"id":"x","method":"m","params":{}}`, `"x"`, "", true, true},
		{`{"id":1,"error":{}}`, "1", "", true, true},
		{`{"id":1,"result":null}`, "1", "null", false, true},
		{`{"id":1,"result":{}}x`, "", "", false, false},
		{`{"id":1,"result":{}`, "", "", false, false},
		{`{"id":1,"result":{`, "", "", false, false},
		{`{"id":1,"result":"\`, "", "", false, false},
		{`{"id":1,}`, "", "", false, false},
		{`{}`, "", "", false, false},
		{`{"id":}`, "", "", false, false},
		{`[1]`, "", "", false, false},
		{``, "", "", false, false},
	} {
		e, ok := scanEnvelope([]byte(c.in))
		if ok != c.ok || ok && (string(e.id) != c.id || string(e.result) != c.result || e.other != c.other) {
			t.Errorf("%s: got %t, id %s, result %s, other %t", c.in, ok, e.id, e.result, e.other)
		}
	}
}

// FuzzDecode feeds a server's output to all that reads it before the SDK does.
// Where a line is a JSON object, the scanner must see what encoding/json sees.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`,
		`{"jsonrpc":"2.0","id":0,"result":{}}`,
		`[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","method":"x"}]`,
		`{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"a":{"method":"elicitation/create"}}}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}`,
		"\"\\", `{"id":1,"id":2,"result":1}`, `[[`, `nul`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		line, err := newLineReader(bytes.NewReader(in), 1<<16).next()
		if o, ok := errors.AsType[*oversized](err); ok {
			o.id()
		}
		b := &inbox{waiting: map[int64]*call{1: {stub: json.RawMessage(`{}`)}}}
		if len(bytes.TrimSpace(line)) == 0 {
			return
		}
		msgs, err := b.decode(line)
		if err == nil && len(msgs) > len(line) {
			t.Fatalf("%d messages of %d bytes", len(msgs), len(line))
		}
		e, ok := scanEnvelope(line)
		var want struct {
			ID     json.RawMessage `json:"id"`
			Result json.RawMessage `json:"result"`
		}
		if json.Unmarshal(line, &want) != nil || !ok || bytes.Contains(line, []byte(`\u`)) {
			return
		}
		// encoding/json takes "ID" for "id" too: then it knows another value.
		if bytes.Count(bytes.ToLower(line), []byte(`"result"`)) == 1 && bytes.Contains(line, []byte(`"result"`)) &&
			e.result != nil && want.Result != nil && !bytes.Equal(e.result, want.Result) {
			t.Fatalf("result is %q, encoding/json says %q", e.result, want.Result)
		}
	})
}

// FuzzEvents feeds a stream of server-sent events to its reader: what it hands
// on is within the limit, and what is written of it is one event again.
func FuzzEvents(f *testing.F) {
	for _, s := range []string{
		"data: {}\n\n", "id: 1\r\nretry: 0\r\ndata:a\r\ndata: b\r\n\r\n", ": ping\n\nevent: endpoint\ndata: /x\n\n", "data\n\nid\n\n",
		"data: " + strings.Repeat("x", 300) + "\ndata: y\n\n", "retry: 99999999999999999999\n\n", "id: a\x00b\n\ndata: x",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 128
		err := readEvents(bytes.NewReader(in), limit, func(e event) error {
			if len(e.data) > limit || e.large != nil && e.data != nil || len(e.id) > 1024 {
				t.Fatalf("got %+v", e)
			}
			if e.large != nil {
				e.large.id()
				return nil
			}
			text := encode(e, oneLine(e.data))
			var again []event
			if err := readEvents(bytes.NewReader(text), 2*limit, func(e event) error { again = append(again, e); return nil }); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if len(again) > 1 || len(again) == 1 && again[0].id != e.id {
				t.Fatalf("%q became %+v", text, again)
			}
			return nil
		})
		if err == nil {
			t.Fatal("it has no end")
		}
	})
}

func BenchmarkRead16MiB(b *testing.B) {
	line := []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(`{\"a\":1},`, 16<<20/9) + `"}]}}` + "\n")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := newLineReader(bytes.NewReader(line), 32<<20).next()
		if err != nil {
			b.Fatal(err)
		}
		box := &inbox{waiting: map[int64]*call{1: {stub: json.RawMessage(`{}`)}}}
		if _, err := box.decode(l); err != nil || len(box.waiting) != 0 {
			b.Fatal(err)
		}
	}
}
