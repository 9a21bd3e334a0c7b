//go:build unix

package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

// patience is for what must happen, and does in milliseconds.
const patience = 20 * time.Second

func fakeConfig(t testing.TB, mode string) upstream.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return upstream.Config{
		Name: "fake", Command: []string{self}, Env: []string{fakeVar + "=" + mode},
		ConnectTimeout: patience, Grace: 200 * time.Millisecond,
	}
}

func connect(t testing.TB, cfg upstream.Config) *upstream.Upstream {
	t.Helper()
	u, err := upstream.Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, u) })
	return u
}

func closeNow(t testing.TB, u *upstream.Upstream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := u.Close(ctx); err != nil {
		t.Error(err)
	}
}

func wantKind(t *testing.T, err error, kind upstream.Kind) *upstream.Error {
	t.Helper()
	e, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *upstream.Error of kind %q", err, kind)
	}
	if e.Kind != kind {
		t.Fatalf("got kind %q (%v), want %q", e.Kind, e, kind)
	}
	return e
}

func TestConnect(t *testing.T) {
	for _, c := range []struct{ mode, protocol string }{
		{"plain", "2025-11-25"},
		{"greets", "2025-11-25"}, // lines on stdout that are no messages
		{"ignores discover", "2025-11-25"},
		{"demo:lab", "2026-07-28"},
		{"modern, slow", "2026-07-28"}, // and no initialize
	} {
		t.Run(c.mode, func(t *testing.T) {
			cfg := fakeConfig(t, c.mode)
			if c.mode == "ignores discover" || c.mode == "modern, slow" {
				cfg.DiscoverTimeout = 50 * time.Millisecond
			}
			u := connect(t, cfg)
			if got := u.Info().Protocol; got != c.protocol {
				t.Errorf("protocol %s, want %s", got, c.protocol)
			}
			if _, err := u.Tools(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("legacy alone", func(t *testing.T) {
		cfg := fakeConfig(t, "ignores discover")
		cfg.DiscoverTimeout = -1
		if got := connect(t, cfg).Info(); got.Protocol != "2025-11-25" || got.Name != "fake" || got.Instructions != "be kind" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestConnectFails(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		change func(*upstream.Config)
		mode   string
		kind   upstream.Kind
		says   string
	}{
		{name: "no such program", change: func(c *upstream.Config) { c.Command = []string{"/no/such/program"} }, kind: upstream.Unavailable, says: "/no/such/program"},
		{name: "exits", mode: "exit", kind: upstream.Unavailable, says: "exited with status 3; it last wrote: no such database: [31mprod"},
		{name: "mute", mode: "mute", change: func(c *upstream.Config) {
			c.ConnectTimeout = 300 * time.Millisecond
			c.DiscoverTimeout = 50 * time.Millisecond
		}, kind: upstream.TimedOut, says: "did not complete the handshake within 300ms"},
		{name: "mute, waiting for discover", mode: "mute", change: func(c *upstream.Config) { c.ConnectTimeout = 100 * time.Millisecond }, kind: upstream.TimedOut},
		{name: "cancelled", ctx: cancelled, mode: "plain", kind: upstream.Cancelled, says: "context canceled"},
		{name: "only garbage", mode: "garbage only", kind: upstream.Protocol, says: "no messages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := fakeConfig(t, c.mode)
			if c.change != nil {
				c.change(&cfg)
			}
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			u, err := upstream.Connect(ctx, cfg)
			if err == nil {
				closeNow(t, u)
			}
			if e := wantKind(t, err, c.kind); !strings.Contains(e.Error(), c.says) {
				t.Errorf("got %q, want it to say %q", e, c.says)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	good := upstream.Config{Name: "x", Command: []string{"true"}}
	for _, c := range []struct {
		says   string
		change func(*upstream.Config)
	}{
		{"Name", func(c *upstream.Config) { c.Name = "" }},
		{"Name", func(c *upstream.Config) { c.Name = "a b" }},
		{"Name", func(c *upstream.Config) { c.Name = "-a" }},
		{"Name", func(c *upstream.Config) { c.Name = strings.Repeat("a", 65) }},
		{"Command", func(c *upstream.Config) { c.Command = nil }},
		{"Command", func(c *upstream.Config) { c.Command = []string{""} }},
		{"Env", func(c *upstream.Config) { c.Env = []string{"secret-without-name"} }},
		{"MaxFrame", func(c *upstream.Config) { c.MaxFrame = -1 }},
		{"ConnectTimeout", func(c *upstream.Config) { c.ConnectTimeout = -1 }},
		{"Grace", func(c *upstream.Config) { c.Grace = -1 }},
	} {
		cfg := good
		c.change(&cfg)
		_, err := upstream.Connect(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want an error that names %s", err, c.says)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows a value of the environment: %v", err)
		}
	}
}

func TestRawResults(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	got, err := u.Call(t.Context(), "raw", nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != rawResult {
		t.Errorf("got  %s\nwant %s", got, rawResult)
	}

	args := `{"z":1e400,"a":12345678901234567890,"s":"<&>\u2028 é","nested":{"b":[{}],"a":null}}`
	got, err = u.Call(t.Context(), "echo", json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"content":[],"structuredContent":` + args + `}`; string(got) != want {
		t.Errorf("arguments: got  %s\nwant %s", got, want)
	}
	// A program's own line feeds must not end the frame.
	if _, err = u.Call(t.Context(), "echo", json.RawMessage("{\n\"a\":\r\n1}\n")); err != nil {
		t.Fatal(err)
	}

	got, err = u.ReadResource(t.Context(), "x://1")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"contents":[{"uri":"x://1","text":"t","zzz":1,"aaa":1e400}]}`; string(got) != want {
		t.Errorf("resource: got %s", got)
	}
	list, err := u.ListResources(t.Context())
	if err != nil || len(list) != 1 || list[0].URI != "x://1" || list[0].MIMEType != "text/plain" {
		t.Errorf("resources: got %+v, %v", list, err)
	}
}

func TestOddAnswers(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	for _, tool := range []string{"id last", "crlf", "batch", "odd answers first"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		got, err := u.Call(ctx, tool, nil)
		cancel()
		if err != nil || string(got) != `{"content":[]}` {
			t.Errorf("%s: got %s, %v", tool, got, err)
		}
	}
	for tool, kind := range map[string]upstream.Kind{"no object": upstream.Protocol, "no result": upstream.Protocol, "refuse": upstream.Refused} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := u.Call(ctx, tool, nil)
		cancel()
		e := wantKind(t, err, kind)
		if kind == upstream.Refused && (e.RPCCode != -32602 || e.Message != "n must be positive") {
			t.Errorf("%s: got %d, %q", tool, e.RPCCode, e.Message)
		}
	}
	if u.Err() != nil {
		t.Errorf("the connection ended: %v", u.Err())
	}
}

func TestTools(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	tools, err := u.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(tools) != 2 || tools[0].Name != "one" || tools[1].Name != "two" {
		t.Fatalf("got %+v", tools)
	}
	if got := string(tools[0].InputSchema); got != `{"type":"object","properties":{"z":{},"a":{}}}` {
		t.Errorf("the schema is not as the server wrote it: %s", got)
	}
	if tools[0].OutputSchema != nil || tools[1].OutputSchema == nil || tools[1].Annotations.ReadOnlyHint == nil || !*tools[1].Annotations.ReadOnlyHint {
		t.Errorf("got %+v", tools)
	}

	for mode, says := range map[string]string{
		"circle": "circle", "many tools": "more than 5000", "heavy": "more than 67108864 bytes", "tools are no list": "no array",
	} {
		_, err = connect(t, fakeConfig(t, mode)).Tools(t.Context())
		if e := wantKind(t, err, upstream.Protocol); !strings.Contains(e.Message, says) {
			t.Errorf("%s: got %v", mode, e)
		}
	}
}

// TestFloods are servers that want the host to remember too much.
func TestFloods(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	if _, err := u.Call(t.Context(), "notify", json.RawMessage(`{"n":20000}`)); err != nil {
		t.Errorf("notifications: %v", err)
	}
	if _, err := u.Call(t.Context(), "ask", json.RawMessage(`{"n":500}`)); err != nil {
		t.Errorf("a number of requests that fits: %v", err)
	}
	_, err := u.Call(t.Context(), "ask", json.RawMessage(`{"n":20000}`))
	wantKind(t, err, upstream.Protocol)
	<-u.Done()
}

func TestFrameLimit(t *testing.T) {
	for _, tool := range []string{"big", "big, id last"} {
		t.Run(tool, func(t *testing.T) {
			cfg := fakeConfig(t, "plain")
			cfg.MaxFrame = 1 << 20
			u := connect(t, cfg)
			if got, err := u.Call(t.Context(), tool, json.RawMessage(`{"n":1000000}`)); err != nil || len(got) < 1000000 {
				t.Fatalf("below the limit: got %d bytes, %v", len(got), err)
			}
			_, err := u.Call(t.Context(), tool, json.RawMessage(`{"n":3000000}`))
			if e := wantKind(t, err, upstream.TooLarge); !e.Sent {
				t.Error("Sent is false")
			}
			// Only that call was hurt.
			if _, err := u.Call(t.Context(), "raw", nil); err != nil {
				t.Errorf("the next call: %v", err)
			}
			_, err = u.Call(t.Context(), "echo", json.RawMessage(`{"s":"`+strings.Repeat("x", 1<<20)+`"}`))
			if e := wantKind(t, err, upstream.TooLarge); e.Sent {
				t.Error("arguments that are too large were sent")
			}
			if u.Err() != nil {
				t.Error(u.Err())
			}
		})
	}
	for _, tool := range []string{"big, id hidden", "endless"} {
		t.Run(tool, func(t *testing.T) {
			cfg := fakeConfig(t, "plain")
			cfg.MaxFrame = 1 << 20
			u := connect(t, cfg)
			_, err := u.Call(t.Context(), tool, json.RawMessage(`{"n":3000000}`))
			wantKind(t, err, upstream.TooLarge)
			<-u.Done()
			wantKind(t, u.Err(), upstream.TooLarge)
		})
	}
	t.Run("sixteen megabytes", func(t *testing.T) {
		u := connect(t, fakeConfig(t, "plain"))
		got, err := u.Call(t.Context(), "big", json.RawMessage(`{"n":16777216}`))
		if err != nil || len(got) < 16<<20 {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	})
}

func TestServerDies(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	hung := make(chan error, 4)
	for range cap(hung) {
		go func() {
			_, err := u.Call(t.Context(), "hang", nil)
			hung <- err
		}()
	}
	_, err := u.Call(t.Context(), "die", nil)
	e := wantKind(t, err, upstream.Unavailable)
	if !strings.Contains(e.Message, "exited with status 7") || e.Stderr != "the disk is full" || strings.Contains(e.Message, "disk") {
		t.Errorf("got message %q, stderr %q", e.Message, e.Stderr)
	}
	for range cap(hung) {
		wantKind(t, <-hung, upstream.Unavailable)
	}
	<-u.Done()
	wantKind(t, u.Err(), upstream.Unavailable)
	_, err = u.Call(t.Context(), "raw", nil)
	if e := wantKind(t, err, upstream.Unavailable); e.Sent {
		t.Error("a call of a dead server says that it was sent")
	}

	// What it says before it dies still counts.
	u = connect(t, fakeConfig(t, "plain"))
	if got, err := u.Call(t.Context(), "die after answer", nil); err != nil || string(got) != `{"content":[],"last":true}` {
		t.Errorf("got %s, %v", got, err)
	}
	<-u.Done()

	u = connect(t, fakeConfig(t, "plain"))
	_, err = u.Call(t.Context(), "close output", nil)
	if e := wantKind(t, err, upstream.Unavailable); !strings.Contains(e.Message, "closed its output") {
		t.Errorf("got %q", e.Message)
	}
}

func TestCancel(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user went away")
	result := make(chan error, 1)
	go func() {
		_, err := u.Call(ctx, "hang", nil)
		result <- err
	}()
	// The server has read the call when it has answered a later one.
	before := callID(t, u)
	cancel(why)
	err := <-result
	wantKind(t, err, upstream.Cancelled)
	if !errors.Is(err, why) {
		t.Errorf("%v does not wrap the cause", err)
	}
	// The notification is on its way: it need not be there yet.
	poll(t, "notifications/cancelled", func() bool {
		got := structured[struct{ IDs []int64 }](t, u, "cancelled")
		return len(got.IDs) == 1 && got.IDs[0] < before+2
	})

	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	_, err = u.Call(short, "hang", nil)
	wantKind(t, err, upstream.TimedOut)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no deadline", err)
	}
}

func TestCallTimeout(t *testing.T) {
	cfg := fakeConfig(t, "plain")
	cfg.CallTimeout = 50 * time.Millisecond
	u := connect(t, cfg)
	_, err := u.Call(t.Context(), "hang", nil)
	if e := wantKind(t, err, upstream.TimedOut); !e.Sent || !strings.Contains(e.Message, "50ms") {
		t.Errorf("got %+v", e)
	}
	// An answer that comes too late is nobody's.
	_, err = u.Call(t.Context(), "late", json.RawMessage(`{"n":100}`))
	wantKind(t, err, upstream.TimedOut)
	poll(t, "the connection to be of use again", func() bool {
		got, err := u.Call(t.Context(), "raw", nil)
		return err == nil && string(got) == rawResult
	})
}

// TestDeaf is a server that has stopped reading: neither a caller nor Close
// may stand behind its full pipe.
func TestDeaf(t *testing.T) {
	u := connect(t, fakeConfig(t, "deaf"))
	big := json.RawMessage(`{"s":"` + strings.Repeat("x", 1<<20) + `"}`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := u.Call(ctx, "echo", big)
			wantKind(t, err, upstream.TimedOut)
		})
	}
	all.Wait()
	closeNow(t, u)
}

func TestParallel(t *testing.T) {
	u := connect(t, fakeConfig(t, "plain"))
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			args := fmt.Sprintf(`{"i":%d,"pad":%q}`, i, strings.Repeat("p", 20000))
			got, err := u.Call(t.Context(), "echo", json.RawMessage(args))
			if err != nil || string(got) != `{"content":[],"structuredContent":`+args+`}` {
				t.Errorf("call %d: got %.100s, %v", i, got, err)
			}
		})
	}
	all.Wait()
}

func callID(t *testing.T, u *upstream.Upstream) int64 {
	t.Helper()
	return structured[struct{ ID int64 }](t, u, "id of this call").ID
}

func structured[T any](t *testing.T, u *upstream.Upstream, tool string) T {
	t.Helper()
	raw, err := u.Call(t.Context(), tool, nil)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	var r struct{ StructuredContent T }
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return r.StructuredContent
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	u := connect(b, fakeConfig(b, "plain"))
	args := json.RawMessage(`{"a":1}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Call(b.Context(), "echo", args); err != nil {
			b.Fatal(err)
		}
	}
}
