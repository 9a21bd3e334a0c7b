package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

// demoServer is a section of autoclave.toml with one of the demo's servers.
func demoServer(t *testing.T, name string) string {
	t.Helper()
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if self, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("[servers.%s]\ncommand = %q\nargs = [\"demo-server\", %q]\n", name, self, name)
}

const goneServer = "[servers.gone]\ncommand = \"a-program-that-is-not-there\"\n"

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runCommand runs one command, and returns what it wrote and its exit status.
func runCommand(cmd *cobra.Command, args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(context.Background())
	var s statusError
	switch {
	case errors.As(err, &s):
		status = int(s)
	case err != nil:
		fmt.Fprintln(&errs, err)
		status = exitUsage
	}
	return out.String(), errs.String(), status
}

// serving is a serve command and a client of it.
type serving struct {
	t      *testing.T
	client *mcp.ClientSession
	stderr *lockedBuffer
	ended  chan error
}

func startServe(t *testing.T, args ...string) *serving {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &serving{t: t, stderr: &lockedBuffer{}, ended: make(chan error, 1)}
	cmd := newServe(&global{})
	cmd.SetArgs(args)
	cmd.SetIn(inR)
	cmd.SetOut(outW)
	cmd.SetErr(s.stderr)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	go func() {
		err := cmd.ExecuteContext(context.Background())
		inR.Close()
		outW.Close()
		s.ended <- err
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	cs, err := client.Connect(context.Background(), &mcp.IOTransport{Reader: outR, Writer: inW}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatalf("connecting: %v; serve: %v", err, <-s.ended)
	}
	s.client = cs
	t.Cleanup(s.stop)
	return s
}

// stop has the client close its end, upon which serve must end by itself.
func (s *serving) stop() {
	_ = s.client.Close() // of the pipes, the other end is closed too
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("serve: %v", err)
		}
		s.ended <- nil
	case <-time.After(60 * time.Second):
		s.t.Fatal("serve did not end with its input")
	}
}

func (s *serving) call(tool string, args map[string]any) *mcp.CallToolResult {
	s.t.Helper()
	res, err := s.client.CallTool(context.Background(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

func firstText(res *mcp.CallToolResult) string {
	if len(res.Content) == 0 {
		return ""
	}
	if c, ok := res.Content[0].(*mcp.TextContent); ok {
		return c.Text
	}
	return ""
}

func TestServe(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "autoclave.toml", demoServer(t, "tracker")+demoServer(t, "lab")+goneServer)
	s := startServe(t, "--config", path)
	if got := s.client.InitializeResult().Instructions; !strings.Contains(got, "gone, lab, tracker") {
		t.Errorf("the instructions are %q", got)
	}
	got := firstText(s.call("search", map[string]any{"query": ""}))
	for _, want := range []string{"- tracker (", "- lab (", "gone: NOT CONNECTED: ", "executable file not found"} {
		if !strings.Contains(got, want) {
			t.Errorf("search lacks %q:\n%s", want, got)
		}
	}
	if got := firstText(s.call("search", map[string]any{"query": "create an issue", "limit": 1})); !strings.HasPrefix(got, "tools.tracker.create_issue(") {
		t.Errorf("search: %s", got)
	}
	for _, c := range []struct{ code, want string }{
		{`return (await tools.tracker.list_issues({})).issues.length > 0`, "true"},
		{`await stash.put("k", 1); return 1`, "1"},
		{`return await stash.get("k")`, "1"},
		{`return (await catalog.servers()).length`, "3"},
		{`return await tools.gone.x({}).catch(e => e.code)`, "UPSTREAM_ERROR"},
		{`return (await resources.list()).length > 0`, "true"},
	} {
		res := s.call("execute", map[string]any{"code": c.code})
		if res.IsError || firstText(res) != c.want {
			t.Errorf("%s: isError %v, %s, want %s", c.code, res.IsError, firstText(res), c.want)
		}
	}
	s.stop()
	if !strings.Contains(s.stderr.String(), "server=gone") {
		t.Errorf("the log does not say what is missing: %s", s.stderr)
	}
}

func TestServeFromOtherClientsFile(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "claude_desktop_config.json", `{"mcpServers":{"far":{"type":"http","url":"http://127.0.0.1:9/mcp"}},"theme":"dark"}`)
	s := startServe(t, "--mcp-config", path)
	if got := firstText(s.call("search", map[string]any{"query": ""})); !strings.Contains(got, "far: NOT CONNECTED: ") {
		t.Errorf("search: %s", got)
	}
	if got := firstText(s.call("execute", map[string]any{"code": `return 1`})); got != "1" {
		t.Errorf("execute: %s", got)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key", "[limits]\ncpuu = \"1s\"\n", "cpuu"},
		{"a lockdown that no machine gives", "[lockdown]\nrequire_layers = [\"cgroup\"]\n", "cgroup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := runCommand(newServe(&global{}), "--config", writeFile(t, "autoclave.toml", c.text))
			if status != exitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
				t.Errorf("exit status %d, stdout %q, stderr %q, want %q in it", status, stdout, stderr, c.want)
			}
		})
	}
	if _, stderr, status := runCommand(newServe(&global{}), "--config", filepath.Join(t.TempDir(), "none.toml")); status != exitUsage || !strings.Contains(stderr, "none.toml") {
		t.Errorf("a file that is not there: exit status %d, %s", status, stderr)
	}
	if _, stderr, status := runCommand(newServe(&global{}), "--config", "a", "--mcp-config", "b"); status != exitUsage || !strings.Contains(stderr, "mcp-config") {
		t.Errorf("both files: exit status %d, %s", status, stderr)
	}
}
