package main

import (
	"strings"
	"testing"
)

func TestTypesCommand(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "autoclave.toml", demoServer(t, "tracker"))
	for _, c := range []struct {
		args   []string
		want   []string
		not    string
		status int
	}{
		{[]string{"tracker"}, []string{"declare const tools: {", "create_issue(", "list_issues("}, "", exitOK},
		{[]string{"tracker", "create_issue"}, []string{"create_issue(args: {"}, "list_issues(", exitOK},
		{[]string{"trackr"}, []string{`did you mean "tracker"?`}, "declare", exitUsage},
		{[]string{"tracker", "make_issue"}, []string{"has no tool"}, "declare", exitUsage},
		{nil, []string{"needs the name of a server"}, "declare", exitUsage},
		{[]string{"tracker", "create_issue", "close_issue"}, []string{`"close_issue" is one too many`}, "declare", exitUsage},
	} {
		stdout, stderr, status := runCommand(newTypes(&global{}), append([]string{"--config", path}, c.args...)...)
		if status != c.status {
			t.Errorf("types %q: exit status %d, want %d: %s", c.args, status, c.status, stderr)
		}
		for _, part := range c.want {
			if !strings.Contains(stdout+stderr, part) {
				t.Errorf("types %q lacks %q:\n%s%s", c.args, part, stdout, stderr)
			}
		}
		if c.not != "" && strings.Contains(stdout, c.not) {
			t.Errorf("types %q has %q:\n%s", c.args, c.not, stdout)
		}
	}
}
