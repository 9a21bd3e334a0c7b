package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/autoclave-run/autoclave"
)

func TestMain(m *testing.M) {
	autoclave.ServeIfWorker()
	// The demo servers, the benchmark's echo and the command of the end-to-end
	// tests are this executable, started again under a subcommand.
	if len(os.Args) > 1 && (os.Args[1] == "demo-server" || os.Args[1] == echoCommand || os.Args[1] == "serve") {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"autoclave": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROOT", root)
			return nil
		},
	})
}

// exits is a command of scripts: exits STATUS COMMAND ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// TestExamples runs every example and holds it to the value that its last line
// says.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	models, err := filepath.Glob("../../examples/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, models...) {
		if ext := filepath.Ext(file); ext != ".js" && ext != ".ts" {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(source)), "\n")
			want, ok := strings.CutPrefix(lines[len(lines)-1], "// expect: ")
			if !ok {
				t.Fatal("the last line does not say what to expect")
			}
			var stdout, stderr bytes.Buffer
			// Under the race detector the engine is some 45 times slower.
			if status := run([]string{"run", "--cpu", "10m", file}, nil, &stdout, &stderr); status != 0 {
				t.Fatalf("exit status %d\n%s", status, &stderr)
			}
			if got := strings.TrimSpace(stdout.String()); !sameJSON(t, got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	compact := func(s string) string {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		out, _ := json.Marshal(v)
		return string(out)
	}
	return compact(a) == compact(b)
}

// needsNode skips a test where Node.js or the packages of test/npm are
// missing, except in CI, where they must be there.
func needsNode(t *testing.T) (dir string) {
	t.Helper()
	dir, err := filepath.Abs("../../test/npm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".bin")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the packages of test/npm are not installed: npm ci")
		}
		t.Skip("the packages of test/npm are not installed: (cd test/npm && npm ci)")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the packages' commands are scripts")
	}
	return dir
}
