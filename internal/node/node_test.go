package node_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/node"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// TestBundle: the texts are there, and the prelude is the embedded engine's.
func TestBundle(t *testing.T) {
	raw, err := node.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	var b map[string]string
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main", "isolate", "prelude"} {
		if len(b[name]) < 1000 {
			t.Errorf("%s has %d bytes", name, len(b[name]))
		}
	}
	for _, lib := range []string{"primordials", "core", "api", "inspect", "url", "text", "clone", "values"} {
		if !strings.Contains(b["prelude"], "sources."+lib+" = ") {
			t.Errorf("the prelude has no %s", lib)
		}
	}
}

// TestArguments: what Node.js is told never has a program in it, and what
// weakens V8 is not among it.
func TestArguments(t *testing.T) {
	args := strings.Join(node.Arguments(3, 4, 5, false), " ")
	for _, flag := range []string{"--permission", "--no-addons"} {
		if !strings.Contains(args, flag) {
			t.Errorf("no %s in %s", flag, args)
		}
	}
	for _, flag := range []string{"--allow-fs", "--allow-child", "--allow-addons", "--inspect", "--jitless"} {
		if strings.Contains(args, flag) {
			t.Errorf("%s in %s", flag, args)
		}
	}
	if args := strings.Join(node.Arguments(3, 4, 5, true), " "); !strings.Contains(args, "--jitless") {
		t.Errorf("no --jitless in %s", args)
	}
}

// TestInspect asks a Node.js what it is.
func TestInspect(t *testing.T) {
	info := nodetest.Find(t)
	again, err := node.Inspect(t.Context(), info.Path)
	if err != nil || again.Version != info.Version || len(again.Libraries) == 0 {
		t.Errorf("got %+v, %v", again, err)
	}
	_, err = node.Inspect(t.Context(), "/no/such/node")
	var typed *node.Error
	if !errors.As(err, &typed) {
		t.Errorf("got %v", err)
	}
}
