package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// web is a serve command over HTTP, as a process of its own.
type web struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string // of the endpoint
	rest chan string
}

func startWeb(t *testing.T, args ...string) *web {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &web{t: t, cmd: exec.Command(self, append([]string{"serve"}, args...)...), rest: make(chan string, 1)}
	stderr, err := w.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(stderr)
	for w.url == "" {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("serve ended: %v; %s", w.cmd.Wait(), line)
		}
		if _, url, ok := strings.Cut(line, "serving MCP at "); ok {
			w.url = strings.TrimSpace(url)
		}
	}
	go func() {
		rest, _ := io.ReadAll(r)
		w.rest <- string(rest)
	}()
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			_ = w.cmd.Process.Kill()
			_ = w.cmd.Wait()
		}
	})
	return w
}

// ended waits for the end of the process and returns its exit status, -1 where
// a signal ended it.
func (w *web) ended() int {
	w.t.Helper()
	done := make(chan error, 1)
	go func() { done <- w.cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			w.t.Fatal(err)
		}
		return w.cmd.ProcessState.ExitCode()
	case <-time.After(60 * time.Second):
		w.t.Fatal("serve does not end")
		return 0
	}
}

func (w *web) get(path string) (int, string) {
	w.t.Helper()
	res, err := http.Get(strings.TrimSuffix(w.url, "/mcp") + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b != "" {
		r.Header.Set("Authorization", "Bearer "+string(b))
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (w *web) connect(token, protocol string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	return client.Connect(context.Background(), &mcp.StreamableClientTransport{
		Endpoint: w.url, HTTPClient: &http.Client{Transport: bearer(token)}, MaxRetries: -1, DisableStandaloneSSE: true,
	}, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
}

func executeOver(cs *mcp.ClientSession, code string) (*mcp.CallToolResult, error) {
	return cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": code}})
}

const withTokens = `
[http]
listen = "127.0.0.1:0"
drain_timeout = "20s"
[[http.token]]
principal = "alice"
token = "alice-alice-alice-alice"
[[http.token]]
principal = "bob"
token = "bob-bob-bob-bob-bob"
`

func TestServeHTTP(t *testing.T) {
	t.Parallel()
	w := startWeb(t, "--config", writeFile(t, "autoclave.toml", demoServer(t, "tracker")+withTokens))
	if _, err := w.connect("", "2025-11-25"); err == nil {
		t.Error("a client without a token is connected")
	}
	for _, protocol := range []string{"2025-11-25", ""} {
		alice, err := w.connect("alice-alice-alice-alice", protocol)
		if err != nil {
			t.Fatal(err)
		}
		bob, err := w.connect("bob-bob-bob-bob-bob", protocol)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			cs         *mcp.ClientSession
			code, want string
		}{
			{alice, `await stash.put("k", (await tools.tracker.list_issues({})).issues.length); return await stash.get("k") > 0`, "true"},
			{alice, `return await stash.get("k") > 0`, "true"},
			{bob, `return (await stash.get("k")) ?? null`, "null"},
		} {
			res, err := executeOver(c.cs, c.code)
			if err != nil || firstText(res) != c.want {
				t.Errorf("%q: %s: %v %v, want %s", protocol, c.code, err, res, c.want)
			}
		}
		alice.Close()
		bob.Close()
	}
	if status, body := w.get("/readyz"); status != 200 || body != "ready\n" {
		t.Errorf("readyz: %d %s", status, body)
	}
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := w.ended(); status != exitOK {
		t.Errorf("exit status %d: %s", status, <-w.rest)
	}
}

func TestServeHTTPNotReady(t *testing.T) {
	t.Parallel()
	w := startWeb(t, "--config", writeFile(t, "autoclave.toml", demoServer(t, "tracker")+goneServer), "--http", "127.0.0.1:0")
	deadline := time.Now().Add(60 * time.Second)
	for {
		status, body := w.get("/readyz")
		if status == 503 && strings.Contains(body, "1 of 2 servers are not connected (gone)") && !strings.Contains(body, "starting") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz: %d %s", status, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if status, body := w.get("/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %s", status, body)
	}
	// What is there can be used all the same.
	cs, err := w.connect("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	if res, err := executeOver(cs, `return 1`); err != nil || firstText(res) != "1" {
		t.Errorf("%v %v", err, res)
	}
}

// At a signal what is under way may end, and is answered; at a second one it
// may not.
func TestServeHTTPSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signals")
	}
	t.Parallel()
	for _, signals := range []int{1, 2} {
		w := startWeb(t, "--config", writeFile(t, "autoclave.toml", withTokens))
		cs, err := w.connect("alice-alice-alice-alice", "2025-11-25")
		if err != nil {
			t.Fatal(err)
		}
		began := make(chan struct{})
		answer := make(chan string, 1)
		go func() {
			close(began)
			res, err := executeOver(cs, `await stash.put("began", 1); await sleep(3000); return "done"`)
			if err != nil {
				answer <- err.Error()
				return
			}
			answer <- firstText(res)
		}()
		<-began
		other, err := w.connect("alice-alice-alice-alice", "2025-11-25")
		if err != nil {
			t.Fatal(err)
		}
		// The program runs when its execution has taken a worker; what tells is
		// the other client, whose own program runs after it was sent.
		if res, err := executeOver(other, `await sleep(300); return 1`); err != nil || firstText(res) != "1" {
			t.Fatalf("%v %v", err, res)
		}
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for listening := true; listening; time.Sleep(time.Millisecond) {
			res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(must(http.NewRequest(http.MethodGet, w.url, nil)))
			if listening = err == nil; listening {
				res.Body.Close()
			}
		}
		if signals == 2 {
			if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if status := w.ended(); status != -1 {
				t.Errorf("after two signals: exit status %d", status)
			}
			if got := <-answer; got == "done" {
				t.Error("a second signal waits for programs")
			}
			continue
		}
		if got := <-answer; got != "done" {
			t.Errorf("the program that was under way: %s", got)
		}
		if status := w.ended(); status != exitOK {
			t.Errorf("exit status %d: %s", status, <-w.rest)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Where tokens are asked for, the names of the servers are for those who have
// one.
func TestServeHTTPNotReadyNamesNobody(t *testing.T) {
	t.Parallel()
	w := startWeb(t, "--config", writeFile(t, "autoclave.toml", goneServer+withTokens))
	deadline := time.Now().Add(60 * time.Second)
	for {
		status, body := w.get("/readyz")
		if strings.Contains(body, "gone") || time.Now().After(deadline) {
			t.Fatalf("readyz: %d %s", status, body)
		}
		if status == 503 && strings.Contains(body, "1 of 1 servers are not connected\n") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServeHTTPRefuses(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "none.pem")
	for _, c := range []struct {
		name, text, address, want string
	}{
		{"an address that others reach", "", "0.0.0.0:0", "nobody has to say who he is"},
		{"no port", "", "localhost", `"localhost" is no address to listen on`},
		{"the same in the configuration", "[http]\nlisten = \"0.0.0.0:0\"\n", "", "nobody has to say who he is"},
		{"no certificate", fmt.Sprintf("[http]\ntls_cert = %q\ntls_key = %q\n", bad, bad), "127.0.0.1:0", "reading the certificate"},
		{"no keys", fmt.Sprintf("[http.jwt]\nissuer = \"i\"\naudience = \"a\"\nkeys_file = %q\n", bad), "127.0.0.1:0", "the key set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--config", writeFile(t, "autoclave.toml", c.text)}
			if c.address != "" {
				args = append(args, "--http", c.address)
			}
			_, stderr, status := runCommand(newServe(&global{}), args...)
			if status != exitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("exit status %d, %s, want %q in it", status, stderr, c.want)
			}
		})
	}
}
