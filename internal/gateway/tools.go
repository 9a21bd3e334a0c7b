package gateway

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
)

// What a model reads before it does anything. Every word is paid for in each
// of its sessions; a test bounds the sum.

var searchTool = &mcp.Tool{
	Name:  "search",
	Title: "Search tools",
	Description: `Find the tools that programs for "execute" can call. Answers with TypeScript signatures, best first. ` +
		`Say in a few words what you want to do; an empty query lists the servers.`,
	InputSchema: json.RawMessage(`{"type":"object","properties":{` +
		`"query":{"type":"string","description":"What the tool should do, or its name"},` +
		`"server":{"type":"string","description":"Only this server; with an empty query, all its tools"},` +
		`"limit":{"type":"integer","minimum":1,"maximum":100,"default":8},` +
		`"detail":{"type":"boolean","default":false,"description":"Full declarations, with what each argument means"}` +
		`},"required":["query"]}`),
	OutputSchema: json.RawMessage(`{"type":"object","properties":{` +
		`"tools":{"type":"array","items":{"type":"object","properties":{` +
		`"server":{"type":"string"},"tool":{"type":"string"},"description":{"type":"string"},"types":{"type":"string"}}}},` +
		`"total":{"type":"integer"},` +
		`"servers":{"type":"array","items":{"type":"object"}},` +
		`"missing":{"type":"array","items":{"type":"object"}}` +
		`},"required":["tools"]}`),
	Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(false), DestructiveHint: new(false)},
}

// executeTool says what a program may use as l has it.
// Where there are several engines it may name one; the first is meant where it
// does not.
func executeTool(l autoclave.Limits, engines []string) *mcp.Tool {
	tool := executeTemplate
	if len(engines) > 1 {
		names, _ := json.Marshal(engines) // strings marshal
		property := fmt.Sprintf(`"engine":{"type":"string","enum":%s,"default":%q,"description":"v8 computes ten times faster, and has Intl; quickjs starts faster"},`, names, engines[0])
		tool.InputSchema = json.RawMessage(strings.Replace(string(executeTemplate.InputSchema.(json.RawMessage)), `"session":`, property+`"session":`, 1))
	}
	tool.Description += fmt.Sprintf(" One program may make %d calls, %d at once, compute for %v and take %v.",
		l.Calls, l.Concurrency, l.CPU, l.Wall)
	return &tool
}

var executeTemplate = mcp.Tool{
	Name:  "execute",
	Title: "Execute a program",
	Description: `Run a JavaScript or TypeScript program that calls tools, and get its value. Do the whole job in one program: loop, filter and join inside it, and return only what you need. Look up signatures with "search" first.

The code is an async function, or statements with top-level await and return:
const { issues } = await tools.tracker.list_issues({ state: "open" });
return issues.map(i => i.title);

tools.<server>.<tool>(args), or tools["my-server"]["do-it"](args), gives the tool's structured content, else its text (parsed where it is JSON). It throws HostError { code, message, retryable, suggestion }.
Also: parallel([() => …], { concurrency, settle }), resources.read(server, uri), resources.list(), stash.put(key, value) and stash.get(key) (kept until the session ends; nothing else is), emit({ type: "image", data, mimeType }) to show content, progress(done, total), console.log, sleep(ms), catalog.types(server, tool).
There is no import, require, fetch, file system or process.`,
	InputSchema: json.RawMessage(`{"type":"object","properties":{` +
		`"code":{"type":"string","description":"The program"},` +
		`"timeout_ms":{"type":"integer","minimum":1,"description":"End it after this time"},` +
		`"session":{"type":"string","description":"Programs with the same session share a stash"}` +
		`},"required":["code"]}`),
	OutputSchema: json.RawMessage(`{"type":"object","properties":{` +
		`"value":{"description":"What the program returned"},` +
		`"truncated":{"type":"object","description":"Set in place of a value that is too large"},` +
		`"error":{"type":"object"},` +
		`"logs":{"type":"array","items":{"type":"object"}},` +
		`"calls":{"type":"array","items":{"type":"object"}},` +
		`"usage":{"type":"object"},` +
		`"warnings":{"type":"array","items":{"type":"string"}},` +
		`"session":{"type":"string"}` +
		`},"required":["usage"]}`),
	Annotations: &mcp.ToolAnnotations{DestructiveHint: new(true), OpenWorldHint: new(true)},
}

// How many servers the instructions name, and in how many bytes.
const (
	maxNamed      = 40
	maxNamedBytes = 600
)

// instructions name the servers of c, as many as there is room for.
func instructions(c *catalog.Catalog) string {
	servers := c.Servers()
	if len(servers) == 0 {
		return "No servers are configured, so programs have no tools to call."
	}
	var names []string
	size := 0
	for _, s := range servers {
		if size += len(s.Name) + 2; len(names) == maxNamed || size > maxNamedBytes {
			break
		}
		names = append(names, s.Name)
	}
	list := strings.Join(names, ", ")
	if n := len(servers) - len(names); n > 0 {
		list = strings.TrimPrefix(fmt.Sprintf("%s and %d more", list, n), " and ")
	}
	return "Tools of these servers are called from programs: " + list + ". " +
		`Find them with "search", then call as many as you need in one "execute".`
}
