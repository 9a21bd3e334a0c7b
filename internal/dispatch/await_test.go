package dispatch_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
)

// TestSilenceIsReceived: a program is told that a call's time is over before the
// call has come back from the server. What it sends from then on, and puts away,
// has the label.
func TestSilenceIsReceived(t *testing.T) {
	d := governed(t, connect(t, newStub(t, "vault", decl("t", "", "")), newStub(t, "out", decl("t", "", ""))), dispatch.Rules{
		Policy: policy.Config{Groups: []policy.Group{{Name: "g", Servers: []string{"vault"}, Strict: true}}},
	})
	entered, release := make(chan struct{}), make(chan struct{})
	var sent atomic.Int32
	d.Instead(func(server string) string {
		if server == "out" {
			sent.Add(1)
		} else {
			close(entered)
			<-release
		}
		return `{"content":[]}`
	})
	store := newStore(t)
	h := d.For(dispatch.Caller{Stash: store})
	call := func(ctx context.Context, server string) error {
		_, err := h.CallTool(ctx, autoclave.ToolCall{Server: server, Tool: "t", Arguments: json.RawMessage(`{}`)})
		return err
	}
	if err := call(t.Context(), "out"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	back := make(chan error, 1)
	go func() { back <- call(ctx, "vault") }()
	<-entered
	if err := call(t.Context(), "out"); err != nil {
		t.Errorf("before its time is over: %v", err)
	}
	cancel(context.DeadlineExceeded) // the program is told now
	if err := call(t.Context(), "out"); code(err) != autoclave.PolicyDenied {
		t.Errorf("afterwards: %v", err)
	}
	if err := h.StashPut(t.Context(), "k", json.RawMessage("1"), 0); err != nil {
		t.Error(err)
	}
	if e, err := store.Get("k", []string{"g"}); err != nil || len(e.Labels) != 1 {
		t.Errorf("put away: %+v, %v", e, err)
	}
	close(release)
	<-back
	if n := sent.Load(); n != 2 {
		t.Errorf("%d calls have left", n)
	}
}
