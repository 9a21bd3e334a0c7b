package gateway_test

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

func withProgress(code string, token any) *mcp.CallToolParams {
	p := &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": code}}
	if token != nil {
		p.SetProgressToken(token)
	}
	return p
}

func TestProgressOfProgram(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		reported := make(chan struct{})
		tools := someTools()
		tools["s.wait"] = func(ctx context.Context, _ json.RawMessage) (string, error) {
			select {
			case <-reported:
				return "{}", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		w := newWorld(t, setup{protocol: protocol, tools: tools})
		done := make(chan *mcp.CallToolResult, 1)
		go func() {
			res, err := w.client.CallTool(context.Background(), withProgress(`progress(1, 4, "a quarter"); await tools.s.wait(); progress(4, 4, "all"); return 1`, "t1"))
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		// The first arrives while the program runs: it goes on only then.
		w.until("the first progress", func() bool { return len(w.progress) > 0 })
		first := w.progress[0]
		if first.Progress != 1 || first.Total != 4 || first.Message != "a quarter" || first.ProgressToken != "t1" {
			t.Errorf("the first is %+v", first)
		}
		close(reported)
		if res := <-done; res == nil || res.IsError {
			t.Fatalf("the program failed: %v", res)
		}
		// What was said last was sent before the result.
		w.until("the last progress", func() bool { return w.progress[len(w.progress)-1].Progress == 4 })
		if last := w.progress[len(w.progress)-1]; last.Message != "all" {
			t.Errorf("the last is %+v", last)
		}
	})
}

func TestProgressOfCalls(t *testing.T) {
	var w *world
	tools := someTools()
	tools["s.heard"] = func(context.Context, json.RawMessage) (string, error) {
		w.until("the progress of the calls before", func() bool {
			return len(w.progress) > 0 && w.progress[len(w.progress)-1].Message == "5 done: s.echo"
		})
		return "{}", nil
	}
	w = newWorld(t, setup{tools: tools})
	// call runs a program and returns its progress, up to what is said last.
	call := func(code string, token any, last string) []*mcp.ProgressNotificationParams {
		t.Helper()
		w.mu.Lock()
		w.progress = nil
		w.mu.Unlock()
		res, err := w.client.CallTool(context.Background(), withProgress(code, token))
		if err != nil || res.IsError {
			t.Fatalf("%v %v", err, res)
		}
		w.until("the last progress", func() bool {
			return last == "" || len(w.progress) > 0 && w.progress[len(w.progress)-1].Message == last
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.progress
	}
	got := call(`for (let i = 0; i < 5; i++) await tools.s.echo({}); await tools.s.heard({}); return 1`, 7, "")
	if i := slices.IndexFunc(got, func(p *mcp.ProgressNotificationParams) bool { return p.Progress == 5 }); i < 0 || got[i].Total != 0 {
		t.Errorf("it was %+v", got)
	}
	// A program that begins to report after some calls: the numbers rise all
	// the same, as the protocol wants it.
	got = call(`for (let i = 0; i < 5; i++) await tools.s.echo({}); progress(0, 2); await tools.s.echo({}); progress(1, 2); progress(2, 2, "end"); progress(1, 2)`, 8, "end")
	for i := 1; i < len(got); i++ {
		if got[i].Progress <= got[i-1].Progress {
			t.Errorf("progress goes from %v to %v", got[i-1].Progress, got[i].Progress)
		}
	}
	if last := got[len(got)-1]; last.Progress != last.Total {
		t.Errorf("the last is %+v: a program that is at its end is at its total", last)
	}
	call(`await tools.s.echo({}); progress(1); return 1`, nil, "")
	if got := call(`progress(1, 1, "marker")`, 9, "marker"); len(got) != 1 {
		t.Errorf("progress came without a token: %+v", got[0])
	}
}

func TestProgressOfOneCall(t *testing.T) {
	var w *world
	total := 4.0
	tools := someTools()
	tools["s.slow"] = func(context.Context, json.RawMessage) (string, error) {
		w.mu.Lock()
		c := w.callers[0].Client
		w.mu.Unlock()
		c.CallProgress("s", "slow", 1, &total, "a quarter")
		w.until("the progress of the call", func() bool { return len(w.progress) > 0 })
		c.CallProgress("s", "slow", 1, nil, "nobody knows of what")
		c.CallProgress("s", "other", 2, &total, "of a call that is not under way")
		return "{}", nil
	}
	w = newWorld(t, setup{tools: tools})
	if res, err := w.client.CallTool(context.Background(), withProgress(`return await tools.s.slow()`, "t")); err != nil || res.IsError {
		t.Fatalf("%v %v", err, res)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// The end of the call may be said or not: it is held back.
	if p := w.progress[0]; len(w.progress) > 2 || p.Progress <= 0 || p.Progress >= 1 || p.Message != "s.slow: a quarter" {
		t.Errorf("%d messages, the first is %+v", len(w.progress), p)
	}
}

// governed is a host that has the last word on what leaves.
type governed struct{ *fakeHost }

func (governed) Text(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }

func (governed) Finish(_ context.Context, _ autoclave.Program, res *autoclave.Result) *autoclave.Result {
	return res
}

// What an upstream says of its progress is no exception.
func TestProgressOfOneCallIsGoverned(t *testing.T) {
	var w *world
	total := 4.0
	tools := map[string]func(context.Context, json.RawMessage) (string, error){
		"s.slow": func(context.Context, json.RawMessage) (string, error) {
			w.mu.Lock()
			c := w.callers[0].Client
			w.mu.Unlock()
			c.CallProgress("s", "slow", 1, &total, "logging in with hunter2")
			w.until("the progress of the call", func() bool { return len(w.progress) > 0 })
			return "{}", nil
		},
	}
	w = newWorld(t, setup{config: func(c *gateway.Config) {
		c.NewHost = func(caller gateway.Caller) (autoclave.Host, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.callers = append(w.callers, caller)
			return governed{&fakeHost{tools: tools}}, nil
		}
	}})
	if res, err := w.client.CallTool(context.Background(), withProgress(`return await tools.s.slow()`, "t")); err != nil || res.IsError {
		t.Fatalf("%v %v", err, res)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.progress[0].Message; got != "s.slow: logging in with ***" {
		t.Errorf("the client heard %q", got)
	}
}

func TestLogMessages(t *testing.T) {
	w := newWorld(t, setup{protocol: legacy})
	const code = `console.debug("d"); console.log("l"); console.warn("w"); console.error("e", { a: 1 })`
	w.value(code)
	w.value(`return 1`)
	if len(w.logs) != 0 {
		t.Errorf("lines were sent to a client that asked for none: %v", w.logs)
	}
	if err := w.client.SetLoggingLevel(context.Background(), &mcp.SetLoggingLevelParams{Level: "info"}); err != nil {
		t.Fatal(err)
	}
	w.value(code)
	w.until("three lines", func() bool { return len(w.logs) >= 3 })
	if got, want := strings.Join(w.logs, "|"), "info l|warning w|error e { a: 1 }"; got != want {
		t.Errorf("the lines are %q, want %q", got, want)
	}
}

func TestLogMessagesOfNewestProtocol(t *testing.T) {
	w := newWorld(t, setup{})
	p := &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `console.log("l"); console.warn("w")`}}
	p.Meta = mcp.Meta{"io.modelcontextprotocol/logLevel": "warning"}
	if res, err := w.client.CallTool(context.Background(), p); err != nil || res.IsError {
		t.Fatalf("%v %v", err, res)
	}
	w.until("a line", func() bool { return len(w.logs) > 0 })
	if got := strings.Join(w.logs, "|"); got != "warning w" {
		t.Errorf("the lines are %q", got)
	}
}

func TestCancel(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		started, ended := make(chan struct{}), make(chan error, 1)
		tools := someTools()
		tools["s.wait"] = func(ctx context.Context, _ json.RawMessage) (string, error) {
			close(started)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return "", ctx.Err()
		}
		w := newWorld(t, setup{protocol: protocol, tools: tools})
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		go func() {
			_, err := w.client.CallTool(ctx, &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{
				// It does not end by itself when its call fails.
				"code": `try { await tools.s.wait() } catch {} ; for (;;) {}`,
			}})
			failed <- err
		}()
		<-started
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("the client's call: %v", err)
		}
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatal("the host call was not cancelled")
		}
		// The worker was killed and replaced; the session lives on.
		if got := w.value(`return 2`); got != "2" {
			t.Errorf("afterwards: %s", got)
		}
	})
}

func TestShutdown(t *testing.T) {
	started := make(chan struct{}, 2)
	tools := someTools()
	tools["s.wait"] = func(ctx context.Context, _ json.RawMessage) (string, error) {
		started <- struct{}{}
		<-ctx.Done()
		return "", ctx.Err()
	}
	w := newWorld(t, setup{tools: tools})
	done := make(chan *mcp.CallToolResult, 1)
	go func() {
		res, err := w.client.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `await tools.s.wait()`}})
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	closed := make(chan error, 1)
	go func() { closed <- w.gateway.Close(ctx) }()
	// New ones are refused while the old ones may still end.
	for {
		res, err := w.client.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return 1`}})
		if err != nil {
			t.Fatal(err)
		}
		if res.IsError {
			if !strings.Contains(text(res), "SHUTTING_DOWN: ") {
				t.Errorf("a new one: %s", text(res))
			}
			break
		}
	}
	cancel()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if res := <-done; res == nil || !strings.Contains(text(res), "SHUTTING_DOWN: ") {
		t.Errorf("the one that was under way: %v", res)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	started := make(chan struct{})
	tools := someTools()
	tools["s.wait"] = func(ctx context.Context, _ json.RawMessage) (string, error) {
		close(started)
		<-ctx.Done()
		return "", ctx.Err()
	}
	w := newWorld(t, setup{tools: tools})
	ours, theirs := mcp.NewInMemoryTransports()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.gateway.Serve(ctx, ours) }()
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(context.Background(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	done := make(chan *mcp.CallToolResult, 1)
	go func() {
		res, err := client.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `await tools.s.wait()`}})
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	<-started
	cancel()
	if res := <-done; res == nil || !strings.Contains(text(res), "SHUTTING_DOWN: ") {
		t.Errorf("the one that was under way: %v", res)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// What a user leaves out of a form stays out, whatever the schema has for it:
// nobody answers in his name. And what he answers is for the server that asked
// to judge.
func TestFormIsNotFilledIn(t *testing.T) {
	var w *world
	tools := someTools()
	tools["s.elicit"] = askTool(&w, "elicitation/create", `{"message":"?","requestedSchema":{"type":"object","properties":{`+
		`"zebra":{"type":"string"},"agree":{"type":"boolean","default":true},"count":{"type":"integer","minimum":3,"default":4}},"required":["zebra"]}}`)
	w = newWorld(t, setup{tools: tools})
	ours, theirs := mcp.NewInMemoryTransports()
	served := make(chan error, 1)
	go func() { served <- w.gateway.Serve(context.Background(), ours) }()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}},
	})
	var shown []byte
	var answer map[string]any
	// Before the SDK's client fills in the defaults itself.
	client.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			p, ok := req.GetParams().(*mcp.ElicitParams)
			if !ok {
				return next(ctx, method, req)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			var err error
			shown, err = json.Marshal(p.RequestedSchema)
			return &mcp.ElicitResult{Action: "accept", Content: answer}, err
		}
	})
	cs, err := client.Connect(context.Background(), theirs, &mcp.ClientSessionOptions{ProtocolVersion: legacy})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		answer map[string]any
		want   string
	}{
		{map[string]any{"zebra": "x"}, `{"zebra":"x"}`},
		{map[string]any{"zebra": "x", "agree": false}, `{"agree":false,"zebra":"x"}`},
		{map[string]any{"count": 1}, `{"count":1}`}, // which the schema does not allow
	} {
		w.mu.Lock()
		answer = c.answer
		w.mu.Unlock()
		res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{
			"code": `const c = (await tools.s.elicit()).content; return Object.fromEntries(Object.entries(c).sort())`,
		}})
		if err != nil || text(res) != c.want {
			t.Errorf("the answer is %v %s, want %s", err, text(res), c.want)
		}
	}
	w.mu.Lock()
	if !strings.Contains(string(shown), `"default":true`) || !strings.Contains(string(shown), `"required":["zebra"]`) {
		t.Errorf("the client was shown %s", shown)
	}
	w.mu.Unlock()
	if err := errors.Join(cs.Close(), <-served); err != nil {
		t.Error(err)
	}
}

// askTool makes the upstream ask the session's client.
func askTool(w **world, method, params string) func(context.Context, json.RawMessage) (string, error) {
	return func(ctx context.Context, _ json.RawMessage) (string, error) {
		(*w).mu.Lock()
		client := (*w).callers[len((*w).callers)-1].Client
		(*w).mu.Unlock()
		raw, err := client.Ask(ctx, method, json.RawMessage(params))
		if err != nil {
			var rpc *jsonrpc.Error
			if !errors.As(err, &rpc) {
				return "", errors.New("not a JSON-RPC error: " + err.Error())
			}
			return "", autoclave.Errorf(autoclave.UpstreamError, "refused with %d: %s", rpc.Code, rpc.Message)
		}
		return string(raw), nil
	}
}

func TestQuestions(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		var w *world
		var asked []string
		tools := someTools()
		const form = `{"message":"Which one?","requestedSchema":{"type":"object","properties":{"zebra":{"type":"string"},"ape":{"type":"string"}}}}`
		tools["s.elicit"] = askTool(&w, "elicitation/create", form)
		tools["s.sample"] = askTool(&w, "sampling/createMessage", `{"messages":[{"role":"user","content":{"type":"text","text":"?"}}],"maxTokens":5}`)
		tools["s.roots"] = askTool(&w, "roots/list", ``)
		w = newWorld(t, setup{protocol: protocol, tools: tools, options: func(o *mcp.ClientOptions) {
			o.Capabilities = nil
			o.ElicitationHandler = func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				w.mu.Lock()
				asked = append(asked, r.Params.Message)
				w.mu.Unlock()
				return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"zebra": "this one"}}, nil
			}
			o.CreateMessageHandler = func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
				return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "sampled"}}, nil
			}
		}})
		w.client.CallTool(context.Background(), &mcp.CallToolParams{Name: "search", Arguments: map[string]any{"query": ""}})
		if got := w.value(`const r = await tools.s.elicit(); return [r.action, r.content.zebra]`); got != `["accept","this one"]` {
			t.Errorf("elicitation: %s", got)
		}
		// More rounds than one, with console lines and progress in between.
		got := w.value(`console.log("before"); const a = await tools.s.elicit(); const b = await tools.s.sample(); const c = await tools.s.elicit(); return [a.action, b.content, c.content.zebra]`)
		if !strings.Contains(got, "sampled") || !strings.HasSuffix(got, `"this one"]`) {
			t.Errorf("several: %s", got)
		}
		// At the same time.
		got = w.value(`const r = await parallel([() => tools.s.elicit(), () => tools.s.elicit(), () => tools.s.sample()]); return r.length`)
		if got != "3" {
			t.Errorf("in parallel: %s", got)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(asked) != 5 || asked[0] != "Which one?" {
			t.Errorf("the user was asked %v", asked)
		}
	})
}

func TestQuestionsThatClientCannotAnswer(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		var w *world
		tools := someTools()
		tools["s.elicit"] = askTool(&w, "elicitation/create", `{"message":"?"}`)
		tools["s.roots"] = askTool(&w, "roots/list", ``)
		tools["s.odd"] = askTool(&w, "something/else", `{}`)
		w = newWorld(t, setup{protocol: protocol, tools: tools})
		for _, tool := range []string{"elicit", "roots", "odd"} {
			res := w.execute(`return await tools.s.` + tool + `()`)
			if !res.IsError || !strings.Contains(text(res), "refused with -32601: the client does not answer ") {
				t.Errorf("%s: %s", tool, text(res))
			}
		}
	})
}

// A client that leaves with a question open leaves nothing behind.
func TestQuestionIsNotAnswered(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		var w *world
		tools := someTools()
		tools["s.elicit"] = askTool(&w, "elicitation/create", `{"message":"?"}`)
		w = newWorld(t, setup{
			protocol: protocol, tools: tools,
			config: func(c *gateway.Config) { c.AnswerTimeout = 50 * time.Millisecond },
			options: func(o *mcp.ClientOptions) {
				o.ElicitationHandler = func(ctx context.Context, _ *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			},
		})
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		res, err := w.client.CallTool(ctx, &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return await tools.s.elicit()`}})
		if err == nil && !strings.Contains(text(res), "refused with -32603") {
			t.Errorf("the answer is %s", text(res))
		}
	})
}

func TestForgedState(t *testing.T) {
	w := newWorld(t, setup{})
	p := &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return 1`}, RequestState: "forged"}
	res, err := w.client.CallTool(context.Background(), p)
	if err != nil || !res.IsError || !strings.Contains(text(res), "no execution waits for these answers") {
		t.Errorf("%v %v", err, res)
	}
}

// Two programs of one client are one person to an upstream.
func TestClientsAreEqual(t *testing.T) {
	w := newWorld(t, setup{})
	w.value(`return 1`)
	w.value(`return 2`)
	other, _ := w.connect(setup{})
	if _, err := other.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return 3`}}); err != nil {
		t.Fatal(err)
	}
	if w.callers[0].Client != w.callers[1].Client {
		t.Error("the clients of one session differ")
	}
	if w.callers[0].Client == w.callers[2].Client {
		t.Error("the clients of two sessions are equal")
	}
	if a, b := w.callers[0], w.callers[2]; a.Session == "" || a.Session == b.Session || a.Principal != "local" {
		t.Errorf("the callers are %+v and %+v", a, b)
	}
	// When no call is under way there is nobody to ask.
	if c := w.callers[0].Client; c.Can("elicitation/create") {
		t.Error("a client can be asked when none of its programs waits for a call")
	} else if _, err := c.Ask(context.Background(), "elicitation/create", nil); err == nil {
		t.Error("a client was asked when none of its programs waits for a call")
	}
}
