package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

func TestValues(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		w := newWorld(t, setup{protocol: protocol})
		for _, c := range []struct{ code, text, value string }{
			{`return 1 + 1`, `2`, `2`},
			{`async () => ({ b: 1, a: [true, null] })`, `{"b":1,"a":[true,null]}`, `{"a":[true,null],"b":1}`},
			{`return "say \"it\" <plainly>"`, `say "it" <plainly>`, `"say \"it\" <plainly>"`},
			{`return ""`, ``, `""`},
			{`return null`, `null`, `null`},
			{`const n: number = 3; return n`, `3`, `3`},
			{`return (await tools.s.echo({ text: "hi" })).text`, `hi`, `"hi"`},
			{"```js\nreturn 5\n```", `5`, `5`},
		} {
			res := w.execute(c.code)
			if res.IsError || text(res) != c.text {
				t.Errorf("%s: isError %v, text %q, want %q", c.code, res.IsError, text(res), c.text)
			}
			got, err := json.Marshal(structured(t, res)["value"])
			if err != nil {
				t.Fatal(err)
			}
			var g, want any
			if json.Unmarshal(got, &g) != nil || json.Unmarshal([]byte(c.value), &want) != nil || fmt.Sprint(g) != fmt.Sprint(want) {
				t.Errorf("%s: structured value %s, want %s", c.code, got, c.value)
			}
			if len(res.Content) != 1 {
				t.Errorf("%s: %d blocks, want 1", c.code, len(res.Content))
			}
		}
	})
}

func TestStructuredContent(t *testing.T) {
	w := newWorld(t, setup{})
	res := w.execute(`console.warn("careful", 1); console.log("two"); await tools.s.echo({ text: "x" }); tools.s.echo({}); return 1`)
	if res.IsError {
		t.Fatal(text(res))
	}
	m := structured(t, res)
	logs, _ := json.Marshal(m["logs"])
	if want := `[{"level":"warn","text":"careful 1"},{"level":"log","text":"two"}]`; string(logs) != want {
		t.Errorf("logs are %s, want %s", logs, want)
	}
	calls := m["calls"].([]any)
	if len(calls) != 2 {
		t.Fatalf("%d calls, want 2", len(calls))
	}
	if first := calls[0].(map[string]any); first["server"] != "s" || first["tool"] != "echo" || first["ok"] != true {
		t.Errorf("the first call is %v", first)
	}
	usage := m["usage"].(map[string]any)
	if usage["calls"] != 2.0 || usage["heap_bytes"].(float64) <= 0 {
		t.Errorf("usage is %v", usage)
	}
	if w := m["warnings"].([]any); len(w) != 1 || !strings.Contains(w[0].(string), "await") {
		t.Errorf("warnings are %v, want one about a call that was not awaited", w)
	}
	// Clients that show only text still show the console.
	notes := res.Content[len(res.Content)-1].(*mcp.TextContent).Text
	if !strings.Contains(notes, "console:\nwarn: careful 1\ntwo\n") || !strings.Contains(notes, "warning: ") {
		t.Errorf("the notes are %q", notes)
	}
}

func TestOutputMatchesSchema(t *testing.T) {
	w := newWorld(t, setup{})
	list, err := w.client.ListTools(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		schema := tool.OutputSchema.(map[string]any)
		properties := schema["properties"].(map[string]any)
		results := []*mcp.CallToolResult{w.call("search", map[string]any{"query": ""}), w.call("search", map[string]any{"query": "echo", "detail": true})}
		if tool.Name == "execute" {
			results = []*mcp.CallToolResult{w.execute(`return 1`), w.execute(`throw new Error("x")`), w.execute(`return (`), w.call("execute", map[string]any{})}
		}
		for i, res := range results {
			m := structured(t, res)
			for name := range m {
				if properties[name] == nil {
					t.Errorf("%s, result %d: %q is not in the output schema", tool.Name, i, name)
				}
			}
			for _, name := range schema["required"].([]any) {
				if _, ok := m[name.(string)]; !ok {
					t.Errorf("%s, result %d: %q is missing", tool.Name, i, name)
				}
			}
		}
	}
}

func TestFailures(t *testing.T) {
	tools := someTools()
	tools["s.fail"] = func(context.Context, json.RawMessage) (string, error) { return "", errTest }
	w := newWorld(t, setup{tools: tools})
	for _, c := range []struct {
		name, code string
		want       []string
		errorCode  autoclave.Code
	}{
		{"throws", "const a = 1;\nconst b = { c: null };\nreturn b.c.d + a", []string{"SCRIPT_ERROR: ", "return b.c.d + a", "^", "3"}, autoclave.ScriptError},
		{"syntax", "const a = ;\nreturn a", []string{"SYNTAX_ERROR: ", "const a = ;"}, autoclave.SyntaxError},
		{"fenced", "```ts\nconst a = 1;\nthrow new Error('here')\n```", []string{"SCRIPT_ERROR", "3 |", "here"}, autoclave.ScriptError},
		{"tool not found", "return await tools.s.ecko({})", []string{"TOOL_NOT_FOUND: ", `Did you mean "echo"?`, "tools.s.ecko"}, autoclave.ToolNotFound},
		{"after calls", "await tools.s.echo({}); await tools.s.fail({})", []string{"UPSTREAM_ERROR: ", "whose effects stay: s.echo ok, s.fail UPSTREAM_ERROR"}, autoclave.UpstreamError},
		{"never settles", "await new Promise(() => {})", []string{"NEVER_SETTLES: "}, autoclave.NeverSettles},
		{"no JSON", "const a = {}; a.a = a; return a", []string{"INVALID_RESULT: "}, autoclave.InvalidResult},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := w.execute(c.code)
			if !res.IsError {
				t.Fatalf("isError is not set: %s", text(res))
			}
			for _, part := range c.want {
				if !strings.Contains(text(res), part) {
					t.Errorf("the text lacks %q:\n%s", part, text(res))
				}
			}
			e := structured(t, res)["error"].(map[string]any)
			if e["code"] != string(c.errorCode) {
				t.Errorf("error.code is %v, want %s", e["code"], c.errorCode)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	w := newWorld(t, setup{})
	for _, c := range []struct {
		tool, args, want string
	}{
		{"execute", `{}`, `"code" is missing`},
		{"execute", `{"script":"return 1","x":1}`, `"code" is missing, the arguments have script, x`},
		{"execute", `{"code":5}`, `"code" must be a string`},
		{"execute", `{"code":"return 1","timeout_ms":-1}`, `"timeout_ms" must be a whole number of at least 1, not -1`},
		{"execute", `{"code":"return 1","timeout_ms":"soon"}`, `"timeout_ms" must be a whole number`},
		{"search", `{"query":["a"]}`, `"query" must be a string`},
		{"search", `{"query":"a","detail":"maybe"}`, `"detail" must be true or false, not "maybe"`},
	} {
		res := w.call(c.tool, json.RawMessage(c.args))
		if !res.IsError || !strings.Contains(text(res), "INVALID_ARGUMENTS: "+c.tool+": "+c.want) {
			t.Errorf("%s %s: isError %v, %q, want %q", c.tool, c.args, res.IsError, text(res), c.want)
		}
	}
	// What is meant without doubt is taken.
	if got := text(w.call("execute", json.RawMessage(`{"code":"return 1","timeout_ms":"20000","language":"js"}`))); got != "1" {
		t.Errorf("a number in quotes: %q", got)
	}
}

func TestTimeout(t *testing.T) {
	w := newWorld(t, setup{})
	res := w.call("execute", map[string]any{"code": `await sleep(100000)`, "timeout_ms": 50})
	if !res.IsError || !strings.Contains(text(res), "TIMEOUT: ") {
		t.Errorf("isError %v, %q", res.IsError, text(res))
	}
	res = w.call("execute", map[string]any{"code": `return 1`, "timeout_ms": 999999999})
	if res.IsError || text(res) != "1" {
		t.Errorf("a timeout above the limit: %q", text(res))
	}
	if got := fmt.Sprint(structured(t, res)["warnings"]); !strings.Contains(got, "the limit of 120000 ms applied") {
		t.Errorf("warnings are %s", got)
	}
}

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

func TestEmittedBlocks(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		w := newWorld(t, setup{protocol: protocol})
		res := w.execute(fmt.Sprintf(`
			emit({ type: "image", data: %q, mimeType: "image/png" });
			emit({ type: "text", text: "between" });
			emit({ type: "audio", data: "AAAA", mimeType: "audio/wav" });
			emit({ type: "resource", resource: { uri: "x:1", text: "inside", mimeType: "text/plain" } });
			emit({ type: "resource_link", uri: "x:2", name: "there" });
			emit({ type: "image", data: "not base64!", mimeType: "image/png" });
			emit({ type: "image", url: "x" });
			emit({ type: "text" });
			return "done"`, pixel))
		if res.IsError || text(res) != "done" {
			t.Fatalf("isError %v, %q", res.IsError, text(res))
		}
		var kinds []string
		for _, c := range res.Content {
			kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", c), "*mcp."))
		}
		if got, want := strings.Join(kinds, " "), "TextContent ImageContent TextContent AudioContent EmbeddedResource ResourceLink TextContent"; got != want {
			t.Fatalf("the blocks are %s, want %s", got, want)
		}
		png, _ := base64.StdEncoding.DecodeString(pixel)
		if image := res.Content[1].(*mcp.ImageContent); !bytes.Equal(image.Data, png) || image.MIMEType != "image/png" {
			t.Error("the image did not arrive as it was emitted")
		}
		if r := res.Content[4].(*mcp.EmbeddedResource); r.Resource.Text != "inside" || r.Resource.URI != "x:1" {
			t.Errorf("the resource is %+v", r.Resource)
		}
		notes := res.Content[6].(*mcp.TextContent).Text
		for _, want := range []string{"block 6 was left out: it cannot be read", "block 7 was left out: an image block needs data", "block 8 was left out: a text block needs text"} {
			if !strings.Contains(notes, want) {
				t.Errorf("the notes lack %q: %s", want, notes)
			}
		}
	})
}

func TestLargeValue(t *testing.T) {
	w := newWorld(t, setup{config: func(c *gateway.Config) { c.MaxText = 1 << 10 }})
	res := w.execute(`return Array.from({ length: 5000 }, (_, i) => ({ id: i, name: "ä" + i }))`)
	if res.IsError {
		t.Fatal(text(res))
	}
	if got := len(text(res)); got > 1<<10+300 {
		t.Errorf("the text has %d bytes", got)
	}
	if !strings.HasPrefix(text(res), `[{"id":0,"name":"ä0"}`) || !strings.Contains(text(res), "[cut: the value has ") {
		t.Errorf("the text is %q", text(res))
	}
	m := structured(t, res)
	if _, there := m["value"]; there {
		t.Error("the structured content has the value all the same")
	}
	cut := m["truncated"].(map[string]any)
	key := cut["stash"].(string)
	if cut["bytes"].(float64) < 100000 || key == "" {
		t.Errorf("truncated is %v", cut)
	}
	// The next program has all of it, without doing the work again.
	if got := w.value(fmt.Sprintf(`const all = await stash.get(%q); return [all.length, all[4999].id]`, key)); got != "[5000,4999]" {
		t.Errorf("the kept value: %s", got)
	}
	// A long string, and emitted texts, are cut too.
	res = w.execute(`emit({ type: "text", text: "e".repeat(3000) }); emit({ type: "text", text: "f" }); return "x".repeat(5000)`)
	if got := text(res); !strings.HasPrefix(got, strings.Repeat("x", 1024)+"\n[cut: ") {
		t.Errorf("a long string: %q", got)
	}
	if e := res.Content[1].(*mcp.TextContent).Text; len(e) > 1100 {
		t.Errorf("an emitted text has %d bytes", len(e))
	}
	// A long message, and a flood of lines.
	res = w.execute(`for (let i = 0; i < 500; i++) console.log("y".repeat(100)); throw new Error("z".repeat(100000))`)
	size := 0
	for _, c := range res.Content {
		size += len(c.(*mcp.TextContent).Text)
	}
	if !res.IsError || size > 20<<10 {
		t.Errorf("isError %v, %d bytes of text", res.IsError, size)
	}
}

func TestStashIsTheSessions(t *testing.T) {
	both(t, func(t *testing.T, protocol string) {
		w := newWorld(t, setup{protocol: protocol})
		w.value(`await stash.put("k", { n: 1 }, { ttl: 100 })`)
		if got := w.value(`return [await stash.get("k"), await stash.keys(), await stash.get("none") ?? "nothing"]`); got != `[{"n":1},["k"],"nothing"]` {
			t.Errorf("the same session: %s", got)
		}
		other, _ := w.connect(setup{protocol: protocol})
		res, err := other.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": `return await stash.keys()`}})
		if err != nil || text(res) != "[]" {
			t.Errorf("another session: %v %s", err, text(res))
		}
		if got := w.value(`return [await stash.delete("k"), await stash.delete("k")]`); got != "[true,false]" {
			t.Errorf("delete: %s", got)
		}
		if res := w.execute(`await stash.put("k", 1, { ttl: 1e300 })`); !res.IsError || !strings.Contains(text(res), "STASH_ERROR") {
			t.Errorf("a ttl without bounds: %s", text(res))
		}
	})
}

func TestConcurrentExecutions(t *testing.T) {
	gate := make(chan struct{})
	arrived := make(chan struct{}, 3)
	tools := someTools()
	tools["s.wait"] = func(ctx context.Context, args json.RawMessage) (string, error) {
		arrived <- struct{}{}
		select {
		case <-gate:
			return string(args), nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	w := newWorld(t, setup{tools: tools, config: func(c *gateway.Config) { c.MaxExecutions = 3 }})
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			res, err := w.client.CallTool(context.Background(), &mcp.CallToolParams{
				Name: "execute", Arguments: map[string]any{"code": fmt.Sprintf(`return (await tools.s.wait({ i: %d })).i`, i)},
			})
			if err != nil || res.IsError || text(res) != fmt.Sprint(i) {
				t.Errorf("execution %d: %v %v", i, err, res)
			}
		})
	}
	for range 3 {
		<-arrived // all three are under way at once
	}
	if res := w.execute(`return 1`); !res.IsError || !strings.Contains(text(res), "OVERLOADED: ") || !strings.Contains(text(res), "Try again in 1s") {
		t.Errorf("a fourth: %s", text(res))
	}
	close(gate)
	all.Wait()
	if got := w.value(`return 1`); got != "1" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestCatalogInPrograms(t *testing.T) {
	w := newWorld(t, setup{})
	for _, c := range []struct{ code, want string }{
		{`return (await catalog.servers()).map(s => [s.name, s.tools, s.problem])`, `[["broken",0,"it did not start: exit status 1"],["s",2,null]]`},
		{`return (await catalog.search("says back", { limit: 1 })).map(h => [h.server, h.tool, h.types])`, `[["s","echo","tools.s.echo(args: { text: string }): Promise<unknown>"]]`},
		{`return (await catalog.types("s", "echo")).includes("text: string")`, `true`},
		{`return await catalog.types("s", "eco").catch(e => [e.code, e.message])`, `["TOOL_NOT_FOUND","server \"s\" has no tool \"eco\": did you mean \"echo\"?"]`},
		{`return await catalog.search("x", { server: "t" }).catch(e => e.code)`, `SERVER_NOT_FOUND`},
		{`return await catalog.types("broken").catch(e => e.code)`, `UPSTREAM_ERROR`},
	} {
		if got := w.value(c.code); got != c.want {
			t.Errorf("%s: %s, want %s", c.code, got, c.want)
		}
	}
}
