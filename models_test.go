package autoclave_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/demo"
)

// demoHost answers with the demonstration servers, new ones for each program.
type demoHost struct {
	sessions map[string]*mcp.ClientSession
	catalog  *autoclave.Catalog
	mu       sync.Mutex
	stash    map[string]json.RawMessage
}

func newDemoHost(t *testing.T) *demoHost {
	t.Helper()
	h := &demoHost{sessions: map[string]*mcp.ClientSession{}, stash: map[string]json.RawMessage{}}
	var entries []autoclave.CatalogEntry
	for _, name := range demo.Names() {
		server, err := demo.NewServer(name)
		if err != nil {
			t.Fatal(err)
		}
		here, there := mcp.NewInMemoryTransports()
		served, err := server.Connect(t.Context(), there, nil)
		if err != nil {
			t.Fatal(err)
		}
		session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), here, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			session.Close()
			_ = served.Wait()
		})
		e := autoclave.CatalogEntry{Server: name}
		for tool, err := range session.Tools(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			e.Tools = append(e.Tools, tool.Name)
		}
		entries = append(entries, e)
		h.sessions[name] = session
	}
	var err error
	if h.catalog, err = autoclave.NewCatalog(entries); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *demoHost) CallTool(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	session, ok := h.sessions[c.Server]
	if !ok {
		return autoclave.Value{}, &autoclave.Error{Code: autoclave.ServerNotFound, Message: "no server " + c.Server}
	}
	res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: c.Tool, Arguments: c.Arguments})
	if err != nil {
		return autoclave.Value{}, err
	}
	raw, err := json.Marshal(res)
	return autoclave.Value{JSON: raw, MCP: true}, err
}

func (h *demoHost) ReadResource(ctx context.Context, server, uri string) (json.RawMessage, error) {
	session, ok := h.sessions[server]
	if !ok {
		return nil, errors.New("no server " + server)
	}
	res, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	if err != nil {
		return nil, err
	}
	return json.Marshal(res)
}

func (h *demoHost) ListResources(ctx context.Context, server string) (json.RawMessage, error) {
	list := []map[string]string{}
	for _, name := range demo.Names() {
		if server != "" && server != name {
			continue
		}
		res, err := h.sessions[name].ListResources(ctx, nil)
		if err != nil {
			continue // it has none
		}
		for _, r := range res.Resources {
			list = append(list, map[string]string{"server": name, "uri": r.URI, "name": r.Name, "mimeType": r.MIMEType})
		}
	}
	return json.Marshal(list)
}

func (h *demoHost) StashPut(_ context.Context, key string, value json.RawMessage, _ float64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stash[key] = slices.Clone(value)
	return nil
}

func (h *demoHost) StashGet(_ context.Context, key string) (json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stash[key], nil
}

func (h *demoHost) StashDelete(_ context.Context, key string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.stash[key]
	delete(h.stash, key)
	return ok, nil
}

func (h *demoHost) StashKeys(context.Context) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := []string{}
	for k := range h.stash {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, nil
}

func (h *demoHost) Catalog() *autoclave.Catalog { return h.catalog }

func (h *demoHost) CatalogServers(context.Context) (json.RawMessage, error) {
	return json.RawMessage(`[{"name":"tracker"},{"name":"weather"}]`), nil
}

func (h *demoHost) CatalogSearch(context.Context, string, string, int) (json.RawMessage, error) {
	return json.RawMessage(`[{"server":"tracker","name":"list_issues","path":"tools.tracker.list_issues","description":"lists"}]`), nil
}

func (h *demoHost) CatalogTypes(context.Context, string, string) (string, error) {
	return "declare const tools: any;", nil
}

// TestModelsOnBothEngines runs the programs of examples/ on both engines, each
// with servers of its own: they come to the same, say the same and make the
// same calls.
func TestModelsOnBothEngines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("examples/models/*.[jt]s")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d programs, %v", len(files), err)
	}
	rts := map[string]*autoclave.Runtime{
		autoclave.EngineQuickJS: open(t, autoclave.Config{Pool: oneWorker()}),
		autoclave.EngineV8:      open(t, v8(t, autoclave.Config{Pool: oneWorker()})),
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := map[string]string{}
			for name, rt := range rts {
				res, err := rt.Execute(t.Context(), autoclave.Program{Source: string(source)}, newDemoHost(t))
				if err != nil {
					t.Errorf("on %s: %v", name, err)
				}
				calls := make([]string, len(res.Calls))
				for i, c := range res.Calls {
					calls[i] = fmt.Sprint(c.Kind, " ", c.Server, "/", c.Tool, " ", c.OK)
				}
				slices.Sort(calls) // those at once in any order
				logs, err := json.Marshal(res.Logs)
				if err != nil {
					t.Fatal(err)
				}
				told[name] = fmt.Sprintf("%s\n%s\n%s\n%s\n%d emitted", res.Value, logs, res.Warnings, calls, len(res.Emits))
			}
			if a, b := told[autoclave.EngineQuickJS], told[autoclave.EngineV8]; a != b {
				t.Errorf("on QuickJS: %s\non V8: %s", a, b)
			}
		})
	}
}
