//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// replaceFile replaces a file as editors and deployments do: by another one.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// until runs the program until its answer is want.
func (s *serving) until(code, want string) {
	s.t.Helper()
	var got string
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = firstText(s.call("execute", map[string]any{"code": code})); got == want {
			return
		}
	}
	s.t.Fatalf("%s: %s, want %s", code, got, want)
}

// logged waits until the log has the text so many times.
func (s *serving) logged(text string, times int) {
	s.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); strings.Count(s.stderr.String(), text) < times; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the log does not come to say %q:\n%s", text, s.stderr)
		}
	}
}

const codeOf = `.then(() => "ok", (e) => e.code)`

func TestReload(t *testing.T) {
	t.Parallel()
	tracker, lab := demoServer(t, "tracker"), demoServer(t, "lab")
	path := writeFile(t, "autoclave.toml", tracker)
	s := startServe(t, "--config", path)
	getIssue := `return await tools.tracker.get_issue({ number: 1 })` + codeOf
	slow := `return await tools.lab.slow({ ms: 1 })` + codeOf
	s.until(getIssue, "ok")
	s.until(slow, "SERVER_NOT_FOUND")

	// A server is added; the other one keeps its connection, and what it knows.
	s.until(`return (await tools.tracker.create_issue({ title: "kept" })).title`, "kept")
	replaceFile(t, path, tracker+lab)
	s.until(slow, "ok")
	s.until(`return (await tools.tracker.list_issues({ limit: 1 })).issues[0].title`, "kept")

	// A broken file changes nothing.
	replaceFile(t, path, tracker+lab+"[[rule]]\naction = \"dney\"\n")
	s.logged("rule[0].action", 1)
	s.until(getIssue, "ok")

	// One that has begun ends under the rules, and with the servers, that it
	// began with. It is under way when the call is counted.
	began := make(chan *mcp.CallToolResult, 1)
	go func() {
		began <- s.call("execute", map[string]any{"code": `await tools.tracker.create_issue({ title: "begun" }); await tools.lab.slow({ ms: 4000 }); return [await tools.lab.slow({ ms: 1 })` + codeOf + `, await tools.tracker.get_issue({ number: 1 })` + codeOf + `]`})
	}()
	s.until(`return (await tools.tracker.list_issues({ limit: 1 })).issues[0].title`, "begun")
	replaceFile(t, path, tracker+"[[rule]]\naction = \"deny\"\ntool = \"get_issue\"\n[limits]\ncalls = 1\n")
	s.until(getIssue, "POLICY_DENIED")
	s.until(slow, "SERVER_NOT_FOUND")
	s.until(`await tools.tracker.count_by_label(); return await tools.tracker.count_by_label()`+codeOf, "CALL_LIMIT")
	if got := firstText(<-began); got != `["ok","ok"]` {
		t.Errorf("what had begun: %s", got)
	}
	if got := firstText(s.call("search", map[string]any{"query": "", "server": "tracker"})); strings.Contains(got, "get_issue(") {
		t.Errorf("a denied tool is found: %s", got)
	}

	// Limits hold for what the model asks for, as they are now.
	replaceFile(t, path, tracker+"[[rule]]\naction = \"deny\"\ntool = \"get_issue\"\n[limits]\nwall = \"2s\"\n")
	s.until(`return [await tools.tracker.count_by_label(), await tools.tracker.count_by_label()].length`, "2")
	res := s.call("execute", map[string]any{"code": "return 1", "timeout_ms": 10_000})
	b, err := json.Marshal(res)
	if err != nil || firstText(res) != "1" || !strings.Contains(string(b), "the limit of 2000 ms applied") {
		t.Errorf("more than the new limit was asked for: %s", b)
	}
	tools, err := s.client.ListTools(t.Context(), nil)
	if b, _ := json.Marshal(tools); err != nil || !strings.Contains(string(b), "and take 2s") {
		t.Errorf("execute says: %s", b)
	}

	// A file that is gone, or empty, changes nothing, demanded or not.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.logged("is empty", 1)
	s.until(getIssue, "POLICY_DENIED")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.logged("no such file", 1)
	s.until(getIssue, "POLICY_DENIED")

	// At SIGHUP too, and by way of a link that leads elsewhere.
	other := writeFile(t, "other.toml", tracker)
	if err := os.Symlink(other, path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.until(getIssue, "ok")
	s.stop()
	for _, want := range []string{"the configuration is wrong; the old one stays in force", "key=rule[0].action", "line=8"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, s.stderr)
		}
	}
}

// TestAuditIsRotated: after SIGHUP records go to the file that has the name.
func TestAuditIsRotated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "autoclave.toml")
	if err := os.WriteFile(path, []byte(demoServer(t, "tracker")+"[audit]\npath = \"a.jsonl\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, "--config", path)
	s.until(`return 1`, "1")
	log := filepath.Join(dir, "a.jsonl")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(log); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the file was not made anew")
		}
	}
	s.until(`return 2`, "2")
	for file, want := range map[string]int{log + ".1": 1, log: 1} {
		b, err := os.ReadFile(file)
		if err != nil || strings.Count(string(b), "\n") != want {
			t.Errorf("%s: %v, %s", filepath.Base(file), err, b)
		}
	}
}
