package gateway

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Progress that comes right before the answer is not sent: a client that gets
// both at once may have forgotten the token. What is not the last is sent, in
// its latest state.
func TestProgressIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := mcp.NewInMemoryTransports()
		ss, err := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil).Connect(t.Context(), ours, nil)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var heard []string
		client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
			ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, r.Params.Message)
			},
		})
		cs, err := client.Connect(t.Context(), theirs, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
		if err != nil {
			t.Fatal(err)
		}
		said := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(heard, want) {
				t.Errorf("the client heard %q, want %q", heard, want)
			}
		}
		p := &mcp.CallToolParamsRaw{Name: "execute"}
		p.SetProgressToken("t")
		req := &mcp.CallToolRequest{Session: ss, Params: p}
		four := 4.0

		var r relay
		r.attach(t.Context(), req)
		r.called("a")
		r.called("b")
		said()
		time.Sleep(holdBack)
		said("2 done: b") // the latest, once
		r.calling("c", 2, &four, "half")
		said("2 done: b", "c: half") // which is not the last
		r.calling("c", 4, &four, "all")
		r.called("c")
		time.Sleep(holdBack)
		said("2 done: b", "c: half", "3 done: c")
		r.calling("d", 4, &four, "all")
		r.called("d")
		r.detach()
		time.Sleep(time.Second)
		said("2 done: b", "c: half", "3 done: c")

		// Where nobody listens nothing is held, also not for later.
		r.called("e")
		r.attach(t.Context(), req)
		time.Sleep(time.Second)
		said("2 done: b", "c: half", "3 done: c")
		// What is newer than what is held takes its place.
		r.called("f")
		r.calling("g", 1, &four, "begun")
		time.Sleep(time.Second)
		said("2 done: b", "c: half", "3 done: c", "g: begun")
		r.detach()
		if r.timer != nil || r.held != nil {
			t.Error("something is still held")
		}
		if err := cs.Close(); err != nil {
			t.Error(err)
		}
		_ = ss.Wait()
	})
}
