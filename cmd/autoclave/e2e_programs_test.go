package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tinyPNG is one pixel.
const tinyPNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// realServers are four servers, and the directory of the one for files.
func realServers(t *testing.T) (servers map[string]mcpServer, files string) {
	t.Helper()
	// The server compares real paths, and the temporary directory is behind a
	// link on some systems.
	files, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"alpha beta", "gamma", "delta epsilon zeta"} {
		if err := os.WriteFile(filepath.Join(files, fmt.Sprintf("%d.txt", i+1)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pixel, err := base64.StdEncoding.DecodeString(tinyPNG)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "pixel.png"), pixel, 0o600); err != nil {
		t.Fatal(err)
	}
	everything := npmServer(t, "everything")
	everything.Env = map[string]string{"E2E_GIVEN": "as configured"}
	memory := npmServer(t, "memory")
	memory.Env = map[string]string{"MEMORY_FILE_PATH": filepath.Join(t.TempDir(), "memory.jsonl")}
	return map[string]mcpServer{
		"everything": everything, "files": npmServer(t, "filesystem", files), "memory": memory,
		"sequential-thinking": npmServer(t, "sequential-thinking"),
	}, files
}

// TestRealPrograms runs one program after the other in one session, over four
// servers; some build on what those before have done.
func TestRealPrograms(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		servers, files := realServers(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, servers), Env: map[string]string{"E2E_SECRET": "not for servers"}})
		var tools []struct{ Name string }
		c.do("tools", nil, &tools) // from now on the SDK holds results to their schema
		for _, p := range realPrograms {
			c.value(fmt.Sprintf("// %s\nconst DIR = %q;\n%s", p.name, files, p.code), p.want)
		}
	})
}

var realPrograms = []struct{ name, code, want string }{
	{"everything: a text", `return await tools.everything.echo({ message: "hello" })`, `"Echo: hello"`},
	{"everything: ten calls at once, summed", `
		const texts = await parallel(Array.from({ length: 10 }, (_, i) => () => tools.everything["get-sum"]({ a: i, b: 1 })));
		return texts.map((s) => Number(s.match(/(\d+)\.$/)[1])).reduce((a, b) => a + b);`, `55`},
	{"everything: structured content, compared", `
		const cities = ["New York", "Chicago", "Los Angeles"];
		const all = await Promise.all(cities.map(async (location) => ({ location, ...await tools.everything.get_structured_content({ location }) })));
		return all.sort((a, b) => b.temperature - a.temperature)[0];`,
		`{"location":"Los Angeles","temperature":73,"conditions":"Sunny / Clear","humidity":48}`},
	{"everything: the environment is what is configured", `
		const env = await tools.everything["get-env"]();
		return [env.E2E_GIVEN, "E2E_SECRET" in env, "PATH" in env];`, `["as configured",false,true]`},
	{"everything: annotations survive", `
		const { content } = await tools.everything["get-annotated-message"]({ messageType: "error", includeImage: true }, { raw: true });
		return content.map((b) => [b.type, b.annotations.priority]);`, `[["text",1],["image",0.5]]`},
	{"everything: links to resources are followed", `
		const blocks = await tools.everything["get-resource-links"]({ count: 3 });
		const links = blocks.filter((b) => b.type === "resource_link");
		const texts = await parallel(links.map((l) => () => resources.read("everything", l.uri)));
		return [links.length, texts.filter((t) => typeof t === "string" || t.blob).length];`, `[3,3]`},
	{"everything: resources are listed and read", `
		const list = await resources.list("everything");
		const one = await resources.read("everything", list[0].uri);
		return [list.length > 3, list.every((r) => r.server === "everything"), one.length > 10];`, `[true,true,true]`},
	{"everything: a resource that is not there", `
		try { await resources.read("everything", "demo://nothing/here") } catch (e) { return [e.code, e.server, e instanceof HostError] }`,
		`["RESOURCE_NOT_FOUND","everything",true]`},
	{"files: written and listed", `
		await parallel(["a", "b", "c", "d"].map((n) => () => tools.files.write_file({ path: DIR + "/" + n + ".md", content: n.repeat(3) })));
		const { content } = await tools.files.list_directory({ path: DIR });
		return content.split("\n").filter((l) => l.endsWith(".md")).length;`, `4`},
	{"files: read, filtered and counted", `
		const { content } = await tools.files.search_files({ path: DIR, pattern: "*.txt" });
		const paths = content.split("\n");
		const texts = await parallel(paths.map((path) => () => tools.files.read_text_file({ path })), { concurrency: 2 });
		return { files: paths.length, words: texts.reduce((n, t) => n + t.content.split(/\s+/).length, 0) };`,
		`{"files":3,"words":6}`},
	{"files: edited", `
		const path = DIR + "/a.md";
		await tools.files.edit_file({ path, edits: [{ oldText: "aaa", newText: "bbb" }] });
		return (await tools.files.read_text_file({ path })).content.trim();`, `"bbb"`},
	{"files: moved, and gone where they were", `
		await tools.files.create_directory({ path: DIR + "/sub" });
		await tools.files.move_file({ source: DIR + "/b.md", destination: DIR + "/sub/b.md" });
		try { await tools.files.read_text_file({ path: DIR + "/b.md" }) } catch (e) {
			return [e.code, e.tool, (await tools.files.read_text_file({ path: DIR + "/sub/b.md" })).content];
		}`, `["TOOL_ERROR","read_text_file","bbb"]`},
	{"files: a tree, walked", `
		const tree = JSON.parse((await tools.files.directory_tree({ path: DIR })).content);
		const count = (nodes) => nodes.reduce((n, x) => n + (x.type === "file" ? 1 : count(x.children)), 0);
		return count(tree);`, `8`},
	{"files: what is refused", `
		try { await tools.files.read_text_file({ path: "/etc/passwd" }) } catch (e) { return [e.code, /denied/i.test(e.message)] }`,
		`["TOOL_ERROR",true]`},
	{"memory: entities and relations", `
		const names = ["Ada", "Charles", "Babbage Engine"];
		const made = await tools.memory.create_entities({ entities: names.map((name, i) => ({ name, entityType: i < 2 ? "person" : "machine", observations: ["born " + i] })) });
		await tools.memory.create_relations({ relations: names.slice(0, 2).map((from) => ({ from, to: names[2], relationType: "works on" })) });
		return made.entities.length;`, `3`},
	{"memory: searched by another program", `
		const { entities, relations } = await tools.memory.search_nodes({ query: "machine" });
		return [entities.map((e) => e.name), relations.length];`, `[["Babbage Engine"],2]`},
	{"memory: read, changed and read again", `
		await tools.memory.add_observations({ observations: [{ entityName: "Ada", contents: ["wrote note G"] }] });
		await tools.memory.delete_entities({ entityNames: ["Charles"] });
		const { entities, relations } = await tools.memory.read_graph();
		return [entities.length, entities.find((e) => e.name === "Ada").observations, relations.length];`,
		`[2,["born 0","wrote note G"],1]`},
	{"thinking: a chain of thoughts, by the server's exact name", `
		let last;
		for (let thoughtNumber = 1; thoughtNumber <= 3; thoughtNumber++) {
			last = await tools["sequential-thinking"].sequentialthinking({ thought: "step " + thoughtNumber, thoughtNumber, totalThoughts: 3, nextThoughtNeeded: thoughtNumber < 3 });
		}
		return [last.thoughtHistoryLength, last.nextThoughtNeeded];`, `[3,false]`},
	{"thinking: the server's name as an identifier", `
		const t = await tools.sequential_thinking.sequentialthinking({ thought: "again", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false });
		return t.thoughtHistoryLength;`, `4`},
	{"files to memory: every file becomes an entity", `
		const { content } = await tools.files.search_files({ path: DIR, pattern: "*.txt" });
		const entities = await parallel(content.split("\n").map((path) => async () => ({
			name: path.split("/").pop(), entityType: "file", observations: (await tools.files.read_text_file({ path })).content.split(" "),
		})));
		await tools.memory.create_entities({ entities });
		return (await tools.memory.open_nodes({ names: ["3.txt"] })).entities[0].observations;`, `["delta","epsilon","zeta"]`},
	{"four servers in one program", `
		const sum = await tools.everything["get-sum"]({ a: 20, b: 22 });
		await tools.files.write_file({ path: DIR + "/sum.log", content: sum });
		const { content } = await tools.files.read_text_file({ path: DIR + "/sum.log" });
		await tools.memory.create_entities({ entities: [{ name: "sum", entityType: "result", observations: [content] }] });
		const thought = await tools.sequential_thinking.sequentialthinking({ thought: content, thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false });
		return [content, thought.totalThoughts];`, `["The sum of 20 and 22 is 42.",1]`},
	{"TypeScript", `
		interface City { location: string; humidity: number }
		const city = async (location: "Chicago" | "New York"): Promise<City> => ({ location, humidity: (await tools.everything.get_structured_content({ location })).humidity as number });
		const both: City[] = [await city("Chicago"), await city("New York")];
		return both.every((c): c is City => c.humidity === 82);`, `true`},
	{"an async function", `async () => (await tools.everything.echo({ message: "from a function" })).length`, `21`},
	{"the stash, put", `await stash.put("seen", { n: 41 }); return await stash.keys()`, `["seen"]`},
	{"the stash, got by another program", `return (await stash.get("seen")).n + 1`, `42`},
	{"the catalog, from inside", `
		const servers = await catalog.servers();
		const [hit] = await catalog.search("add two numbers");
		const types = await catalog.types(hit.server, hit.tool);
		return [servers.map((s) => s.name).sort(), hit.tool, types.includes("a: number")];`,
		`[["everything","files","memory","sequential-thinking"],"get-sum",true]`},
	{"the same function under another system's name", `return await codemode.read_graph({}).then((g) => g.entities.length > 3)`, `true`},
	{"arguments that do not fit", `
		try { await tools.everything["get-sum"]({ a: "one" }) } catch (e) { return [e.code, e.server, e.tool, e.retryable] }`,
		`["INVALID_ARGUMENTS","everything","get-sum",false]`},
	{"a tool that is not there", `
		try { await tools.files.read_txt_file({ path: DIR }) } catch (e) { return [e.code, /read_text_file/.test(e.suggestion)] }`,
		`["TOOL_NOT_FOUND",true]`},
	{"a server that is not there", `
		try { await callTool("everythin", "echo", {}) } catch (e) { return [e.code, e.suggestion] }`,
		`["SERVER_NOT_FOUND","Did you mean \"everything\"?"]`},
	{"failures beside successes", `
		const all = await parallel([() => tools.everything.echo({ message: "x" }), () => tools.files.read_text_file({ path: DIR + "/none" })], { settle: true });
		return all.map((r) => r.status);`, `["fulfilled","rejected"]`},
	{"nothing ambient", `return [typeof process, typeof require, typeof fetch, typeof WebAssembly]`, `["undefined","undefined","undefined","undefined"]`},
}

// What is not text reaches the client as what it is, in the order in which it
// was emitted.
func TestBlocksReachTheClient(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		servers, files := realServers(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, servers)})
		res := c.execute(fmt.Sprintf(`
		const tiny = (await tools.everything["get-tiny-image"]()).find((b) => b.type === "image");
		emit(tiny);
		const { content: [pixel] } = await tools.files.read_media_file({ path: %q + "/pixel.png" }, { raw: true });
		emit(pixel);
		const reference = (await tools.everything["get-resource-reference"]({ resourceType: "Text", resourceId: 1 })).find((b) => b.type === "resource");
		emit(reference);
		emit({ type: "text", text: "the end" });
		console.log("three of them");
		return "done";`, files))
		if res.IsError {
			t.Fatal(res.text())
		}
		var got []string
		for _, b := range res.Content {
			got = append(got, b.Type)
		}
		if want := []string{"text", "image", "image", "resource", "text", "text"}; !slices.Equal(got, want) {
			t.Fatalf("the blocks are %v, not %v", got, want)
		}
		if b := res.Content[1]; b.MIMEType != "image/png" || !strings.HasPrefix(b.Data, "iVBOR") || len(b.Data) < 1000 {
			t.Errorf("the image is %s of %d bytes: %.20s…", b.MIMEType, len(b.Data), b.Data)
		}
		if b := res.Content[2]; b.MIMEType != "image/png" || b.Data != tinyPNG {
			t.Errorf("the pixel is %s: %s", b.MIMEType, b.Data)
		}
		if b := res.Content[3]; b.Resource.URI == "" || b.Resource.Text == "" {
			t.Errorf("the resource is %+v", b.Resource)
		}
		if b := res.Content[4]; b.Text != "the end" {
			t.Errorf("the emitted text is %q", b.Text)
		}
		if b := res.Content[5]; !strings.Contains(b.Text, "three of them") {
			t.Errorf("the console is %q", b.Text)
		}
		if got := string(res.Structured.Value); got != `"done"` || res.text() != "done" {
			t.Errorf("the value is %s, its text %q", got, res.text())
		}
	})
}

// A failure tells the model what is wrong with its program, and where.
func TestFailuresReachTheClient(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		servers, _ := realServers(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, map[string]mcpServer{"everything": servers["everything"]})})
		c.do("tools", nil, nil)
		for _, p := range []struct {
			code, want string
			line       int
			text       string
		}{
			{"const a = 1;\nreturn a b;", "SYNTAX_ERROR", 2, "return a b"},
			{"await tools.everything.echo({ message: 'x' });\n\nnull.length", "SCRIPT_ERROR", 3, "everything.echo ok"},
			{"return await tools.everything.ecko({ message: 'x' })", "TOOL_NOT_FOUND", 1, "Did you mean"},
			{"await new Promise(() => {})", "NEVER_SETTLES", 0, ""},
			{"const a = {}; a.a = a; return a", "INVALID_RESULT", 0, ""},
			{"return new Uint8Array(2 ** 28).length", "HEAP_LIMIT", 0, ""},
		} {
			res := c.execute(p.code)
			e := res.Structured.Error
			if !res.IsError || e == nil || e.Code != p.want || p.line > 0 && e.Line != p.line || !strings.Contains(res.text(), p.text) {
				t.Errorf("%s\nthe error is %+v:\n%s", p.code, e, res.text())
			}
		}
		res := c.call("execute", map[string]any{"code": "await sleep(60000)", "timeout_ms": 50})
		if e := res.Structured.Error; !res.IsError || e == nil || e.Code != "TIMEOUT" {
			t.Errorf("a program that sleeps: %s", res.text())
		}
		// What the SDK's client would hold against the schema of the tool.
		for _, args := range []map[string]any{{}, {"code": 7}, {"code": "return 1", "timeout_ms": "soon"}} {
			if res := c.call("execute", args); !res.IsError || res.Structured.Error == nil || res.Structured.Error.Code != "INVALID_ARGUMENTS" {
				t.Errorf("%v: %s", args, res.text())
			}
		}
		c.value("return 'still here'", `"still here"`)
	})
}

// A client may have many programs under way, and gets each its own answer.
func TestConcurrentPrograms(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		servers, _ := realServers(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, servers)})
		ids := make([]int, 24)
		for i := range ids {
			ids[i] = c.beginExecute(fmt.Sprintf(`
			const [sum, graph] = await Promise.all([tools.everything["get-sum"]({ a: %d, b: 100 }), tools.memory.read_graph()]);
			return [sum, graph.entities.length];`, i))
		}
		for i, id := range ids {
			res := c.result(id)
			if want := fmt.Sprintf(`["The sum of %d and 100 is %d.",0]`, i, i+100); res.IsError || !sameJSON(t, string(res.Structured.Value), want) {
				t.Errorf("program %d: %s %s", i, res.Structured.Value, res.text())
			}
		}
	})
}

// search is what the model begins with.
func TestSearchRealServers(t *testing.T) {
	t.Parallel()
	servers, _ := realServers(t)
	servers["absent"] = mcpServer{Command: "a-program-that-is-not-there"}
	c := startSDK(t, sdkOptions{Args: mcpConfig(t, servers)})
	var tools []struct{ Name string }
	if c.do("tools", nil, &tools); len(tools) != 2 {
		t.Errorf("the tools are %v", tools)
	}
	if about := c.about(); about.Server.Name != "autoclave" || !strings.Contains(about.Instructions, "absent, everything, files, memory, sequential-thinking") {
		t.Errorf("the server says of itself: %+v", about)
	}
	for _, q := range []struct {
		args map[string]any
		want []string // each in the text
	}{
		{map[string]any{"query": ""}, []string{"everything (", "files (14 tools", "memory (9 tools", "sequential-thinking (1 tool", "absent: NOT CONNECTED"}},
		{map[string]any{"query": "add two numbers", "limit": 1}, []string{`tools.everything["get-sum"](`}},
		{map[string]any{"query": "read a text file", "limit": 3}, []string{"tools.files.read_text_file("}},
		{map[string]any{"query": "knowledge graph", "server": "memory", "limit": 9}, []string{"tools.memory.read_graph("}},
		{map[string]any{"query": "", "server": "files", "limit": 100}, []string{"directory_tree", "list_allowed_directories"}},
		{map[string]any{"query": "read_media_file", "detail": true, "limit": 1}, []string{"read_media_file", "path: string"}},
	} {
		res := c.call("search", q.args)
		for _, w := range q.want {
			if res.IsError || !strings.Contains(res.text(), w) {
				t.Errorf("%v lacks %q:\n%s", q.args, w, res.text())
			}
		}
	}
}

// TestInspector has the MCP Inspector's command line as the client.
func TestInspector(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the packages' commands are scripts")
	}
	servers, _ := realServers(t)
	args := mcpConfig(t, servers)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"tools", []string{"--method", "tools/list"}, []string{`"name": "execute"`, `"name": "search"`, `"outputSchema"`}},
		{"search", []string{"--method", "tools/call", "--tool-name", "search", "--tool-arg", "query=add two numbers"}, []string{"get-sum"}},
		{"execute", []string{"--method", "tools/call", "--tool-name", "execute", "--tool-arg",
			`code=return await tools.everything.echo({ message: (await tools.memory.read_graph()).entities.length + " entities" })`},
			[]string{`"text": "Echo: 0 entities"`, `"structuredContent"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := inspect(t, append([]string{self(t)}, args...), c.args)
			for _, w := range c.want {
				if !strings.Contains(out, w) {
					t.Errorf("the output lacks %q:\n%s", w, out)
				}
			}
		})
	}
}
