package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What follows is issued by the client of the official TypeScript SDK, to
// `autoclave serve` as a process of its own, over servers as they are on npm.

// patience is how long what must happen may take on a machine that is busy with
// other tests.
const patience = 60 * time.Second

// sdkClient is a process with the official client in it, and that client's
// server.
type sdkClient struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	ended  chan struct{} // closed when its output has ended
	stderr bytes.Buffer  // to be read when it has ended

	mu      sync.Mutex
	last    int
	events  []sdkEvent
	answers map[int]sdkAnswer
	news    chan struct{} // closed, and replaced, when there is one more of either
}

type sdkEvent struct {
	Event  string          `json:"event"`
	Of     int             `json:"of"` // the call that progress is of
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Text   string          `json:"text"`
}

type sdkAnswer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    any    `json:"code"` // a number, or in v2 a name
		Message string `json:"message"`
	} `json:"error"`
}

// toolResult is the result of a tool, as the client's SDK hands it on.
type toolResult struct {
	Content []struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Data     string `json:"data"`
		MIMEType string `json:"mimeType"`
		URI      string `json:"uri"`
		Resource struct {
			URI  string `json:"uri"`
			Text string `json:"text"`
		} `json:"resource"`
	} `json:"content"`
	Structured struct {
		Value json.RawMessage `json:"value"`
		Error *struct {
			Code       string `json:"code"`
			Message    string `json:"message"`
			Suggestion string `json:"suggestion"`
			Line       int    `json:"line"`
		} `json:"error"`
		Calls []struct {
			Server, Tool string
			OK           bool
		} `json:"calls"`
		Logs []struct{ Level, Text string } `json:"logs"`
	} `json:"structuredContent"`
	IsError bool `json:"isError"`
}

func (r toolResult) text() string {
	if len(r.Content) == 0 {
		return ""
	}
	return r.Content[0].Text
}

// sdkOptions say what the client connects to. Command is by default the
// command under test.
type sdkOptions struct {
	// SDK is "v1", the default, which most clients have, or "v2", which knows
	// the protocol 2026-07-28.
	SDK     string   `json:"sdk"`
	Command string   `json:"command"`
	Args    []string `json:"args"`
	// Env goes to the server with what the SDK gives every server: PATH, HOME
	// and the like.
	Env     map[string]string `json:"env,omitempty"`
	Answers map[string]any    `json:"answers,omitempty"` // by capability
	Modules string            `json:"modules"`
}

// bothSDKs runs f with each generation of the SDK.
func bothSDKs(t *testing.T, f func(t *testing.T, sdk string)) {
	t.Parallel()
	for _, sdk := range []string{"v1", "v2"} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			f(t, sdk)
		})
	}
}

func startSDK(t *testing.T, o sdkOptions) *sdkClient {
	t.Helper()
	o.Modules = filepath.Join(needsNode(t), "node_modules")
	if o.Command == "" {
		o.Command = self(t)
	}
	if o.SDK == "" {
		o.SDK = "v1"
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &sdkClient{t: t, ended: make(chan struct{}), answers: map[int]sdkAnswer{}, news: make(chan struct{})}
	c.cmd = exec.Command("node", "testdata/e2e/client.mjs", string(text))
	c.cmd.Stderr = &c.stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go c.read(out)
	t.Cleanup(c.stop)
	if e := c.await("the connection", func(e sdkEvent) bool { return e.Event == "connected" || e.Event == "failed" }); e.Event == "failed" {
		t.Fatalf("the client could not connect: %s", e.Text)
	}
	return c
}

func (c *sdkClient) read(out io.Reader) {
	defer close(c.ended)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var e sdkEvent
		var a sdkAnswer
		if err := json.Unmarshal(line, &e); err != nil {
			c.t.Errorf("the client wrote what is no JSON: %s", line)
			continue
		}
		c.mu.Lock()
		if e.Event != "" {
			c.events = append(c.events, e)
		} else if err := json.Unmarshal(line, &a); err != nil {
			c.t.Errorf("the client wrote an answer that cannot be read: %v: %s", err, line)
		} else {
			c.answers[a.ID] = a
		}
		close(c.news)
		c.news = make(chan struct{})
		c.mu.Unlock()
	}
}

// stop closes the client, which closes the server's input, and waits for it.
func (c *sdkClient) stop() {
	_ = c.in.Close()
	select {
	case <-c.ended:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		c.t.Error("the client did not end")
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the client: %v\n%s", err, &c.stderr)
	}
}

// until waits until get finds something, and looks whenever there is news.
func until[T any](c *sdkClient, what string, get func() (T, bool)) T {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		v, ok := get()
		news := c.news
		c.mu.Unlock()
		if ok {
			return v
		}
		select {
		case <-news:
		case <-c.ended:
			c.t.Fatalf("%s: the client has ended", what)
		case <-deadline:
			c.t.Fatalf("%s did not come", what)
		}
	}
}

// await waits for an event, and returns the first that fits.
func (c *sdkClient) await(what string, fits func(sdkEvent) bool) sdkEvent {
	c.t.Helper()
	return until(c, what, func() (sdkEvent, bool) {
		for _, e := range c.events {
			if fits(e) {
				return e, true
			}
		}
		return sdkEvent{}, false
	})
}

// progress returns what was said of a call so far.
func (c *sdkClient) progress(of int) (all []sdkProgress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.Event == "progress" && e.Of == of {
			var p sdkProgress
			if err := json.Unmarshal(e.Params, &p); err != nil {
				c.t.Errorf("progress that cannot be read: %s", e.Params)
			}
			all = append(all, p)
		}
	}
	return all
}

type sdkProgress struct {
	Progress float64 `json:"progress"`
	Total    float64 `json:"total"`
	Message  string  `json:"message"`
}

// begin sends a command, and returns its id.
func (c *sdkClient) begin(op string, fields map[string]any) int {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	command := map[string]any{"id": c.last, "op": op}
	maps.Copy(command, fields)
	line, err := json.Marshal(command)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("writing to the client: %v", err)
	}
	return c.last
}

func (c *sdkClient) answer(id int) sdkAnswer {
	c.t.Helper()
	return until(c, fmt.Sprintf("the answer to command %d", id), func() (sdkAnswer, bool) {
		a, ok := c.answers[id]
		return a, ok
	})
}

// do has the client do op, and reads the result into v, where v is not nil.
func (c *sdkClient) do(op string, fields map[string]any, v any) {
	c.t.Helper()
	c.decode(c.answer(c.begin(op, fields)), v)
}

func (c *sdkClient) decode(a sdkAnswer, v any) {
	c.t.Helper()
	if a.Error != nil {
		c.t.Fatalf("the client was answered with error %v: %s", a.Error.Code, a.Error.Message)
	}
	if v != nil {
		if err := json.Unmarshal(a.Result, v); err != nil {
			c.t.Fatalf("%v: %s", err, a.Result)
		}
	}
}

func (c *sdkClient) call(tool string, args map[string]any) (res toolResult) {
	c.t.Helper()
	c.do("call", map[string]any{"tool": tool, "args": args}, &res)
	return res
}

func (c *sdkClient) execute(code string) toolResult {
	c.t.Helper()
	return c.call("execute", map[string]any{"code": code})
}

// beginExecute starts a program, and returns the id of the call.
func (c *sdkClient) beginExecute(code string) int {
	c.t.Helper()
	return c.begin("call", map[string]any{"tool": "execute", "args": map[string]any{"code": code}})
}

func (c *sdkClient) result(id int) (res toolResult) {
	c.t.Helper()
	c.decode(c.answer(id), &res)
	return res
}

// value runs a program that must succeed, and holds its value to want.
func (c *sdkClient) value(code, want string) {
	c.t.Helper()
	res := c.execute(code)
	if res.IsError || !sameJSON(c.t, string(res.Structured.Value), want) {
		c.t.Errorf("%s\ngot  %s %s\nwant %s", code, res.Structured.Value, res.text(), want)
	}
}

type sdkAbout struct {
	PID          int    `json:"pid"`
	Protocol     string `json:"protocol"`
	Instructions string `json:"instructions"`
	Stderr       string `json:"stderr"`
	Server       struct{ Name, Version string }
	Capabilities map[string]any
}

func (c *sdkClient) about() (a sdkAbout) {
	c.t.Helper()
	c.do("about", nil, &a)
	return a
}

// self is the command under test: TestMain runs it where the first argument is
// one of its subcommands.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// mcpServer is an entry of mcp.json.
type mcpServer struct {
	Command string            `json:"command"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

// npmServer is a server of test/npm.
func npmServer(t *testing.T, name string, args ...string) mcpServer {
	t.Helper()
	return mcpServer{Command: filepath.Join(needsNode(t), "node_modules", ".bin", "mcp-server-"+name), Args: args}
}

// ourServer is a server of testdata/e2e, which writes to the journal.
func ourServer(t *testing.T, journal, file string, args ...string) mcpServer {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "e2e", file))
	if err != nil {
		t.Fatal(err)
	}
	return mcpServer{Command: "node", Args: append([]string{path}, args...), Env: map[string]string{"JOURNAL": journal}}
}

// peerServer is the server of the official SDK in testdata/e2e.
func peerServer(t *testing.T, journal string) mcpServer {
	t.Helper()
	return ourServer(t, journal, "peer.mjs", filepath.Join(needsNode(t), "node_modules"))
}

// mcpConfig writes an mcp.json, and returns the arguments with which serve reads
// it.
func mcpConfig(t *testing.T, servers map[string]mcpServer) []string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"serve", "--mcp-config", writeFile(t, "mcp.json", string(text))}
}

// tomlConfig is mcpConfig with an autoclave.toml, which can say more.
func tomlConfig(t *testing.T, servers map[string]mcpServer, more string) []string {
	t.Helper()
	var b strings.Builder
	b.WriteString(more + "\n")
	for name, s := range servers {
		args, err := json.Marshal(append([]string{}, s.Args...)) // never null
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "[servers.%s]\ncommand = %q\nargs = %s\n", name, s.Command, args)
		for k, v := range s.Env {
			fmt.Fprintf(&b, "env.%s = %q\n", k, v)
		}
	}
	return []string{"serve", "--config", writeFile(t, "autoclave.toml", b.String())}
}

// readJournal waits until the journal has all of want, and returns it.
func readJournal(t *testing.T, path string, want ...string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		text, _ := os.ReadFile(path)
		missing := ""
		for _, w := range want {
			if !bytes.Contains(text, []byte(w)) {
				missing = w
			}
		}
		if missing == "" {
			return string(text)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the journal lacks %q:\n%s", missing, text)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// inspect runs the MCP Inspector's command line over a server.
func inspect(t *testing.T, server, args []string) string {
	t.Helper()
	bin := filepath.Join(needsNode(t), "node_modules", ".bin", "mcp-inspector")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, slices.Concat([]string{"--cli"}, server, args)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the inspector: %v\n%s%s", err, out, &stderr)
	}
	return string(out)
}
