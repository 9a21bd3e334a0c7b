package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSearchCommand(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "autoclave.toml", demoServer(t, "tracker")+goneServer)
	for _, c := range []struct {
		args   []string
		want   []string
		status int
	}{
		{nil, []string{"- tracker (", "gone: NOT CONNECTED"}, exitOK},
		{[]string{"create", "an", "issue"}, []string{"tools.tracker.create_issue(args: {"}, exitOK},
		{[]string{"--server", "tracker"}, []string{"tools.tracker.list_issues("}, exitOK},
		{[]string{"--detail", "create_issue"}, []string{"declare const tools", "/**"}, exitOK},
		{[]string{"qqqqqqq"}, []string{"No tool fits."}, exitProgram},
		{[]string{"--server", "trackr", "x"}, []string{"did you mean"}, exitProgram},
	} {
		stdout, stderr, status := runCommand(newSearch(&global{}), append([]string{"--config", path}, c.args...)...)
		if status != c.status {
			t.Errorf("search %q: exit status %d, want %d: %s", c.args, status, c.status, stderr)
		}
		for _, part := range c.want {
			if !strings.Contains(stdout, part) {
				t.Errorf("search %q lacks %q:\n%s", c.args, part, stdout)
			}
		}
	}
	stdout, _, status := runCommand(newSearch(&global{}), "--config", path, "--json", "--limit", "1", "create_issue")
	var out struct {
		Tools []struct{ Server, Tool, Types string }
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil || status != exitOK {
		t.Fatalf("exit status %d, %v: %s", status, err, stdout)
	}
	if len(out.Tools) != 1 || out.Tools[0].Server != "tracker" || out.Tools[0].Tool != "create_issue" || out.Tools[0].Types == "" {
		t.Errorf("the JSON is %s", stdout)
	}
	if _, stderr, status := runCommand(newSearch(&global{}), "--config", path, "--limit", "-1"); status != exitUsage || !strings.Contains(stderr, "--limit") {
		t.Errorf("a negative limit: exit status %d, %s", status, stderr)
	}
}
