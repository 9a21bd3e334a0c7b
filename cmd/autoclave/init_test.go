package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/config"
)

func TestInit(t *testing.T) {
	t.Parallel()
	from := writeFile(t, ".mcp.json", `{"mcpServers":{"fs":{"command":"npx","args":["-y","server-filesystem","/srv"],"env":{"A":"b"}},"far":{"url":"https://example.com/mcp"}}}`)
	to := filepath.Join(t.TempDir(), "autoclave.toml")
	stdout, stderr, status := runCommand(newInit(&global{}), "--from", from, "--output", to)
	if status != exitOK || stdout != "" || !strings.Contains(stderr, "wrote "+to) {
		t.Fatalf("exit status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	cfg, err := config.Load(to)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if len(cfg.Servers) != 2 || cfg.Servers[0].Name+cfg.Servers[1].Name != "farfs" && cfg.Servers[0].Name+cfg.Servers[1].Name != "fsfar" {
		t.Errorf("the servers are %+v", cfg.Servers)
	}
	if info, err := os.Stat(to); err != nil {
		t.Error(err)
	} else if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the mode is %v: it may have secrets in it", mode)
	}

	// What is there stays.
	before, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := runCommand(newInit(&global{}), "--output", to); status != exitUsage || !strings.Contains(stderr, "--force") {
		t.Errorf("a file that is there: exit status %d, %s", status, stderr)
	}
	if after, err := os.ReadFile(to); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
	if _, stderr, status := runCommand(newInit(&global{}), "--output", to, "--force"); status != exitOK {
		t.Errorf("--force: exit status %d, %s", status, stderr)
	}
	if after, err := os.ReadFile(to); err != nil || string(after) != config.Example() {
		t.Errorf("without --from it is not the example (%v)", err)
	}
}

func TestInitToStandardOutput(t *testing.T) {
	t.Parallel()
	stdout, _, status := runCommand(newInit(&global{}), "--output", "-")
	if status != exitOK || stdout != config.Example() {
		t.Errorf("exit status %d, %d bytes", status, len(stdout))
	}
	if _, stderr, status := runCommand(newInit(&global{}), "--from", writeFile(t, "x.json", ""), "-o", "-"); status != exitUsage || stderr == "" {
		t.Errorf("an empty file: exit status %d, %q", status, stderr)
	}
}
