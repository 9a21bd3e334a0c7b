package conformance_test

import (
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/conformance"
	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
	"github.com/autoclave-run/autoclave/internal/process"
	"github.com/autoclave-run/autoclave/internal/wire"
	"github.com/autoclave-run/autoclave/internal/worker"
)

// TestNode holds the V8 engine to the same table, in workers that are locked
// down as far as this machine can.
func TestNode(t *testing.T) {
	t.Parallel()
	info := nodetest.Find(t)
	launcher, err := process.NewLauncher(process.Config{
		Boot: worker.Boot{Lockdown: lockdown.Profile{HeapLimit: heap}, Heap: heap},
		Node: &process.NodeConfig{Path: info.Path, Boot: worker.NodeBoot{Readable: info.Libraries, CodeRange: info.CodeRange()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(launcher.Close)
	conformance.Run(t, every, func(t *testing.T) conformance.Conn {
		w, err := launcher.Spawn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			w.Kill("the test is over")
			<-w.Done()
			if t.Failed() {
				t.Log(w.Death(), w.Stderr())
			}
		})
		w.SetBodyLimit(func(*wire.Header) int { return wire.DefaultMaxFrame })
		receive := func(deadline time.Time) (*wire.Header, []byte, error) {
			w.SetReceiveDeadline(deadline)
			return w.Receive()
		}
		return conformance.Conn{Send: w.Send, Receive: receive, Died: func() string {
			<-w.Done()
			if w.Death().IsMemory() {
				return wire.CodeHeapLimit
			}
			return "WORKER_CRASHED"
		}}
	})
}
