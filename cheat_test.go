package autoclave_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
)

// unconfined is a configuration for doubles: they do not lock themselves down.
func unconfined(t *testing.T, double string) autoclave.Config {
	t.Helper()
	cfg := autoclave.Config{
		Lockdown: autoclave.LockdownConfig{Off: true, Require: "none"},
		Pool:     autoclave.PoolConfig{MinWorkers: 1, MaxWorkers: 2, SpawnTimeout: 20 * time.Second},
	}
	cfg.SetWorkerPath(doublePath(t, double))
	return cfg
}

func open(t testing.TB, cfg autoclave.Config) *autoclave.Runtime {
	t.Helper()
	rt, err := autoclave.Open(t.Context(), native(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeRuntime(t, rt) })
	return rt
}

func closeRuntime(t testing.TB, rt *autoclave.Runtime) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := rt.Close(ctx); err != nil {
		t.Error("closing the runtime:", err)
	}
}

// patient answers each call with its arguments, except one that asks to wait.
var patient = autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	if strings.Contains(string(c.Arguments), `"wait"`) {
		<-ctx.Done()
		return autoclave.Value{}, ctx.Err()
	}
	return autoclave.Value{JSON: c.Arguments}, nil
})

// TestCheatingWorkers holds the host to its part of every limit and of the
// protocol: each double ends in a typed error, and is dead.
func TestCheatingWorkers(t *testing.T) {
	t.Parallel()
	small := autoclave.Limits{CPU: 300 * time.Millisecond, Wall: 2 * time.Second}
	for _, c := range []struct {
		double string
		limits autoclave.Limits
		want   autoclave.Code // empty: the value is 42
		value  string
		says   string
		lives  bool // the worker is kept
	}{
		{double: "honest", value: "42", lives: true},
		{double: "from-tomorrow", value: "42", lives: true},
		{double: "never-starts-once", value: "42", lives: true},
		{double: "stray-once", value: "42", lives: true},
		{double: "dies-started-once", value: "42", lives: true},
		{double: "never-starts", want: autoclave.WorkerCrashed, says: "died"},
		{double: "dies-called", want: autoclave.WorkerCrashed, says: "exit"},
		{double: "garbage", want: autoclave.ProtocolError, says: "frame of"},
		{double: "huge-frame", want: autoclave.ProtocolError, says: "frame of 2147483648 bytes"},
		{double: "huge-header", want: autoclave.ProtocolError, says: "header of"},
		{double: "half-frame", limits: small, want: autoclave.Timeout},
		{double: "closes-pipe", want: autoclave.WorkerCrashed},
		{double: "other-id", want: autoclave.ProtocolError, says: "done for execution"},
		{double: "started-twice", want: autoclave.ProtocolError, says: "started twice"},
		{double: "before-started", want: autoclave.ProtocolError, says: "before started"},
		{double: "host-message", want: autoclave.ProtocolError, says: "execute from a worker"},
		{double: "hello-again", want: autoclave.ProtocolError, says: "hello"},
		{double: "call-gap", want: autoclave.ProtocolError, says: "call 5 where 1 was due"},
		{double: "call-twice", want: autoclave.ProtocolError, says: "call 1 where 2 was due"},
		{double: "call-not-json", want: autoclave.ProtocolError, says: "arguments of call 1"},
		{double: "call-deep", want: autoclave.ProtocolError, says: "nested"},
		{double: "call-long-name", want: autoclave.ProtocolError, says: "name of over"},
		{double: "call-strange-kind", value: `"UPSTREAM_ERROR"`, lives: true},
		{double: "call-array", value: `"INVALID_ARGUMENTS"`, lives: true},
		{double: "calls-over", want: autoclave.CallLimit, says: "more than 100 host calls"},
		{double: "concurrency-over", want: autoclave.ProtocolError, says: "more than 8 host calls at once"},
		{double: "arguments-over", want: autoclave.ArgumentLimit, says: "at most"},
		{double: "result-over", want: autoclave.OutputLimit, says: "at most 1048576"},
		{double: "result-invalid", want: autoclave.ProtocolError, says: "value: JSON"},
		{double: "result-none", want: autoclave.ProtocolError, says: "value: JSON"},
		{double: "emits-over", want: autoclave.EmitLimit},
		{double: "emit-invalid", want: autoclave.ProtocolError, says: "emitted block"},
		{double: "logs-over", want: autoclave.ProtocolError, says: "console output"},
		{double: "log-flood", want: autoclave.ProtocolError, says: "console output"},
		{double: "log-huge", want: autoclave.ProtocolError, says: `"log" message with a body`},
		{double: "log-level", want: autoclave.ProtocolError, says: `log level "fatal"`},
		{double: "progresses", want: autoclave.ProtocolError, says: "progress messages"},
		{double: "strangeness", want: autoclave.ProtocolError, says: "unknown types"},
		{double: "warnings", want: autoclave.ProtocolError, says: "1000 warnings"},
		{double: "blames-host", want: autoclave.ProtocolError, says: `"OVERLOADED"`},
		{double: "blames-crash", want: autoclave.ProtocolError, says: `"WORKER_CRASHED"`},
		{double: "blames-other", want: autoclave.ProtocolError, says: `"MADE_UP"`},
		{double: "floods-headers", want: autoclave.ProtocolError, says: "headers of"},
		{double: "never-reads", want: autoclave.ProtocolError, says: "more than 8 host calls at once"},
		{double: "floods-stderr", want: autoclave.WorkerCrashed, says: "stderr"},
		{double: "computes", limits: small, want: autoclave.CPULimit, says: "300ms"},
		{double: "sleeps", limits: small, want: autoclave.Timeout, says: "2s"},
		{double: "never-resets", value: "42"},
		{double: "wrong-generation", value: "42"},
		{double: "after-done", value: "42"},
	} {
		t.Run(c.double, func(t *testing.T) {
			t.Parallel()
			cfg := unconfined(t, c.double)
			cfg.Limits = c.limits
			rt := open(t, cfg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			res, err := rt.Execute(ctx, autoclave.Program{Source: "whatever"}, patient)
			if c.want == "" {
				if err != nil || string(res.Value) != c.value {
					t.Fatalf("got %s, %v; want %s", res.Value, err, c.value)
				}
			} else {
				var typed *autoclave.Error
				if !errors.As(err, &typed) || typed.Code != c.want || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v, want %s with %q", err, c.want, c.says)
				}
				if res.Error != typed || res.OK {
					t.Errorf("the result says %v, Execute says %v", res.Error, typed)
				}
			}
			if res.Worker == nil || res.Worker.PID == 0 {
				t.Fatal("the result names no worker")
			}
			if !c.lives {
				awaitDeath(t, res.Worker.PID)
			}
		})
	}
}

// awaitDeath fails the test where a process that must die goes on.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !alive(pid) {
			return
		}
	}
	t.Errorf("worker %d is alive", pid)
}

// TestStreamedIsNotRepeated: what an EventHost has seen cannot be taken back,
// so a worker that dies after it is not replaced.
func TestStreamedIsNotRepeated(t *testing.T) {
	t.Parallel()
	rt := open(t, unconfined(t, "dies-logged-once"))
	events := &recorder{Host: patient}
	res, err := rt.Execute(t.Context(), autoclave.Program{Source: "x"}, events)
	if !errors.Is(err, autoclave.WorkerCrashed) || len(events.logs) != 1 || len(res.Logs) != 1 {
		t.Errorf("got %v with %d streamed lines, want %s with one", err, len(events.logs), autoclave.WorkerCrashed)
	}
	// Without anybody who listens, the same is repeated.
	rt = open(t, unconfined(t, "dies-logged-once"))
	res, err = rt.Execute(t.Context(), autoclave.Program{Source: "x"}, patient)
	if err != nil || string(res.Value) != "42" || len(res.Logs) != 0 {
		t.Errorf("got %s, %v and logs %v, want 42 of the second worker alone", res.Value, err, res.Logs)
	}
}

// TestWorkersThatDoNotComeUp: Open says why, with the worker's own last words.
func TestWorkersThatDoNotComeUp(t *testing.T) {
	t.Parallel()
	for double, says := range map[string]string{
		"dies-at-start":  "last words: no luck today",
		"other-protocol": "protocol 99",
		"silent":         "deadline",
		"never-armed":    "deadline",
		"garbage-hello":  "protocol violation",
	} {
		t.Run(double, func(t *testing.T) {
			t.Parallel()
			cfg := unconfined(t, double)
			cfg.Pool.SpawnTimeout = 3 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			rt, err := autoclave.Open(ctx, cfg)
			if err == nil {
				closeRuntime(t, rt)
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), says) {
				t.Errorf("Open says %q, want %q in it", err, says)
			}
		})
	}
}
