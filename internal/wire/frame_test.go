package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

func encode(t testing.TB, h *wire.Header, body []byte) []byte {
	t.Helper()
	frame, err := wire.AppendFrame(nil, h, len(body))
	if err != nil {
		t.Fatal(err)
	}
	return append(frame, body...)
}

// raw builds a frame without the encoder's care.
func raw(length, headerLen uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, length)
	b = binary.BigEndian.AppendUint32(b, headerLen)
	return append(b, rest...)
}

func TestRoundTrip(t *testing.T) {
	total := 7.0
	messages := []struct {
		h    wire.Header
		body string
	}{
		{wire.Header{Type: wire.TypeExecute, ID: 1, Seed: bytes.Repeat([]byte{7}, 32), Limits: &wire.Limits{CPU: 5000, Heap: 1 << 27}}, "async () => 1"},
		{wire.Header{Type: wire.TypeReturn, ID: 1, Call: 2, Form: wire.FormMCP}, `{"content":[]}`},
		{wire.Header{Type: wire.TypeReturn, ID: 1, Call: 3, Error: &wire.Error{Code: wire.CodeToolError, Message: "no\n\"x\""}}, ""},
		{wire.Header{Type: wire.TypeProgress, ID: 1, Done: 2.5, Total: &total, Message: "\u2028 ünï"}, ""},
		{wire.Header{Type: wire.TypeDone, ID: 1, Usage: &wire.Usage{CPU: 3}}, strings.Repeat("9", 1<<20)},
		{wire.Header{Type: "a-type-of-tomorrow"}, "?"},
	}
	var pipe bytes.Buffer
	w := wire.NewWriter(&pipe, 0)
	for _, m := range messages {
		if err := w.Write(&m.h, []byte(m.body)); err != nil {
			t.Fatal(err)
		}
	}
	for name, src := range map[string]io.Reader{
		"whole":         bytes.NewReader(pipe.Bytes()),
		"byte by byte":  iotest.OneByteReader(bytes.NewReader(pipe.Bytes())),
		"half the time": iotest.HalfReader(bytes.NewReader(pipe.Bytes())),
		"with timeouts": &stutter{src: bytes.NewReader(pipe.Bytes())},
	} {
		t.Run(name, func(t *testing.T) {
			r := wire.NewReader(src, 0)
			for i, want := range messages {
				h, body, err := next(r)
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if h.Type != want.h.Type || h.ID != want.h.ID || h.Call != want.h.Call || h.Form != want.h.Form || h.Message != want.h.Message {
					t.Errorf("message %d: header %+v, want %+v", i, h, want.h)
				}
				if string(body) != want.body {
					t.Errorf("message %d: body of %d bytes, want %d", i, len(body), len(want.body))
				}
			}
			if _, _, err := next(r); err != io.EOF {
				t.Errorf("after the last message: %v, want io.EOF", err)
			}
		})
	}
}

// stutter times out before every read.
type stutter struct {
	src   io.Reader
	ready bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.ready = !s.ready; s.ready {
		return 0, os.ErrDeadlineExceeded
	}
	return s.src.Read(p[:min(len(p), 100)])
}

func next(r *wire.Reader) (*wire.Header, []byte, error) {
	for {
		h, body, err := r.Next()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return h, body, err
		}
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	header := `{"colour":{"deep":[1,2]},"type":"done","id":4,"usage":{"cpu_us":1,"moons":2},"extra":null}`
	r := wire.NewReader(bytes.NewReader(raw(uint32(4+len(header)+2), uint32(len(header)), header+"42")), 0)
	h, body, err := r.Next()
	if err != nil || h.Type != wire.TypeDone || h.ID != 4 || string(body) != "42" {
		t.Fatalf("got %+v %q %v", h, body, err)
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", wire.MaxHeader)
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"frame over the limit":     {raw(1025, 2, "{}"), "at most 1024 are allowed"},
		"header over the limit":    {raw(1000, wire.MaxHeader+1, long), "header of"},
		"header longer than frame": {raw(10, 20, strings.Repeat(" ", 20)), "cannot hold a header"},
		"no header":                {raw(4, 0, ""), "cannot hold a header"},
		"length below its own":     {raw(3, 1, "{"), "cannot hold a header"},
		"not JSON":                 {raw(4+5, 5, "hello"), "not a JSON object"},
		"not an object":            {raw(4+2, 2, "[]"), "not a JSON object"},
		"wrong kind of field":      {raw(4+13, 13, `{"type":"a",}`), "not a JSON object"},
		"no type":                  {raw(4+2, 2, "{}"), "without a type"},
		"negative id":              {raw(4+23, 23, `{"type":"done","id":-1}`), "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := wire.NewReader(bytes.NewReader(c.in), 1024).Next()
			var v *wire.ViolationError
			if !errors.As(err, &v) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a violation with %q", err, c.want)
			}
		})
	}
}

func TestTruncated(t *testing.T) {
	frame := encode(t, &wire.Header{Type: wire.TypeDone, ID: 1}, []byte(`"value"`))
	for n := 1; n < len(frame); n++ {
		if _, _, err := wire.NewReader(bytes.NewReader(frame[:n]), 0).Next(); err != io.ErrUnexpectedEOF {
			t.Fatalf("cut after %d bytes: %v, want io.ErrUnexpectedEOF", n, err)
		}
	}
}

// hungry fails the test when somebody reads, and so takes memory, for a body
// that was to be refused.
type hungry struct {
	t   *testing.T
	src io.Reader
}

func (h hungry) Read(p []byte) (int, error) {
	if len(p) > 1<<16 {
		h.t.Errorf("read into %d bytes: memory was taken for a refused body", len(p))
	}
	return h.src.Read(p)
}

func TestBodyLimitBeforeAllocation(t *testing.T) {
	header := `{"type":"done","id":1}`
	frame := raw(uint32(4+len(header)+30<<20), uint32(len(header)), header)
	r := wire.NewReader(hungry{t, bytes.NewReader(frame)}, 0)
	r.BodyLimit = func(h *wire.Header) int { return 1 << 20 }
	_, _, err := r.Next()
	var large *wire.TooLargeError
	if !errors.As(err, &large) || large.Size != 30<<20 || large.Limit != 1<<20 || large.Header.Type != wire.TypeDone {
		t.Fatalf("got %v, want a TooLargeError", err)
	}
	allocs := testing.AllocsPerRun(10, func() {
		r := wire.NewReader(bytes.NewReader(raw(1<<31, 10, "")), 1024)
		_, _, _ = r.Next()
	})
	if allocs > 10 {
		t.Errorf("%v allocations to refuse a frame", allocs)
	}
}

func TestWriterRefusesAndGoesOn(t *testing.T) {
	var out bytes.Buffer
	w := wire.NewWriter(&out, 1024)
	if err := w.Write(&wire.Header{Type: wire.TypeDone, ID: 1}, make([]byte, 2000)); !errors.Is(err, wire.ErrFrameTooLarge) {
		t.Fatalf("body over the limit: %v", err)
	}
	if err := w.Write(&wire.Header{Type: wire.TypeCall, Name: strings.Repeat("n", wire.MaxHeader)}, nil); !errors.Is(err, wire.ErrFrameTooLarge) {
		t.Fatalf("header over the limit: %v", err)
	}
	if out.Len() != 0 {
		t.Fatalf("%d bytes were written of refused frames", out.Len())
	}
	if err := w.Write(&wire.Header{Type: wire.TypeDone, ID: 1}, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if h, body, err := wire.NewReader(&out, 1024).Next(); err != nil || h.ID != 1 || string(body) != "1" {
		t.Fatalf("after refusals: %+v %q %v", h, body, err)
	}
}

// TestTogether: what is queued comes first, what goes behind comes last,
// however large the frame between them is.
func TestTogether(t *testing.T) {
	for _, size := range []int{0, 1, 100, 31 << 10, 32 << 10, 1 << 20} {
		var out bytes.Buffer
		w := wire.NewWriter(&out, 0)
		if err := w.Queue(&wire.Header{Type: wire.TypeStarted, ID: 1}); err != nil {
			t.Fatal(err)
		}
		if out.Len() > 0 {
			t.Fatal("a queued frame was written")
		}
		if err := w.WriteBoth(&wire.Header{Type: wire.TypeDone, ID: 2}, bytes.Repeat([]byte("1"), size), &wire.Header{Type: wire.TypeArmed, ID: 3}); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r := wire.NewReader(&out, 0)
		for id := uint64(1); id <= 3; id++ {
			h, body, err := r.Next()
			if err != nil || h.ID != id || (id == 2) != (len(body) > 0) && size > 0 {
				t.Errorf("size %d: frame %d is %+v with %d bytes, %v", size, id, h, len(body), err)
			}
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Errorf("size %d: more than three frames: %v", size, err)
		}
		// What was queued is written by Flush, too.
		if err := errors.Join(w.Queue(&wire.Header{Type: wire.TypeStarted, ID: 9}), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if h, _, err := wire.NewReader(&out, 0).Next(); err != nil || h.ID != 9 {
			t.Errorf("flushed: %+v, %v", h, err)
		}
	}
}

func TestWriterErrorStays(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	out := wire.NewWriter(w, 0)
	first := out.Write(&wire.Header{Type: wire.TypeCancel}, nil)
	if first == nil {
		t.Fatal("a write to a closed pipe succeeded")
	}
	if second := out.Write(&wire.Header{Type: wire.TypeCancel}, nil); second != first {
		t.Errorf("second write: %v, want the first error %v", second, first)
	}
}

// TestFullDuplex writes 16 MiB each way through real pipes, in many frames and
// from many goroutines, while both sides read: nobody waits for ever.
func TestFullDuplex(t *testing.T) {
	const frames, size = 64, 256 << 10
	aR, aW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	bR, bW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer aR.Close()
	defer bR.Close()
	var wg sync.WaitGroup
	side := func(out *os.File, in *os.File) {
		w := wire.NewWriter(out, 0)
		var senders sync.WaitGroup
		for g := range 8 {
			senders.Go(func() {
				body := bytes.Repeat([]byte{byte('a' + g)}, size)
				for i := range frames / 8 {
					if err := w.Write(&wire.Header{Type: wire.TypeReturn, ID: 1, Call: uint64(g*1000 + i + 1)}, body); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Go(func() { senders.Wait(); out.Close() })
		wg.Go(func() {
			r := wire.NewReader(in, 0)
			for n := 0; ; n++ {
				h, body, err := r.Next()
				if err == io.EOF && n == frames {
					return
				}
				if err != nil {
					t.Errorf("after %d frames: %v", n, err)
					return
				}
				if want := byte('a' + h.Call/1000); len(body) != size || body[0] != want || body[size-1] != want {
					t.Errorf("frame %d is mixed with another", h.Call)
				}
			}
		})
	}
	side(aW, bR)
	side(bW, aR)
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("deadlock: both sides wait for each other")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(encode(f, &wire.Header{Type: wire.TypeDone, ID: 1, Usage: &wire.Usage{CPU: 1}}, []byte("[1]")))
	f.Add(encode(f, &wire.Header{Type: wire.TypeExecute, ID: 1, Seed: make([]byte, 32), Limits: &wire.Limits{CPU: 1}}, []byte("x")))
	f.Add(encode(f, &wire.Header{Type: wire.TypeCall, ID: 1, Call: 1, Kind: wire.KindTool, Server: "s", Name: "n"}, []byte("{}")))
	f.Add(raw(4+2, 2, "{}"))
	f.Add(raw(1<<31, 1<<31, ""))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := wire.NewReader(bytes.NewReader(in), 1<<20)
		r.BodyLimit = func(h *wire.Header) int { return 1 << 19 }
		for {
			h, body, err := r.Next()
			if err != nil {
				return
			}
			if len(body) > 1<<19 {
				t.Fatalf("body of %d bytes passed a limit of %d", len(body), 1<<19)
			}
			// What was read can be written and read again, with the same
			// meaning.
			again, err := wire.AppendFrame(nil, h, len(body))
			if errors.Is(err, wire.ErrFrameTooLarge) {
				continue
			}
			if err != nil {
				t.Fatalf("header %+v does not encode: %v", h, err)
			}
			h2, body2, err := wire.NewReader(bytes.NewReader(append(again, body...)), 2<<20).Next()
			if err != nil || h2.Type != h.Type || h2.ID != h.ID || h2.Call != h.Call || !bytes.Equal(body, body2) {
				t.Fatalf("second reading of %+v: %+v %v", h, h2, err)
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	h := &wire.Header{Type: wire.TypeReturn, ID: 12345, Call: 17, Form: wire.FormMCP}
	body := []byte(`{"content":[{"type":"text","text":"hello"}]}`)
	w := wire.NewWriter(io.Discard, 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(h, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	frame := encode(b, &wire.Header{Type: wire.TypeCall, ID: 12345, Call: 17, Kind: wire.KindTool, Server: "tracker", Name: "list_issues"}, []byte(`{"state":"open"}`))
	src := bytes.NewReader(frame)
	r := wire.NewReader(src, 0)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(frame)
		if _, _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
