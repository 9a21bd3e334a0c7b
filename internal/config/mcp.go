package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// LoadMCP reads the servers that are configured for another client, in the
// forms that Claude Desktop, Claude Code, Cursor, VS Code and those that follow
// them write: an object under mcpServers, servers, or mcp.servers. Everything
// else in the file is another program's. Comments and commas after the last
// element are let pass.
//
// Unlike in autoclave.toml a key of a server that is not known is a warning:
// the file is not ours. Names that servers cannot have here are changed, with a
// warning too.
func LoadMCP(path string) (*Config, error) { return Loader{}.LoadMCP(path) }

// LoadMCP is the function LoadMCP with the Loader's environment.
func (l Loader) LoadMCP(path string) (*Config, error) {
	data, err := readFile(path, maxJSON)
	if err != nil {
		return nil, err
	}
	return l.ParseMCP(path, data)
}

// ParseMCP reads the text of an mcp.json. The path is for errors, and what
// relative paths in it are relative to.
func (l Loader) ParseMCP(path string, data []byte) (*Config, error) {
	m, err := readMCP(path, data, l.Env, false)
	if err != nil {
		return nil, err
	}
	c := m.config(map[string]any{})
	c.Servers = m.d.servers(m.sections)
	c.Policy.Rules = m.rules
	c.Warnings, c.secrets, c.used = m.warnings, m.d.allSecrets(), m.d.used
	if err := m.d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// mcp is an mcp.json that is being read.
type mcp struct {
	d        *decoder
	sections map[string]serverSection
	rules    []policy.Rule
	warnings []string
	folder   string // the workspace
}

// config returns a Config with all defaults.
func (m *mcp) config(root map[string]any) *Config {
	d := newDecoder(m.d.file, &tree{root: root, at: map[string]position{}}, m.d.env)
	return d.config(root)
}

func readMCP(path string, data []byte, env func(string) (string, bool), raw bool) (*mcp, error) {
	t, err := parseJSON(path, data)
	if err != nil {
		return nil, err
	}
	m := &mcp{d: newDecoder(path, t, env), sections: map[string]serverSection{}}
	m.d.raw = raw
	m.folder = filepath.Dir(path)
	if dir := filepath.Base(m.folder); dir == ".vscode" || dir == ".cursor" || dir == ".kiro" {
		m.folder = filepath.Dir(m.folder)
	}
	servers, prefix := findServers(t.root)
	if servers == nil {
		m.d.errorf(prefix, "there are no servers in it: it must be an object with mcpServers (Claude, Cursor) or servers (VS Code)")
		return nil, m.d.err()
	}
	inOrder := slices.SortedFunc(maps.Keys(servers), func(a, b string) int {
		p, q := t.place(join(prefix, a)), t.place(join(prefix, b))
		if p.line != q.line {
			return p.line - q.line
		}
		if p.column != q.column {
			return p.column - q.column
		}
		return strings.Compare(a, b)
	})
	for _, name := range inOrder {
		m.server(name, join(prefix, name), servers[name])
	}
	return m, nil
}

// findServers returns the object with the servers and its path.
func findServers(root map[string]any) (map[string]any, string) {
	for _, key := range []string{"mcpServers", "servers"} {
		if servers, ok := root[key].(map[string]any); ok {
			return servers, key
		}
	}
	if in, ok := root["mcp"].(map[string]any); ok {
		if servers, ok := in["servers"].(map[string]any); ok {
			return servers, "mcp.servers"
		}
	}
	return nil, ""
}

func (m *mcp) warnf(path, format string, args ...any) {
	p := m.d.tree.place(path)
	m.warnings = append(m.warnings, fmt.Sprintf("%s:%d:%d: %s: %s", m.d.file, p.line, p.column, path, fmt.Sprintf(format, args...)))
}

// mcpServer is a server as clients write it. The keys that differ between
// clients stand next to each other.
type mcpServer struct {
	Type      string            `toml:"type"`
	Transport string            `toml:"transport"`
	Command   list              `toml:"command" expand:"text"`
	Args      list              `toml:"args" expand:"text"`
	Env       map[string]string `toml:"env" expand:"secret"`
	EnvFile   string            `toml:"envFile" expand:"text"`
	Cwd       string            `toml:"cwd" expand:"text"`

	URL       string            `toml:"url" expand:"secret" feature:"servers that are reached over HTTP"`
	ServerURL string            `toml:"serverUrl" expand:"secret" feature:"servers that are reached over HTTP"`
	HTTPURL   string            `toml:"httpUrl" expand:"secret" feature:"servers that are reached over HTTP"`
	Headers   map[string]string `toml:"headers" expand:"secret" feature:"servers that are reached over HTTP"`

	Description   string `toml:"description"`
	Disabled      bool   `toml:"disabled"`
	Enabled       *bool  `toml:"enabled"`
	DisabledTools list   `toml:"disabledTools" feature:"rules"`
}

func (m *mcp) server(name, path string, x any) {
	table, ok := x.(map[string]any)
	if !ok {
		m.d.errorf(path, "is %s: it must be an object", show(x))
		return
	}
	known := map[string]any{}
	fields := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[mcpServer]()) {
		fields[f.Tag.Get("toml")] = true
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		switch {
		case fields[key] && table[key] != nil:
			known[key] = m.resolve(table[key])
		case !fields[key]:
			m.warnf(join(path, key), "means nothing here and is left out")
		}
	}
	off := known["disabled"] == true || known["enabled"] == false
	if off {
		m.d.off = append(m.d.off, path)
	}
	var s mcpServer
	m.d.section(path, known, reflect.ValueOf(&s).Elem(), "")
	name = m.rename(name, path)
	out := serverSection{
		Command: s.Command, Args: s.Args, Env: s.Env, Cwd: s.Cwd, URL: s.URL, Headers: s.Headers, Description: s.Description,
	}
	if out.Cwd != "" && !filepath.IsAbs(out.Cwd) && !m.d.raw {
		if dir, err := filepath.Abs(filepath.Join(m.folder, out.Cwd)); err == nil {
			out.Cwd = dir
		}
	}
	m.transport(path, s, &out)
	if s.EnvFile != "" && !off {
		m.envFile(path, s.EnvFile, &out)
	}
	if off {
		on := false
		out.Enabled = &on
		m.d.off = append(m.d.off, join("servers", name))
	}
	for _, tool := range s.DisabledTools {
		m.rules = append(m.rules, policy.Rule{
			Name: "disabledTools of " + name, Action: policy.Deny, Servers: []string{policy.Quote(name)}, Tools: []string{policy.Quote(tool)},
		})
	}
	m.sections[name] = out
	// The errors to come are about the server under its new path.
	for at, p := range m.d.tree.at {
		if rest, ok := strings.CutPrefix(at, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			if other := join("servers", name) + rest; other != at {
				m.d.tree.at[other] = p
			}
		}
	}
}

func (m *mcp) transport(path string, s mcpServer, out *serverSection) {
	for _, other := range []struct{ key, value string }{{"serverUrl", s.ServerURL}, {"httpUrl", s.HTTPURL}} {
		switch {
		case other.value == "":
		case out.URL != "":
			m.d.errorf(path+"."+other.key, "is a second URL: leave one of them")
		default:
			out.URL = other.value
		}
	}
	kind := orDefault(s.Type, s.Transport)
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(kind)) {
	case "":
	case "stdio", "local":
		out.Transport = string(upstream.Stdio)
	case "http", "streamablehttp", "remote":
		out.Transport = string(upstream.HTTP)
	case "sse":
		out.Transport = string(upstream.SSE)
	case "ws", "websocket":
		m.d.errorf(path, "is reached by WebSocket, which is no transport of MCP: ask the server for its Streamable HTTP endpoint")
	default:
		m.d.errorf(path, "has the type %q: it can be stdio, http, streamable-http or sse", kind)
	}
}

// rename returns a name that a server can have.
func (m *mcp) rename(name, path string) string {
	clean := name
	if !serverName.MatchString(name) {
		clean = cleanName(name)
		m.warnf(path, "is called %s here, because names have A-Z a-z 0-9 _ - . alone", clean)
	}
	taken := func(name string) bool {
		for other := range m.sections {
			if strings.EqualFold(other, name) {
				return true
			}
		}
		return false
	}
	if !taken(clean) {
		return clean
	}
	for i := 2; ; i++ {
		suffix := fmt.Sprintf("_%d", i)
		if other := clean[:min(len(clean), 64-len(suffix))] + suffix; !taken(other) {
			m.warnf(path, "is called %s here, because another server has that name but for case or characters", other)
			return other
		}
	}
}

// resolve replaces what stands for folders in the strings of a value.
func (m *mcp) resolve(x any) any {
	switch x := x.(type) {
	case string:
		if !strings.Contains(x, "${") {
			return x
		}
		folder, err := filepath.Abs(m.folder)
		if err != nil {
			folder = m.folder
		}
		home, ok := m.d.env("HOME")
		pairs := []string{
			"${workspaceFolder}", folder, "${workspaceRoot}", folder, "${workspaceFolderBasename}", filepath.Base(folder),
			"${pathSeparator}", string(filepath.Separator), "${/}", string(filepath.Separator),
		}
		if ok {
			pairs = append(pairs, "${userHome}", home)
		}
		return strings.NewReplacer(pairs...).Replace(x)
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = m.resolve(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = m.resolve(e)
		}
		return out
	}
	return x
}

const maxEnvFile = 1 << 20

// envFile adds the variables of a file of NAME=value lines, but for those that
// the server has already. Their values are secrets: that is what people keep in
// such files.
func (m *mcp) envFile(path, file string, out *serverSection) {
	at := path + ".envFile"
	if m.d.raw {
		m.warnf(at, "is not taken over: set its variables in the environment and name them in env")
		return
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(m.folder, file)
	}
	info, err := os.Stat(file)
	var data []byte
	if err == nil {
		if !info.Mode().IsRegular() || info.Size() > maxEnvFile {
			m.d.errorf(at, "is no file of at most %d bytes", maxEnvFile)
			return
		}
		data, err = os.ReadFile(file)
	}
	if err != nil {
		m.d.errorf(at, "cannot be read: %v", err)
		return
	}
	env := map[string]string{}
	for n, line := range strings.Split(string(data), "\n") {
		name, value, ok, err := envLine(line)
		switch {
		case err != nil:
			m.d.errorf(at, "%s:%d: %v", file, n+1, err)
		case ok:
			env[name] = value
			m.d.addSecret(value)
		}
	}
	maps.Copy(env, out.Env)
	out.Env = env
}

// envLine reads a line of an env file: NAME=value, with export in front or
// quotes around the value if need be. ok is false for lines that say nothing.
func envLine(line string) (name, value string, ok bool, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", "", false, nil
	}
	name, value, ok = strings.Cut(strings.TrimPrefix(line, "export "), "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !variableName.MatchString(name) {
		return "", "", false, fmt.Errorf("it is no NAME=value")
	}
	if strings.IndexByte(value, 0) >= 0 {
		return "", "", false, fmt.Errorf("the value of %s has a NUL character", name)
	}
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		quote := value[:1]
		value, after, closed := strings.Cut(value[1:], quote)
		after = strings.TrimSpace(after)
		if !closed || after != "" && after[0] != '#' {
			return "", "", false, fmt.Errorf("the value of %s has an opening quote and no closing one at its end", name)
		}
		return name, value, true, nil
	}
	if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	return name, value, true, nil
}
