package autoclave_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{})
	host := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		switch c.Tool {
		case "panics":
			panic("boom")
		case "fails":
			return autoclave.Value{}, errors.New("the line is dead")
		case "denies":
			return autoclave.Value{}, &autoclave.Error{Code: autoclave.PolicyDenied, Message: "not you", Suggestion: "Ask first."}
		case "nothing":
			return autoclave.Value{}, nil
		}
		return autoclave.JSONValue(c.Tool)
	})
	source := `async () => {
		const out = {};
		for (const tool of ["panics", "fails", "denies"]) {
			try { await tools.s[tool]() } catch (e) {
				out[tool] = [e instanceof HostError, e.code, e.message, e.server, e.tool, e.suggestion];
			}
		}
		out.nothing = typeof await tools.s.nothing();
		return out;
	}`
	res := execute(t, rt, source, host)
	want := `{"panics":[true,"INTERNAL","the host failed on this call","s","panics",null],` +
		`"fails":[true,"UPSTREAM_ERROR","the line is dead","s","fails",null],` +
		`"denies":[true,"POLICY_DENIED","not you","s","denies","Ask first."],"nothing":"undefined"}`
	if string(res.Value) != want {
		t.Errorf("got  %s\nwant %s", res.Value, want)
	}
	// What is not caught keeps its code, and gets the author's line.
	_, err := rt.Execute(t.Context(), autoclave.Program{Source: "const x = 1\nawait tools.s.denies()"}, host)
	var typed *autoclave.Error
	if !errors.As(err, &typed) || typed.Code != autoclave.PolicyDenied || typed.Line != 2 || typed.Suggestion != "Ask first." || typed.Tool != "denies" {
		t.Errorf("uncaught: %+v", typed)
	}
}

// TestHostThatDoesNotListen: a call ends with its time limit, whatever the
// host does.
func TestHostThatDoesNotListen(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Limits: autoclave.Limits{CallTimeout: 100 * time.Millisecond}})
	release := make(chan struct{})
	deaf := autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
		<-release
		return autoclave.JSONValue("late")
	})
	res := execute(t, rt, `try { return await tools.s.t() } catch (e) { return e.code }`, deaf)
	close(release)
	if string(res.Value) != `"UPSTREAM_TIMEOUT"` || len(res.Calls) != 1 || res.Calls[0].Code != autoclave.UpstreamTimeout {
		t.Errorf("value %s, calls %+v", res.Value, res.Calls)
	}
	// A host that has stopped the clock has the time that it needs.
	asks := autoclave.HostFunc(func(ctx context.Context, _ autoclave.ToolCall) (autoclave.Value, error) {
		defer autoclave.PauseClock(ctx)()
		select {
		case <-time.After(400 * time.Millisecond):
			return autoclave.JSONValue("asked")
		case <-ctx.Done():
			return autoclave.Value{}, ctx.Err()
		}
	})
	if res := execute(t, rt, `await tools.s.t()`, asks); string(res.Value) != `"asked"` {
		t.Errorf("value %s", res.Value)
	}
}

// TestHostsOwnCodes: a program that does not catch what the host said ends with
// the host's code, whichever it is.
func TestHostsOwnCodes(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: oneWorker()})
	for _, code := range []autoclave.Code{autoclave.Overloaded, autoclave.Cancelled, autoclave.ShuttingDown, autoclave.Internal, autoclave.CircuitOpen} {
		says := autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
			return autoclave.Value{}, &autoclave.Error{Code: code, Message: "so it is"}
		})
		if _, err := rt.Execute(t.Context(), autoclave.Program{Source: `await tools.s.t()`}, says); !errors.Is(err, code) {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	// A call that ends because the execution's context does is not the
	// worker's fault.
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		ends := autoclave.HostFunc(func(inner context.Context, _ autoclave.ToolCall) (autoclave.Value, error) {
			cancel()
			<-inner.Done()
			return autoclave.Value{}, inner.Err()
		})
		if _, err := rt.Execute(ctx, autoclave.Program{Source: `await tools.s.t()`}, ends); !errors.Is(err, autoclave.Cancelled) || !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		cancel()
	}
}

type panicking struct{ autoclave.Host }

func (panicking) Log(autoclave.LogEntry)      { panic("no ears") }
func (panicking) Emit(json.RawMessage)        {}
func (panicking) Progress(autoclave.Progress) {}

// TestPanickingEventHost: the panic is its caller's, the worker does not stay
// lent.
func TestPanickingEventHost(t *testing.T) {
	t.Parallel()
	rt := open(t, autoclave.Config{Pool: oneWorker()})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = rt.Execute(t.Context(), autoclave.Program{Source: `console.log(1); await sleep(1)`}, panicking{patient})
	}()
	if res := execute(t, rt, `2`, patient); string(res.Value) != "2" {
		t.Errorf("afterwards: %s", res.Value)
	}
}
