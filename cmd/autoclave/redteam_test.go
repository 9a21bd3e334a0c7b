package main

//lint:file-ignore SA1019 sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The red team: programs that try to have a forbidden call made, or to get a
// secret out. Each runs through all that a real one runs through: a client, the
// gateway with a configuration that was read from a file, a worker, and the
// choke point. Each is judged by what has arrived at the servers and by all that
// the client got to see, not by what the program says of itself.

// redWorld is a gateway over HTTP in this process, and its servers.
type redWorld struct {
	t       *testing.T
	url     string
	servers map[string]*recorder
	audit   string
	logged  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// redTools are those of the servers without a group.
var redTools = []string{
	redTool("echo", ""), redTool("half", ""), redTool("reveal", ""), redTool("slow", ""), redTool("pose", ""), redTool("sample", ""), redTool("limited", ""),
	redTool("wipe", ""), redTool("wipe-all", ""), redTool("purge", `"annotations":{"destructiveHint":true}`),
	redTool("pay", ""), redTool("refund", ""),
}

// redRules are the rules of all worlds.
const redRules = `
[policy]
default = "allow"
[[rule]]
name = "no wiping"
action = "deny"
tool = "wipe*"
[[rule]]
name = "nothing that says that it destroys"
action = "deny"
tool = "purge*"
destructive = true
[[rule]]
name = "money is asked about"
action = "ask"
tool = ["pay", "refund"]
[[rule]]
name = "sealed"
action = "deny"
resource = "sealed://*"
[groups.inner]
servers = ["vault", "vault2"]
strict = true
[groups.deep]
servers = ["cellar"]
strict = true
[pool]
max_workers = 4
spawn_timeout = "60s"
health_check_timeout = "30s"
[limits]
cpu = "2m"
wall = "4m"
`

// startRed starts a world. more is added to its configuration; the audit goes
// to the path, by default to a file of its own.
func startRed(t *testing.T, more, auditPath string) *redWorld {
	t.Helper()
	w := &redWorld{t: t, servers: map[string]*recorder{}, audit: auditPath, logged: &lockedBuffer{}}
	if w.audit == "" {
		w.audit = filepath.Join(t.TempDir(), "audit.jsonl")
	}
	var text strings.Builder
	if !strings.Contains(more, "[policy]") {
		text.WriteString(redRules)
	}
	fmt.Fprintf(&text, "%s\n[redaction]\nsecrets = [%q]\n[audit]\npath = %q\n", more, redSecret, w.audit)
	for _, name := range []string{"work", "out"} {
		w.servers[name] = newRecorder(t, name, redTools...)
	}
	for _, name := range []string{"vault", "vault2", "cellar"} {
		w.servers[name] = newRecorder(t, name, redTool("vault", ""), redTool("echo", ""))
	}
	for name, r := range w.servers {
		own := ""
		if name == "work" {
			own = fmt.Sprintf("headers = { Authorization = \"Bearer %s\" }\ntool_rates = { limited = \"3/h burst 3\" }\n", redHeader)
		}
		text.WriteString(r.config(own))
	}
	text.WriteString("[[http.token]]\nprincipal = \"alice\"\ntoken = \"alice-alice-alice-alice\"\n[[http.token]]\nprincipal = \"bob\"\ntoken = \"bob-bob-bob-bob-bob\"\n")
	w.serve(writeFile(t, "autoclave.toml", text.String()))
	return w
}

// serve starts the command, and waits until it listens.
func (w *redWorld) serve(path string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	cmd := newServe(&global{})
	cmd.SetArgs([]string{"--config", path, "--http", "127.0.0.1:0"})
	cmd.SetErr(in)
	cmd.SetOut(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	ended := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(ctx)
		_ = in.Close()
		ended <- err
	}()
	lines := bufio.NewReader(out)
	for w.url == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			w.t.Fatalf("serve: %v; %s", <-ended, w.logged)
		}
		if _, url, ok := strings.Cut(line, "serving MCP at "); ok {
			w.url = strings.TrimSpace(url)
		}
		_, _ = w.logged.Write([]byte(line))
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(w.logged, lines)
	}()
	w.t.Cleanup(func() {
		for _, r := range w.servers {
			r.web.CloseClientConnections()
		}
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("serve: %v", err)
			}
		case <-time.After(patience):
			w.t.Error("serve did not end")
		}
		<-read
	})
}

// arrived returns what has arrived at all servers, and forgets it.
func (w *redWorld) arrived() (all []arrival) {
	for _, name := range []string{"work", "out", "vault", "vault2", "cellar"} {
		all = append(all, w.servers[name].seen()...)
	}
	return all
}

// model is a client, and all that it got to see.
type model struct {
	w  *redWorld
	cs *mcp.ClientSession

	mu     sync.Mutex
	saw    []string // JSON
	asked  []string // the messages that the person was shown, or that it was asked itself
	person func(n int, message string) *mcp.ElicitResult
}

func answered(answer string) *mcp.ElicitResult {
	return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": answer}}
}

// always is a person who answers everything the same.
func always(answer string) func(int, string) *mcp.ElicitResult {
	return func(int, string) *mcp.ElicitResult { return answered(answer) }
}

// redClient is whom a model connects as.
type redClient struct {
	token    string // default: alice's
	protocol string // default: 2025-11-25
	// person answers what the n-th question was, from 1. Nil: the client has
	// not declared elicitation.
	person func(n int, message string) *mcp.ElicitResult
	// samples says that the client's own model can be asked.
	samples bool
}

func (w *redWorld) connect(t *testing.T, c redClient) *model {
	t.Helper()
	m := &model{w: w, person: c.person}
	options := &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { m.see(r.Params) },
		LoggingMessageHandler:       func(_ context.Context, r *mcp.LoggingMessageRequest) { m.see(r.Params) },
	}
	if c.person != nil {
		options.ElicitationHandler = func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			m.mu.Lock()
			m.asked = append(m.asked, r.Params.Message)
			n := len(m.asked)
			m.mu.Unlock()
			return m.person(n, r.Params.Message), nil
		}
	}
	if c.samples {
		options.CreateMessageHandler = func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			raw, err := json.Marshal(r.Params)
			m.mu.Lock()
			m.asked = append(m.asked, string(raw))
			m.mu.Unlock()
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "well"}}, err
		}
	}
	token, protocol := c.token, c.protocol
	if token == "" {
		token = "alice-alice-alice-alice"
	}
	if protocol == "" {
		protocol = "2025-11-25"
	}
	cs, err := mcp.NewClient(&mcp.Implementation{Name: "red", Version: "1"}, options).Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: w.url, HTTPClient: &http.Client{Transport: bearer(token)}, MaxRetries: -1, DisableStandaloneSSE: true,
	}, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
	if err != nil {
		t.Fatal(err)
	}
	m.cs = cs
	t.Cleanup(func() { _ = cs.Close() })
	if protocol < "2026" {
		if err := cs.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
			t.Fatal(err)
		}
	}
	m.see(cs.InitializeResult())
	return m
}

func (m *model) see(v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = []byte(err.Error())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saw = append(m.saw, string(raw))
}

func (m *model) questions() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

func (m *model) view() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.saw, "\n")
}

func (m *model) call(t *testing.T, tool string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	params := &mcp.CallToolParams{Name: tool, Arguments: args}
	params.SetProgressToken("progress")
	res, err := m.cs.CallTool(ctx, params)
	if err != nil {
		m.see(err.Error())
		t.Fatalf("%s: %v", tool, err)
	}
	m.see(res)
	for _, c := range res.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			m.see(text.Text)
		}
	}
	return res
}

// run runs a program, and returns its text.
func (m *model) run(t *testing.T, code string) string {
	t.Helper()
	return firstText(m.call(t, "execute", map[string]any{"code": code}))
}

// forbidden are the tools that no attempt may reach, and askedFor those that
// none may reach without a person's yes.
var (
	forbidden = []string{"wipe", "wipe-all", "purge"}
	askedFor  = []string{"pay", "refund"}
	declared  = []string{"echo", "half", "reveal", "slow", "pose", "sample", "limited", "vault"}
)

// judge holds what has arrived, and what the model saw, to what may be.
func judge(t *testing.T, m *model, arrived []arrival) {
	t.Helper()
	for _, a := range arrived {
		name := a.Name
		switch {
		case !a.Resource && slices.Contains(forbidden, name) || a.Resource && strings.HasPrefix(name, "sealed:"):
			t.Errorf("a forbidden call has arrived: %s %s", a, a.Args)
		case slices.Contains(askedFor, name):
			t.Errorf("a call that nobody has allowed has arrived: %s %s", a, a.Args)
		case !a.Resource && !slices.Contains(declared, name):
			t.Errorf("a call of what is not there has arrived: %s %s", a, a.Args)
		}
		if (a.Server == "work" || a.Server == "out") && strings.Contains(a.Args, vaultData) {
			t.Errorf("data of a strict group has arrived at %s: %s", a, a.Args)
		}
	}
	for _, secret := range []string{redSecret, redHeader} {
		if found := leaks(m.view(), secret); found != "" {
			t.Errorf("the client saw of a secret: %q", found)
		}
	}
}

// attempt is what a program tries.
type attempt struct {
	name string
	code []string // programs of one session, one after the other
	// sees is in the text of the last program: it shows that the attempt has
	// come as far as it was meant to.
	sees string
	// wants is how often what arrives, as tally has it. "*": anything that
	// judge lets pass.
	wants string
}

func (a attempt) in(t *testing.T, w *redWorld) {
	w.arrived()
	m := w.connect(t, redClient{})
	var text string
	for _, code := range a.code {
		text = m.run(t, code)
	}
	if !strings.Contains(text, a.sees) {
		t.Errorf("the program says %.1500s, want %q in it", text, a.sees)
	}
	got := w.arrived()
	judge(t, m, got)
	if a.wants != "*" && tally(got) != a.wants {
		t.Errorf("what arrived: %s, want %q", tally(got), a.wants)
	}
}

// attempts runs them one after the other: what arrives is one's alone.
func (w *redWorld) attempts(t *testing.T, all []attempt) {
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) { a.in(t, w) })
	}
}

// codes is a program that runs each expression of a call, and returns the codes
// of what came of it, joined.
func codesOf(expressions ...string) string {
	return "const all = [" + asyncs(expressions) + "];\n" +
		`const out = []; for (const f of all) { try { await f(); out.push("OK"); } catch (e) { out.push(e.code ?? e.name); } } return [...new Set(out)].sort().join(",");`
}

func asyncs(expressions []string) string {
	var b strings.Builder
	for _, e := range expressions {
		b.WriteString("async () => (" + e + "),\n")
	}
	return b.String()
}

func needsLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("/dev/full is Linux's")
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}
