package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// TestDoctorSeesNode: the engine, its version and what confines it; and what to
// do where there is none.
func TestDoctorSeesNode(t *testing.T) {
	t.Parallel()
	info := nodetest.Find(t)
	cfg := autoclave.Config{Engine: autoclave.EngineV8, Node: autoclave.NodeConfig{Path: info.Path}}
	e, l := examineEngine(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if !e.OK || e.Name != autoclave.EngineV8 || !strings.Contains(e.Version, info.Version) || e.Path != info.Path {
		t.Errorf("the engine is %+v", e)
	}
	var out bytes.Buffer
	printEngine(&out, func(bool) string { return "ok" }, e, l)
	if s := out.String(); !strings.Contains(s, "jitless") || !strings.Contains(s, info.Path) {
		t.Errorf("got %s", s)
	}
	cfg.Node.Path = filepath.Join(t.TempDir(), "no-such-node")
	if e, _ := examineEngine(t.Context(), cfg, slog.New(slog.DiscardHandler)); e.OK || !strings.Contains(e.Problem, "nodejs.org") {
		t.Errorf("without Node.js: %+v", e)
	}
}
