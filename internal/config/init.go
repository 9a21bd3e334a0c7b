package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

// Init returns the text of an autoclave.toml that has the servers of an
// mcp.json file, and everything else as in the Example. The text of the file is
// data, the path is for errors. What the variables stand for is not looked up;
// literal values are taken over, with a remark where one looks like a secret.
// The warnings are those of LoadMCP. Without data the Example itself is
// returned.
func Init(path string, data []byte) (text []byte, warnings []string, err error) {
	if data == nil {
		return []byte(exampleText), nil, nil
	}
	m, err := readMCP(path, data, nil, true)
	if err != nil {
		return nil, nil, err
	}
	servers := m.d.servers(m.sections)
	if err := m.d.err(); err != nil {
		return nil, nil, err
	}
	var b strings.Builder
	for _, s := range servers {
		writeServer(&b, s)
	}
	for _, r := range m.rules {
		fmt.Fprintf(&b, "\n[[rule]]\nname = %s\naction = %s\nserver = %s\ntool = %s\n",
			quote(r.Name), quote(string(r.Action)), quote(r.Servers[0]), quote(r.Tools[0]))
	}
	// Tables must not come before keys of the top level, of which there are
	// none, and rules keep their order: so all of it stands in front of the
	// first section.
	const mark = "\n#[servers.github]\n"
	before, after, _ := strings.Cut(exampleText, mark)
	return []byte(before + b.String() + "\n# What a server can have:\n" + mark[1:] + after), m.warnings, nil
}

func writeServer(b *strings.Builder, s Server) {
	fmt.Fprintf(b, "\n[%s]\n", join("servers", s.Name))
	if s.Description != "" {
		fmt.Fprintf(b, "description = %s\n", quote(s.Description))
	}
	if s.Disabled {
		b.WriteString("enabled = false\n")
	}
	if s.URL == "" {
		fmt.Fprintf(b, "command = %s\n", quote(vscode(s.Command[0])))
		if args := s.Command[1:]; len(args) > 0 {
			quoted := make([]string, len(args))
			for i, a := range args {
				quoted[i] = quote(vscode(a))
			}
			fmt.Fprintf(b, "args = [%s]\n", strings.Join(quoted, ", "))
		}
		if s.Dir != "" {
			fmt.Fprintf(b, "cwd = %s\n", quote(vscode(s.Dir)))
		}
		pairs := map[string]string{}
		for _, e := range s.Env {
			name, value, _ := strings.Cut(e, "=")
			pairs[name] = value
		}
		writePairs(b, "env", pairs)
		return
	}
	fmt.Fprintf(b, "url = %s\n", quote(vscode(s.URL)))
	if s.Transport != upstream.Auto {
		fmt.Fprintf(b, "transport = %s\n", quote(string(s.Transport)))
	}
	writePairs(b, "headers", s.Headers)
}

func writePairs(b *strings.Builder, key string, pairs map[string]string) {
	if len(pairs) == 0 {
		return
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		value := pairs[name]
		if secretName.MatchString(name) && !strings.Contains(value, "${") {
			fmt.Fprintf(b, "# %s looks like a secret. Better: %s in the environment, and ${%s} here.\n", name, variableFor(name), variableFor(name))
		}
		bare := name
		if !bareKey.MatchString(name) {
			bare = quote(name)
		}
		list = append(list, bare+" = "+quote(vscode(value)))
	}
	fmt.Fprintf(b, "%s = { %s }\n", key, strings.Join(list, ", "))
}

var vscodeVariable = regexp.MustCompile(`\$\{(env|input):([^}]*)\}`)

// vscode writes VS Code's variables as ours.
func vscode(s string) string {
	return vscodeVariable.ReplaceAllStringFunc(s, func(v string) string {
		part := vscodeVariable.FindStringSubmatch(v)
		if part[1] == "env" {
			return "${" + part[2] + "}"
		}
		return "${" + variableFor(part[2]) + "}"
	})
}

// quote returns s as a TOML string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			b.WriteString(`\u` + fmt.Sprintf("%04X", r))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
