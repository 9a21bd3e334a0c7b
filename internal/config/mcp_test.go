package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

func parseMCP(t *testing.T, path, text string) *Config {
	t.Helper()
	c, err := Loader{Env: environment}.ParseMCP(path, []byte(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return c
}

func TestMCPForms(t *testing.T) {
	abs, err := filepath.Abs("proj")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path, text string
		want       []upstream.Config
		warnings   []string
		off        []string
	}{
		"Claude Desktop": {"claude_desktop_config.json", `{
			"globalShortcut": "Ctrl+Space", "preferences": {"x": [1, 2.5, null]},
			"mcpServers": {
				"memory": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]},
				"files": {"command": "npx", "args": ["-y", "fs", "/tmp"], "env": {"A": "1"}}
			}}`,
			[]upstream.Config{
				{Name: "memory", Command: []string{"npx", "-y", "@modelcontextprotocol/server-memory"}},
				{Name: "files", Command: []string{"npx", "-y", "fs", "/tmp"}, Env: []string{"A=1"}},
			}, nil, nil},
		"Claude Code": {".mcp.json", `{"mcpServers": {
				"api": {"type": "http", "url": "${API_URL:-https://api.example.org}/mcp", "headers": {"Authorization": "Bearer ${GITHUB_TOKEN}"}},
				"old": {"type": "sse", "url": "https://old.example.org/sse"},
				"local": {"type": "stdio", "command": "${HOME}/bin/x", "args": [], "env": {}}
			}}`,
			[]upstream.Config{
				{Name: "api", Transport: upstream.HTTP, URL: "https://api.example.org/mcp", Headers: map[string]string{"Authorization": "Bearer ghp_0123456789"}},
				{Name: "old", Transport: upstream.SSE, URL: "https://old.example.org/sse"},
				{Name: "local", Transport: upstream.Stdio, Command: []string{"/home/alice/bin/x"}},
			}, nil, nil},
		"Cursor": {"proj/.cursor/mcp.json", `{"mcpServers": {
				"a": {"url": "http://localhost:3000/mcp", "headers": {"X": "${env:GITHUB_TOKEN}"}},
				"b": {"command": "python", "args": ["${workspaceFolder}/s.py", "${userHome}", "${workspaceFolderBasename}${/}x"], "cwd": "sub"}
			}}`,
			[]upstream.Config{
				{Name: "a", URL: "http://localhost:3000/mcp", Headers: map[string]string{"X": "ghp_0123456789"}},
				{Name: "b", Command: []string{"python", abs + "/s.py", "/home/alice", "proj/x"}, Dir: filepath.Join(abs, "sub")},
			}, nil, nil},
		"VS Code": {"proj/.vscode/mcp.json", `{
			// comments, and commas after the last
			"inputs": [{"type": "promptString", "id": "unused"},],
			"servers": {
				/* "off": {}, */
				"Sequential Thinking": {"type": "stdio", "command": "npx", "args": ["-y", "st // no comment", "/* nor this */"], "dev": {"watch": "x"},},
				"http": {"type": "http", "url": "https://x.example//mcp"}, // end
			},
		}`,
			[]upstream.Config{
				{Name: "Sequential_Thinking", Transport: upstream.Stdio, Command: []string{"npx", "-y", "st // no comment", "/* nor this */"}},
				{Name: "http", Transport: upstream.HTTP, URL: "https://x.example//mcp"},
			}, []string{
				`mcp.json:6:118: servers."Sequential Thinking".dev: means nothing here`,
				`is called Sequential_Thinking here`,
			}, nil},
		"VS Code settings": {"settings.json", `{"editor.fontSize": 12, "mcp": {"servers": {"a": {"command": "x"}}}}`,
			[]upstream.Config{{Name: "a", Command: []string{"x"}}}, nil, nil},
		"others": {"mcp.json", `{"mcpServers": {
				"a": {"serverUrl": "https://a.example/x", "transport": "streamable-http"},
				"b": {"httpUrl": "https://b.example/${NOPE}", "disabled": true},
				"c": {"command": ["x", "y"], "enabled": false, "autoApprove": ["*"], "env": null},
				"d": {"type": "streamableHttp", "url": "https://d.example/x"}
			}}`,
			[]upstream.Config{
				{Name: "a", Transport: upstream.HTTP, URL: "https://a.example/x"},
				{Name: "b", URL: "https://b.example/${NOPE}"},
				{Name: "c", Command: []string{"x", "y"}},
				{Name: "d", Transport: upstream.HTTP, URL: "https://d.example/x"},
			}, []string{"mcpServers.c.autoApprove: means nothing here"}, []string{"b", "c"}},
		"names": {"mcp.json", `{"mcpServers": {"@org/x y": {"command": "1"}, "ORG_X_y": {"command": "2"}, "💥": {"command": "3"}}}`,
			[]upstream.Config{
				{Name: "org_x_y", Command: []string{"1"}},
				{Name: "ORG_X_y_2", Command: []string{"2"}},
				{Name: "server", Command: []string{"3"}},
			}, []string{"is called org_x_y here", "is called ORG_X_y_2 here", "is called server here"}, nil},
		"none": {"mcp.json", `{"mcpServers": {}}`, nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := parseMCP(t, tt.path, tt.text)
			var got []upstream.Config
			var off []string
			for _, s := range c.Servers {
				got = append(got, s.Config)
				if s.Disabled {
					off = append(off, s.Name)
				}
			}
			if !slices.Equal(off, tt.off) {
				t.Errorf("not enabled are %q, want %q", off, tt.off)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, tt.want)
			}
			if len(c.Warnings) != len(tt.warnings) {
				t.Fatalf("warnings: %q", c.Warnings)
			}
			for i, w := range tt.warnings {
				if !strings.Contains(c.Warnings[i], w) {
					t.Errorf("warning %q, want %q", c.Warnings[i], w)
				}
			}
			defaults := parse(t, "")
			if !reflect.DeepEqual(c.HTTP, defaults.HTTP) || !reflect.DeepEqual(c.Engine, defaults.Engine) || c.Approval != defaults.Approval || !reflect.DeepEqual(c.Redaction, defaults.Redaction) {
				t.Error("the rest is not as in an empty autoclave.toml")
			}
		})
	}
}

func TestMCPErrors(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"syntax":    {"{\n  \"mcpServers\": {,}\n}", "f.json:2:17: "},
		"cut":       {`{"mcpServers": {`, "f.json:1:17: it ends in the middle"},
		"comment":   {`{"mcpServers": {} /* `, "f.json:1:"},
		"two":       {`{"mcpServers": {}} {}`, "something after the end"},
		"array":     {`[]`, "f.json:1:1: it must be an object"},
		"no object": {`{"mcpServers": []}`, "there are no servers in it"},
		"nothing":   {`{}`, "mcpServers (Claude, Cursor) or servers (VS Code)"},
		"twice":     {"{\"mcpServers\": {\"a\": {\"command\": \"x\"},\n \"a\": {\"command\": \"y\"}}}", "f.json:2:5: mcpServers.a is there twice"},
		"deep":      {`{"x": ` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, "nests more than"},
		"server":    {`{"mcpServers": {"a": "npx"}}`, "f.json:1:17: mcpServers.a: is a string: it must be an object"},
		"type":      {`{"mcpServers": {"a": {"command": "x", "args": [1]}}}`, "mcpServers.a.args[0]: is the number 1: it must be a string"},
		"neither":   {`{"mcpServers": {"a": {}}}`, "f.json:1:17: servers.a: has neither command nor url"},
		"transport": {`{"mcpServers": {"a": {"url": "http://x", "type": "carrier-pigeon"}}}`, `has the type "carrier-pigeon": it can be stdio, http, streamable-http or sse`},
		"websocket": {`{"mcpServers": {"a": {"url": "ws://x", "type": "ws"}}}`, "which is no transport of MCP"},
		"input":     {`{"servers": {"a": {"command": "x", "env": {"T": "${input:gh-token}"}}}}`, "servers.a.env.T: uses ${input:gh-token}, for which VS Code asks"},
		"unset":     {`{"mcpServers": {"a": {"command": "x", "env": {"T": "${NOPE}"}}}}`, "mcpServers.a.env.T: the variable NOPE is not set"},
		"envFile":   {`{"servers": {"a": {"command": "x", "envFile": "nope.env"}}}`, "servers.a.envFile: cannot be read"},
		"two URLs":  {`{"mcpServers": {"a": {"url": "http://x", "serverUrl": "http://y"}}}`, "is a second URL"},
	} {
		_, err := Loader{Env: environment}.ParseMCP("f.json", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
}

func TestMCPDisabledTools(t *testing.T) {
	c := parseMCP(t, "mcp.json", `{"mcpServers": {"a": {"command": "x", "disabledTools": ["rm*", "drop"]}}}`)
	p, err := policy.New(c.Policy)
	if err != nil {
		t.Fatal(err)
	}
	for tool, want := range map[string]policy.Action{"rm*": policy.Deny, "rmx": policy.Allow, "drop": policy.Deny, "get": policy.Allow} {
		if d := p.Decide(policy.Request{Server: "a", Tool: tool}); d.Action != want {
			t.Errorf("%s: %+v", tool, d)
		}
	}
	if u := c.Unsupported(); len(u) != 1 || !strings.Contains(u[0], "disabledTools needs rules") {
		t.Errorf("unsupported: %q", u)
	}
}

func TestEnvFile(t *testing.T) {
	dir := t.TempDir()
	text := "# comment\n\nexport A=1\nB = \"two words\" # why\nC='${HOME}'\r\nD=plain value # comment\nE=\nTOKEN=from-the-file\n"
	if err := os.WriteFile(filepath.Join(dir, "x.env"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parseMCP(t, filepath.Join(dir, "mcp.json"), `{"servers": {"a": {"command": "x", "envFile": "x.env", "env": {"A": "own"}}}}`)
	want := []string{"A=own", "B=two words", "C=${HOME}", "D=plain value", "E=", "TOKEN=from-the-file"}
	if got := c.Servers[0].Env; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Contains(c.Secrets(), "from-the-file") {
		t.Errorf("secrets: %q", c.Secrets())
	}
	for _, bad := range []string{"no value", "1A=x", "A=\"open", "A='x' y"} {
		if _, _, _, err := envLine(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestInit(t *testing.T) {
	text, warnings, err := Init("", nil)
	if err != nil || len(warnings) > 0 || string(text) != Example() {
		t.Errorf("without servers: %v, %q", err, warnings)
	}
	const mcp = `{"servers": {
		"a b": {"command": "npx", "args": ["-y", "say \"hi\"\n", "${env:HOME}", "é"], "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}", "API_KEY": "literal", "x.y": "1"}},
		"b": {"type": "sse", "url": "https://x.example/${ALICE_TOKEN}", "headers": {"Authorization": "Bearer ${LINEAR_TOKEN}"}, "disabled": true, "description": "what it is"},
		"c.d": {"command": "x", "disabledTools": ["rm*"]},
		"in": {"command": "x", "env": {"K": "${input:linear-token}"}}
	}}`
	text, warnings, err = Init("mcp.json", []byte(mcp))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "a_b") {
		t.Errorf("warnings: %q", warnings)
	}
	got := parse(t, string(text))
	want := parseMCP(t, "dir/mcp.json", strings.ReplaceAll(mcp, "${input:linear-token}", "${LINEAR_TOKEN}"))
	if !reflect.DeepEqual(got.Servers, want.Servers) {
		t.Errorf("got\n%+v\nwant\n%+v", got.Servers, want.Servers)
	}
	if !reflect.DeepEqual(got.Policy.Rules, want.Policy.Rules) {
		t.Errorf("got %+v, want %+v", got.Policy.Rules, want.Policy.Rules)
	}
	for _, line := range []string{"# API_KEY looks like a secret. Better: API_KEY in the environment, and ${API_KEY} here.", "#cpu = \"5s\"", "#[servers.github]"} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	if strings.Contains(string(text), "ghp_") {
		t.Error("the value of a variable is in the file")
	}
	if _, _, err := Init("mcp.json", []byte("{}")); err == nil {
		t.Error("a file without servers is taken")
	}
}

func FuzzTOML(f *testing.F) {
	f.Add(Example())
	f.Add(enabled("keys_url"))
	f.Add("[[rule]]\naction = \"ask\"\n[[rule]]\nserver = [\"a\", []]")
	f.Add("a = { b = [ { c = 1 } ] }\n[x.y.\"z\"]\n[[x.q]]\n[x.q.r]\n[[x.q.s]]")
	f.Add("[servers.a]\ncommand = \"${A:-${B}}$${\"")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Loader{Env: environment}.Parse("f", []byte(text))
		if err != nil {
			if c != nil || err.Error() == "" {
				t.Fatalf("%v and %v", c, err)
			}
			return
		}
		if _, err := policy.New(c.Policy); err != nil {
			t.Fatalf("a policy that is none: %v", err)
		}
		c.Unsupported()
	})
}

func FuzzMCP(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"command": "x", "args": ["1"], "env": {"A": "${HOME}"}}}}`)
	f.Add(`{"servers": {"a": {"url": "http://x", "type": "sse",},}, /* */ } // x`)
	f.Add(`{"mcp": {"servers": {"a b": {"disabledTools": ["*"], "command": []}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "envFile") {
			return // it would read files
		}
		c, err := Loader{Env: environment}.ParseMCP("f", []byte(text))
		if err != nil {
			return
		}
		for _, s := range c.Servers {
			if !serverName.MatchString(s.Name) || (s.URL == "") == (len(s.Command) == 0) {
				t.Fatalf("%+v", s)
			}
		}
		if _, err := policy.New(c.Policy); err != nil {
			t.Fatalf("a policy that is none: %v", err)
		}
		out, _, err := Init("f", []byte(text))
		if err != nil {
			return
		}
		if _, err := parseTOML("f", out); err != nil {
			t.Fatalf("Init wrote what is no TOML: %v\n%s", err, out)
		}
	})
}
