package gateway_test

//lint:file-ignore SA1019 roots, sampling and logging are deprecated as of 2026-07-28; clients of the versions before it have nothing else.

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// many is a catalog of 100 servers with 50 tools each.
func many() *catalog.Catalog {
	var servers []catalog.Server
	for i := range 100 {
		s := catalog.Server{Name: fmt.Sprintf("a-server-with-a-long-name-%d", i)}
		for j := range 50 {
			s.Tools = append(s.Tools, catalog.Tool{Name: fmt.Sprintf("tool_%d", j), Description: "Does a thing."})
		}
		servers = append(servers, s)
	}
	return catalog.New(servers)
}

var tokenish = regexp.MustCompile(`\s?[A-Za-z]+|[0-9]|\s+|[^A-Za-z0-9\s]+`)

// estimate counts more tokens than a tokenizer does (by a fifth, on this text):
// six letters of a word, or two signs, are at most one.
func estimate(text string) int {
	n := 0
	for _, part := range tokenish.FindAllString(text, -1) {
		most := 6
		if c := part[len(part)-1] | 0x20; c < 'a' || c > 'z' {
			most = 2
		}
		n += (len(part) + most - 1) / most
	}
	return n
}

// What a model pays for us in each session, however many tools there are. The
// exact count, with a tokenizer, is in the tests of the command.
func TestTokens(t *testing.T) {
	for _, c := range []struct {
		name    string
		catalog func() *catalog.Catalog
	}{{"no servers", func() *catalog.Catalog { return catalog.New(nil) }}, {"two", someCatalog}, {"many", many}} {
		w := newWorld(t, setup{protocol: legacy, config: func(cfg *gateway.Config) { cfg.Catalog = c.catalog }})
		list, err := w.client.ListTools(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(list.Tools)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw) + w.client.InitializeResult().Instructions
		n := estimate(text)
		t.Logf("%s: %d bytes, estimated at %d tokens", c.name, len(text), n)
		if n > 1500 {
			t.Errorf("%s: tools and instructions are estimated at %d tokens, 1500 is the budget", c.name, n)
		}
		if dir := os.Getenv("AUTOCLAVE_TOKENS_DIR"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-")+".txt"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTwoTools(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		w := newWorld(t, setup{protocol: protocol})
		list, err := w.client.ListTools(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Tools) != 2 || list.Tools[0].Name != "execute" || list.Tools[1].Name != "search" {
			t.Fatalf("the tools are %v", list.Tools)
		}
		for _, tool := range list.Tools {
			if tool.Title == "" || tool.Description == "" || tool.Annotations == nil || tool.InputSchema == nil || tool.OutputSchema == nil {
				t.Errorf("%s lacks something: %+v", tool.Name, tool)
			}
		}
		if a := list.Tools[1].Annotations; !a.ReadOnlyHint {
			t.Error("search is not marked as reading only")
		}
		if a := list.Tools[0].Annotations; a.ReadOnlyHint || a.DestructiveHint == nil || !*a.DestructiveHint {
			t.Error("execute is not marked as one that can destroy")
		}
		init := w.client.InitializeResult()
		if !strings.Contains(init.Instructions, "broken, s") {
			t.Errorf("the instructions do not name the servers: %q", init.Instructions)
		}
		if init.Capabilities.Tools == nil || init.Capabilities.Tools.ListChanged || init.Capabilities.Logging == nil {
			t.Errorf("the capabilities are %+v", init.Capabilities)
		}
	})
}

// The servers are named as they are when a client asks, not as they were when
// the gateway began.
func TestInstructionsFollowTheCatalog(t *testing.T) {
	now := catalog.New([]catalog.Server{{Name: "one"}})
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.Catalog = func() *catalog.Catalog { return now } }})
	if got := w.client.InitializeResult().Instructions; !strings.Contains(got, ": one. ") {
		t.Errorf("at first: %q", got)
	}
	now = catalog.New([]catalog.Server{{Name: "one"}, {Name: "two", Tools: []catalog.Tool{{Name: "newest"}}}})
	cs, _ := w.connect(setup{})
	if got := cs.InitializeResult().Instructions; !strings.Contains(got, ": one, two. ") {
		t.Errorf("later: %q", got)
	}
	// A client that was there before finds the new tools.
	if got := text(w.call("search", map[string]any{"query": "newest"})); !strings.Contains(got, "two") {
		t.Errorf("search: %s", got)
	}
}

func TestInstructionsAreCapped(t *testing.T) {
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.Catalog = many }})
	got := w.client.InitializeResult().Instructions
	if len(got) > 900 || !strings.Contains(got, " more. ") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t, setup{})
	for _, c := range []struct {
		name    string
		args    map[string]any
		want    []string
		isError bool
	}{
		{"servers", map[string]any{"query": ""}, []string{"- s (2 tools): Says things back.", "broken: NOT CONNECTED: it did not start: exit status 1"}, false},
		{"servers without a query", map[string]any{}, []string{"- s (2 tools)"}, false},
		{"by words", map[string]any{"query": "says back"}, []string{"tools.s.echo(args: { text: string })", "Says back what it is told.", "Not connected"}, false},
		{"one server", map[string]any{"query": "", "server": "s"}, []string{"tools.s.echo", "tools.s.shout"}, false},
		{"limit", map[string]any{"query": "", "server": "s", "limit": 1}, []string{"tools.s.echo", "1 more fit"}, false},
		{"detail", map[string]any{"query": "echo", "detail": true}, []string{"declare const tools", "echo(args"}, false},
		{"no such server", map[string]any{"query": "x", "server": "t"}, []string{"There is no server"}, true},
		{"nothing", map[string]any{"query": "qqqqq"}, []string{"No tool fits."}, false},
	} {
		res := w.call("search", c.args)
		if res.IsError != c.isError {
			t.Errorf("%s: isError is %v", c.name, res.IsError)
		}
		for _, part := range c.want {
			if !strings.Contains(text(res), part) {
				t.Errorf("%s: the text lacks %q:\n%s", c.name, part, text(res))
			}
		}
	}
	m := structured(t, w.call("search", map[string]any{"query": "echo"}))
	hit := m["tools"].([]any)[0].(map[string]any)
	if hit["server"] != "s" || hit["tool"] != "echo" || !strings.Contains(hit["types"].(string), "echo(") {
		t.Errorf("the structured hit is %v", hit)
	}
	if fmt.Sprint(m["missing"]) == "[]" || m["missing"] == nil {
		t.Error("the structured content does not say what is missing")
	}
}

// Hits are dropped, not cut, where they would flood the model.
func TestSearchIsBounded(t *testing.T) {
	big := catalog.New([]catalog.Server{{Name: "s", Tools: func() (tools []catalog.Tool) {
		for i := range 100 {
			tools = append(tools, catalog.Tool{Name: fmt.Sprintf("tool_%d", i), Description: strings.Repeat("Long words about it. ", 150)})
		}
		return tools
	}()}})
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.Catalog, c.MaxText = func() *catalog.Catalog { return big }, 16<<10 }})
	res := w.call("search", map[string]any{"query": "", "server": "s", "limit": 100, "detail": true})
	raw, err := json.Marshal(res.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	if len(text(res)) > 16<<10 || len(raw) > 20<<10 || !strings.Contains(text(res), "more fit") {
		t.Errorf("%d bytes of text, %d of structured content", len(text(res)), len(raw))
	}
}

// A server that never comes up holds searches and programs for StartWait in
// all, not each of them.
func TestReadyIsBounded(t *testing.T) {
	asked := 0
	w := newWorld(t, setup{config: func(c *gateway.Config) {
		c.StartWait = 1
		c.Ready = func(ctx context.Context) { asked++; <-ctx.Done() }
	}})
	for range 3 {
		w.call("search", map[string]any{"query": ""})
		w.value(`return 1`)
	}
	if asked > 1 {
		t.Errorf("Ready was called %d times after StartWait", asked)
	}
}

func TestConfigErrors(t *testing.T) {
	good := gateway.Config{
		Runtime: nopRuntime{}, Catalog: someCatalog,
		NewHost: func(gateway.Caller) (autoclave.Host, error) { return &fakeHost{}, nil },
	}
	for _, c := range []struct {
		field  string
		change func(*gateway.Config)
	}{
		{"Runtime", func(c *gateway.Config) { c.Runtime = nil }},
		{"NewHost", func(c *gateway.Config) { c.NewHost = nil }},
		{"Catalog", func(c *gateway.Config) { c.Catalog = nil }},
		{"MaxExecutions", func(c *gateway.Config) { c.MaxExecutions = -1 }},
		{"MaxText", func(c *gateway.Config) { c.MaxText = 100 }},
		{"AnswerTimeout", func(c *gateway.Config) { c.AnswerTimeout = -1 }},
		{"Stash", func(c *gateway.Config) { c.Stash.MaxSessions = -1 }},
	} {
		cfg := good
		c.change(&cfg)
		if _, err := gateway.New(cfg); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("a wrong %s: %v", c.field, err)
		}
	}
	g, err := gateway.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(context.Background()); err != nil {
		t.Error(err)
	}
	ours, _ := mcp.NewInMemoryTransports()
	if err := g.Serve(context.Background(), ours); err == nil {
		t.Error("a gateway that is closed serves")
	}
}

type nopRuntime struct{}

func (nopRuntime) Execute(context.Context, autoclave.Program, autoclave.Host) (*autoclave.Result, error) {
	return &autoclave.Result{OK: true}, nil
}

func TestHostCannotBeMade(t *testing.T) {
	w := newWorld(t, setup{config: func(c *gateway.Config) {
		c.NewHost = func(gateway.Caller) (autoclave.Host, error) { return nil, errTest }
	}})
	if res := w.execute(`return 1`); !res.IsError || !strings.Contains(text(res), "INTERNAL: ") {
		t.Errorf("%s", text(res))
	}
}

// TestEngines: a program may name an engine where there are several, and is
// told which where it names another.
func TestEngines(t *testing.T) {
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.Engines = []string{"quickjs", "v8"} }})
	list, err := w.client.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(list.Tools)
	if err != nil || !strings.Contains(string(b), `"engine":{"default":"quickjs"`) {
		t.Errorf("%s, %v", b, err)
	}
	for engine, want := range map[string]string{"quickjs": "1", "": "1", "v9": `INVALID_ARGUMENTS: execute: "engine" must be quickjs or v8`} {
		res, err := w.client.CallTool(t.Context(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": "return 1", "engine": engine}})
		if err != nil || !strings.HasPrefix(text(res), want) {
			t.Errorf("%q: %v, %v", engine, res, err)
		}
	}
	w = newWorld(t, setup{})
	res, err := w.client.CallTool(t.Context(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": "return 1", "engine": "v8"}})
	if err != nil || !strings.HasPrefix(text(res), `INVALID_ARGUMENTS: execute: "engine" is not an argument here`) {
		t.Errorf("with one engine: %v, %v", res, err)
	}
}
