package catalog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

// recorded is what a real server answered to tools/list and its like; the files
// in testdata/servers were recorded from the servers of the same name on npm
// (@modelcontextprotocol/server-*, 2026.8.31), asked by a client that can do
// everything, and from this project's demo servers.
type recorded struct {
	ServerInfo struct{ Name, Title, Version string }

	Instructions string
	Tools        []struct {
		Name, Title, Description  string
		InputSchema, OutputSchema json.RawMessage
		Annotations               struct{ ReadOnlyHint, DestructiveHint, IdempotentHint, OpenWorldHint *bool }
	}
	Resources         []catalog.Resource
	ResourceTemplates []catalog.ResourceTemplate
}

// realServers returns the recorded servers by the names of their files.
func realServers(t testing.TB) []catalog.Server {
	t.Helper()
	files, err := filepath.Glob("testdata/servers/*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("testdata/servers has %d files, %v", len(files), err)
	}
	var servers []catalog.Server
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var r recorded
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		s := catalog.Server{
			Name:        strings.TrimPrefix(strings.TrimSuffix(filepath.Base(f), ".json"), "demo-"),
			Description: r.Instructions, Version: r.ServerInfo.Version,
			Resources: r.Resources, Templates: r.ResourceTemplates,
		}
		if s.Description == "" {
			s.Description = r.ServerInfo.Title
		}
		for _, tool := range r.Tools {
			s.Tools = append(s.Tools, catalog.Tool{
				Name: tool.Name, Title: tool.Title, Description: tool.Description,
				InputSchema: tool.InputSchema, OutputSchema: tool.OutputSchema,
				ReadOnly: tool.Annotations.ReadOnlyHint, Destructive: tool.Annotations.DestructiveHint,
				Idempotent: tool.Annotations.IdempotentHint, OpenWorld: tool.Annotations.OpenWorldHint,
			})
		}
		servers = append(servers, s)
	}
	return servers
}

// one returns a catalog of one server "s" with the tools.
func one(tools ...catalog.Tool) *catalog.Catalog {
	return catalog.New([]catalog.Server{{Name: "s", Tools: tools}})
}
