package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tokenBudget is what a model may pay for us in each session, however many
// tools there are.
const tokenBudget = 1500

// TestTokens counts, with a real tokenizer, what a client hands to its model:
// the tools of each server as they are listed, and ours together with our
// instructions. With -v it prints the table of the README.
func TestTokens(t *testing.T) {
	t.Parallel()
	modules := filepath.Join(needsNode(t), "node_modules")
	servers, _ := realServers(t)
	many := ourServer(t, "", "rough.mjs", "many", "500")
	absent := map[string]mcpServer{}
	for i := range 200 {
		absent[fmt.Sprintf("a-server-that-has-a-long-name-%03d", i)] = mcpServer{Command: "a-program-that-is-not-there"}
	}
	with := func(name string, s mcpServer) map[string]mcpServer { return map[string]mcpServer{name: s} }

	type row struct {
		name        string
		servers     map[string]mcpServer
		tools       int
		raw, tokens int // raw: 0 where there is nothing to compare with
	}
	rows := []row{
		{name: "server-everything", servers: with("everything", servers["everything"])},
		{name: "server-filesystem", servers: with("files", servers["files"])},
		{name: "server-memory", servers: with("memory", servers["memory"])},
		{name: "server-sequential-thinking", servers: with("sequential-thinking", servers["sequential-thinking"])},
		{name: "these four together", servers: servers},
		{name: "a synthetic one with 500 tools", servers: with("many", many)},
		{name: "none", servers: map[string]mcpServer{}},
		{name: "200 that do not come up", servers: absent},
	}
	type listed struct {
		text  string
		tools int
	}
	direct := map[string]listed{}
	for _, r := range rows {
		for name, s := range r.servers {
			if _, known := direct[name]; !known && absent[name].Command == "" {
				text, _, n := paidFor(t, sdkOptions{Command: s.Command, Args: s.Args, Env: s.Env})
				direct[name] = listed{text, n}
			}
		}
	}
	var texts []string
	for i, r := range rows {
		raw := ""
		for name := range r.servers {
			raw += direct[name].text
			rows[i].tools += direct[name].tools
		}
		ours, instructions, n := paidFor(t, sdkOptions{Args: mcpConfig(t, r.servers)})
		if n != 2 {
			t.Errorf("over %s we offer %d tools", r.name, n)
		}
		texts = append(texts, raw, ours+instructions)
	}
	for i, pair := range slices.Collect(slices.Chunk(countTokens(t, modules, texts), 2)) {
		rows[i].raw, rows[i].tokens = pair[0], pair[1]
	}
	var table strings.Builder
	table.WriteString("| servers | tools | their tokens | ours |\n| --- | ---: | ---: | ---: |\n")
	for _, r := range rows {
		if r.tokens > tokenBudget {
			t.Errorf("over %s, tools and instructions have %d tokens: %d is the budget", r.name, r.tokens, tokenBudget)
		}
		if r.tools >= 30 && r.raw < 4*r.tokens {
			t.Errorf("%s have %d tokens themselves, over them we have %d: that is no bargain", r.name, r.raw, r.tokens)
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %d |\n", r.name, r.tools, r.raw, r.tokens)
	}
	t.Logf("tokens (o200k_base) of tools/list, ours with the instructions:\n%s", &table)
}

// paidFor returns what a client hands to its model of a server: its tools as
// they are listed, and its instructions.
func paidFor(t *testing.T, o sdkOptions) (list, instructions string, tools int) {
	t.Helper()
	c := startSDK(t, o)
	var all []json.RawMessage
	c.do("tools", nil, &all)
	var b bytes.Buffer
	b.WriteString("[")
	for i, tool := range all {
		if i > 0 {
			b.WriteString(",")
		}
		if err := json.Compact(&b, tool); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString("]")
	instructions = c.about().Instructions
	c.do("close", nil, nil)
	return b.String(), instructions, len(all)
}

func countTokens(t *testing.T, modules string, texts []string) (counts []int) {
	t.Helper()
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/e2e/tokens.mjs", modules)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("counting tokens: %v\n%s", err, &stderr)
	}
	if err := json.Unmarshal(out, &counts); err != nil || len(counts) != len(texts) {
		t.Fatalf("counting tokens: %v: %s", err, out)
	}
	return counts
}
