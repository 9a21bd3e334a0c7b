package conformance_test

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/autoclave-run/autoclave/internal/conformance"
	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/process"
	"github.com/autoclave-run/autoclave/internal/wire"
	"github.com/autoclave-run/autoclave/internal/worker"
)

func TestMain(m *testing.M) {
	if worker.Requested() {
		worker.Main()
	}
	goleak.VerifyTestMain(m)
}

// heap is what the workers' isolates have, in bytes.
const heap = 128 << 20

// TestConfined runs everything in workers as a host starts them, locked down
// as far as this machine can.
func TestConfined(t *testing.T) {
	t.Parallel()
	launcher, err := process.NewLauncher(process.Config{
		Boot:  worker.Boot{Lockdown: lockdown.Profile{HeapLimit: heap}, Heap: heap},
		Floor: lockdown.Best(),
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
		return conformance.Conn{Send: w.Send, Receive: receive}
	})
}

// TestBare starts workers by hand, as PROTOCOL.md tells a third party how they
// are started, and so sees the handshake and can write what no host would.
func TestBare(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the boot message goes through a descriptor here")
	}
	conformance.Run(t, every, startBare)
}

func startBare(t *testing.T) conformance.Conn {
	boot, err := worker.Boot{Lockdown: lockdown.Profile{Off: true}, Heap: heap, MaxFrame: wire.DefaultMaxFrame}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	inR, inW := pipe()
	outR, outW := pipe()
	bootR, bootW := pipe()
	if _, err := bootW.Write(boot); err != nil {
		t.Fatal(err)
	}
	bootW.Close()
	var stderr bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Args = []string{worker.Argv0}
	cmd.Env = []string{}
	cmd.Dir = t.TempDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = inR, outW, &stderr, []*os.File{bootR}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{inR, outW, bootR} {
		f.Close()
	}
	t.Cleanup(func() {
		inW.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		outR.Close()
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("the worker's last words: %s", &stderr)
		}
	})
	return conformance.Pipes(inW, outR)
}

// TestTable holds the table to its own rules.
func TestTable(t *testing.T) {
	codes := map[string]bool{}
	names := map[string]bool{}
	for _, g := range conformance.Groups() {
		for _, c := range g.Cases {
			if name := g.Name + "/" + c.Name; names[name] {
				t.Errorf("two cases are called %s", name)
			} else {
				names[name] = true
			}
			codes[c.Code] = true
			if (c.Value == "") == (c.Code == "") {
				t.Errorf("%s/%s: value %q and code %q: there must be one of them", g.Name, c.Name, c.Value, c.Code)
			}
			if c.Value != "" && wire.ValidateJSON([]byte(c.Value), wire.MaxDepth) != nil {
				t.Errorf("%s/%s: the value is no JSON", g.Name, c.Name)
			}
		}
	}
	if n := len(conformance.Cases()); n < 250 {
		t.Errorf("%d cases", n)
	}
	for _, code := range []string{
		wire.CodeSyntax, wire.CodeScript, wire.CodeInvalidResult, wire.CodeNeverSettles, wire.CodeCPULimit, wire.CodeHeapLimit,
		wire.CodeOutputLimit, wire.CodeCodeLimit, wire.CodeCallLimit, wire.CodeArgumentLimit, wire.CodeCallResultLimit,
		wire.CodeEmitLimit, wire.CodeToolError, wire.CodeStashError, wire.CodeToolNotFound,
	} {
		if !codes[code] {
			t.Errorf("no case ends in %s", code)
		}
	}
}
