package upstream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// pipeLink is a connection in memory, so that time can be a fake.
type pipeLink struct {
	*conn
	pipe net.Conn
}

func (l *pipeLink) stderr() string { return "" }

func (l *pipeLink) clear(session *mcp.ClientSession, _ <-chan struct{}) {
	l.pipe.Close()
	if session != nil {
		_ = session.Close()
	}
	l.loops.Wait()
}

// inMemory returns a dial function whose nth connection is served by
// serve(n, …), until that returns.
func inMemory(serve func(n int, c net.Conn)) func(context.Context, Config) (*Upstream, error) {
	var n atomic.Int64
	return func(ctx context.Context, cfg Config) (*Upstream, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			serve(int(n.Add(1)), theirs)
		}()
		box := newInbox(cfg)
		l := &pipeLink{pipe: ours}
		l.conn = newConn(cfg, box, ours, ours, func() (string, string) { return "it is gone", "" })
		return shakeHands(ctx, cfg, box, l)
	}
}

// answerCalls is a server that knows one tool, named tool; on a call of a tool
// it does what call says: false ends it.
func answerCalls(c net.Conn, tool string, call func(id json.RawMessage, name string, c net.Conn) bool) {
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r struct {
			ID     json.RawMessage
			Method string
			Params struct{ Name string }
		}
		if json.Unmarshal(line, &r) != nil || r.ID == nil {
			continue
		}
		switch r.Method {
		case "initialize":
			fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"f","version":"1"}}}`+"\n", r.ID)
		case "tools/list":
			fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":%q,"inputSchema":{"type":"object"}}]}}`+"\n", r.ID, tool)
		case "tools/call":
			if !call(r.ID, r.Params.Name, c) {
				return
			}
		case "": // the answer to the question of a call
			ok(json.RawMessage(strings.Trim(string(r.ID), `"q`)), c)
		default:
			fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`+"\n", r.ID)
		}
	}
}

func ok(id json.RawMessage, c io.Writer) {
	fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`+"\n", id)
}

func kindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

func TestBackoff(t *testing.T) {
	least, most := 250*time.Millisecond, 30*time.Second
	for n, want := range map[int]time.Duration{1: least, 2: 2 * least, 5: 16 * least, 8: most, 31: most, 1000: most} {
		for range 100 {
			if got := backoff(least, most, n); got > want || got < want*2/3-time.Millisecond {
				t.Fatalf("%d: got %v, want up to a third less than %v", n, got, want)
			}
		}
	}
	if got := backoff(time.Hour, 2*time.Hour, 29); got < time.Hour {
		t.Errorf("got %v: it overflows", got)
	}
}

// TestComesBack is a server that dies at some calls, and comes up again with
// another tool, but not at once.
func TestComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		s, err := openSet(t.Context(), []Config{{Name: "f", Command: []string{"-"}, DiscoverTimeout: -1}}, inMemory(func(n int, c net.Conn) {
			dials.Store(int64(n))
			if n == 2 || n == 3 {
				return // it does not come up
			}
			answerCalls(c, fmt.Sprintf("tool_%d", n), func(id json.RawMessage, name string, c net.Conn) bool {
				if name == "die" {
					return false
				}
				ok(id, c)
				return true
			})
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Call(t.Context(), "f", "work", nil); err != nil {
			t.Fatal(err)
		}
		v1 := s.Version()
		_, err = s.Call(t.Context(), "f", "die", nil)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Unavailable || !e.Sent {
			t.Fatalf("got %v", err)
		}
		synctest.Wait()
		// While it is gone calls fail at once, were not sent, and say when to
		// come again; what it offered is still known.
		before := time.Now()
		_, err = s.Call(t.Context(), "f", "work", nil)
		e, isErr := errors.AsType[*Error](err)
		if !isErr || e.Kind != Unavailable || e.Sent || e.RetryAfter <= 0 || e.RetryAfter > 250*time.Millisecond || time.Since(before) > 0 {
			t.Fatalf("got %+v after %v", e, time.Since(before))
		}
		m := s.Members()[0]
		if m.Up || m.Err == nil || len(m.Tools) != 1 || m.Tools[0].Name != "tool_1" || s.Version() != v1+1 || !m.Retry.After(before) {
			t.Errorf("got %+v, version %d after %d", m, s.Version(), v1)
		}
		time.Sleep(300 * time.Millisecond) // the second try fails
		synctest.Wait()
		if dials.Load() != 2 {
			t.Errorf("%d connections", dials.Load())
		}
		if m := s.Members()[0]; m.Up || len(m.Tools) != 1 {
			t.Errorf("got %+v", m)
		}
		time.Sleep(2 * time.Second) // the third after 500 ms, the fourth after 1 s
		synctest.Wait()
		if m := s.Members()[0]; !m.Up || m.Err != nil || m.Tools[0].Name != "tool_4" || dials.Load() != 4 {
			t.Errorf("got %+v, %d connections", m, dials.Load())
		}
		if _, err := s.Call(t.Context(), "f", "work", nil); err != nil {
			t.Error(err)
		}
		// It had failed three times in a row; when it stood for long that is
		// forgotten.
		time.Sleep(stable)
		_, _ = s.Call(t.Context(), "f", "die", nil)
		synctest.Wait()
		if wait := time.Until(s.Members()[0].Retry); wait > 250*time.Millisecond {
			t.Errorf("it waits %v", wait)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.Call(t.Context(), "f", "work", nil); err == nil {
			t.Error("a closed set has answered")
		}
	})
}

// TestBreakerTime is a server that stands and does not answer, then refuses,
// then works.
func TestBreakerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s, err := openSet(t.Context(), []Config{{
			Name: "f", Command: []string{"-"}, DiscoverTimeout: -1, CallTimeout: time.Second, BreakerFailures: 3,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}}, inMemory(func(_ int, c net.Conn) {
			answerCalls(c, "t", func(id json.RawMessage, name string, c net.Conn) bool {
				switch name {
				case "work":
					ok(id, c)
				case "fail":
					fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"content":[],"isError":true}}`+"\n", id)
				case "refuse":
					fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"no"}}`+"\n", id)
				}
				return true
			})
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		call := func(tool string, want Kind) {
			t.Helper()
			if _, err := s.Call(t.Context(), "f", tool, nil); kindOf(err) != want {
				t.Fatalf("%s: got %v, want kind %q", tool, err, want)
			}
		}
		// Neither tools that fail nor servers that say no nor callers without
		// patience are counted, and each answer begins the count anew.
		for range 5 {
			call("fail", "")
			call("refuse", Refused)
			hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if _, err := s.Call(hurried, "f", "hang", nil); kindOf(err) != TimedOut {
				t.Fatal(err)
			}
			cancel()
			call("hang", TimedOut)
			call("hang", TimedOut)
		}
		call("refuse", Refused)
		for range 3 {
			call("hang", TimedOut)
		}
		_, err = s.Call(t.Context(), "f", "work", nil)
		e, isErr := errors.AsType[*Error](err)
		if !isErr || e.Kind != CircuitOpen || e.Sent || e.RetryAfter != 10*time.Second {
			t.Fatalf("got %+v", err)
		}
		time.Sleep(4 * time.Second)
		if _, err := s.Call(t.Context(), "f", "work", nil); err.(*Error).RetryAfter != 6*time.Second {
			t.Errorf("got %+v", err)
		}
		// Half open: one call to see; the others wait for what comes of it.
		time.Sleep(6*time.Second + 1)
		trial := make(chan error, 1)
		go func() {
			_, err := s.Call(t.Context(), "f", "hang", nil)
			trial <- err
		}()
		synctest.Wait()
		call("work", CircuitOpen)
		if err := <-trial; kindOf(err) != TimedOut {
			t.Fatal(err)
		}
		call("work", CircuitOpen) // and open again
		time.Sleep(10*time.Second + 1)
		call("work", "")
		call("hang", TimedOut)
		call("hang", TimedOut)
		call("work", "")
		if !strings.Contains(log.String(), "no requests for a while") || !strings.Contains(log.String(), "works again") {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

// TestRefreshInterval asks for the lists by the clock, also where the server
// says nothing.
func TestRefreshInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lists atomic.Int64
		s, err := openSet(t.Context(), []Config{{Name: "f", Command: []string{"-"}, DiscoverTimeout: -1, RefreshInterval: time.Minute}},
			inMemory(func(_ int, c net.Conn) {
				in := bufio.NewReader(c)
				for {
					line, err := in.ReadBytes('\n')
					if err != nil {
						return
					}
					var r struct {
						ID     json.RawMessage
						Method string
					}
					_ = json.Unmarshal(line, &r)
					switch r.Method {
					case "initialize":
						fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"f","version":"1"}}}`+"\n", r.ID)
					case "tools/list":
						switch n := lists.Add(1); n {
						case 3: // a refresh that fails leaves the old list
							fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"no"}}`+"\n", r.ID)
						default:
							fmt.Fprintf(c, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"t%d","inputSchema":{"type":"object"}}]}}`+"\n", r.ID, n)
						}
					}
				}
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		for i, want := range []string{"t1", "t2", "t2", "t4"} {
			synctest.Wait()
			if got := s.Members()[0].Tools; len(got) != 1 || got[0].Name != want {
				t.Errorf("minute %d: got %+v, want %s", i, got, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

// slowUser takes an hour for an answer.
type slowUser struct{}

func (slowUser) Can(string) bool { return true }

func (slowUser) Ask(ctx context.Context, _ string, _ json.RawMessage) (json.RawMessage, error) {
	time.Sleep(time.Hour)
	return json.RawMessage(`{"action":"decline"}`), nil
}

// TestAskTime: while the user thinks, the call's time stands still.
func TestAskTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := openSet(t.Context(), []Config{{Name: "f", Command: []string{"-"}, DiscoverTimeout: -1, CallTimeout: time.Second}}, inMemory(func(_ int, c net.Conn) {
			answerCalls(c, "t", func(id json.RawMessage, name string, c net.Conn) bool {
				if name == "ask" {
					fmt.Fprintf(c, `{"jsonrpc":"2.0","id":"q%s","method":"elicitation/create","params":{"message":"?"}}`+"\n", id)
				}
				return true
			})
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		ctx := WithAsker(t.Context(), slowUser{})
		if got, err := s.Call(ctx, "f", "ask", nil); err != nil || string(got) != `{"content":[]}` {
			t.Errorf("got %s, %v", got, err)
		}
		if _, err := s.Call(ctx, "f", "hang", nil); kindOf(err) != TimedOut {
			t.Errorf("got %v", err)
		}
	})
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		expired := make(chan time.Duration, 1)
		c := startClock(time.Second, func() { expired <- time.Since(start) })
		time.Sleep(400 * time.Millisecond)
		c.pause()
		c.pause() // two questions at once
		time.Sleep(time.Hour)
		c.resume()
		time.Sleep(time.Hour)
		c.resume()
		if got := <-expired; got != 2*time.Hour+time.Second {
			t.Errorf("it expired after %v", got)
		}
		c = startClock(time.Second, func() { t.Error("it expired though it was stopped") })
		c.pause()
		c.stop()
		c.resume()
		time.Sleep(time.Minute)
		var none *clock
		none.pause()
		none.resume()
		none.stop()
	})
}
