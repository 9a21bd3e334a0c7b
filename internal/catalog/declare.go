package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Lengths of declarations, in bytes.
const (
	signatureArgs   = 400      // the arguments in a signature
	signatureResult = 250      // the result in a signature
	declareTool     = 32 << 10 // one tool's declaration
	declareServer   = 512 << 10
)

// noSchema tells what a tool without an output schema returns: what the sandbox
// makes of its content.
const noSchema = "No output schema: returns text, or its value where it is JSON."

// signature returns how a tool is called, on one line.
func (t *tool) signature() string {
	var b strings.Builder
	b.WriteString("tools" + member(t.server.info.Name) + member(t.Name) + "(")
	b.WriteString(t.arguments(func(ty *typ) string { return compact(ty, signatureArgs) }) + "): Promise<")
	result := "unknown"
	if t.output != nil {
		result = compact(t.output.typ, signatureResult)
	}
	b.WriteString(result + ">")
	return b.String()
}

// arguments returns the parameter list.
func (t *tool) arguments(print func(*typ) string) string {
	switch {
	case t.input == nil:
		return "args?: object"
	case t.input.none:
		return ""
	}
	s := "object"
	if ty := t.input.typ; !(ty.kind == kindUnknown || ty.kind == kindObject && len(ty.props) == 0 && ty.rest != nil && ty.rest.kind == kindUnknown) {
		s = print(ty)
	}
	if t.input.optional {
		return "args?: " + s
	}
	return "args: " + s
}

// Types returns TypeScript declarations of one tool, or of a whole server where
// toolName is empty. They stand for themselves: they are valid TypeScript, and
// declare the part of `tools` that they are about. What is too large is cut,
// and says so. The error is a *NotFound.
func (c *Catalog) Types(serverName, toolName string) (string, error) {
	if toolName != "" {
		t, err := c.find(serverName, toolName)
		if err != nil {
			return "", err
		}
		return declare(t.server, []*tool{t}, ""), nil
	}
	s, err := c.findServer(serverName)
	if err != nil {
		return "", err
	}
	if s.info.Problem != "" && len(s.tools) == 0 {
		return "", &NotFound{Server: serverName, Problem: s.info.Problem}
	}
	var head strings.Builder
	fmt.Fprintf(&head, "// Server %s", quote(s.info.Name))
	fmt.Fprintf(&head, ": %s.", plural(len(s.tools), "tool"))
	if s.info.Description != "" {
		head.WriteString(" " + s.info.Description)
	}
	head.WriteString("\n")
	if s.info.Resources > 0 {
		fmt.Fprintf(&head, "// It also has %s: resources.list(%s).\n", plural(s.info.Resources, "resource"), quote(s.info.Name))
	}
	head.WriteString("// Each call takes a second argument too: { timeout?: milliseconds, raw?: boolean }.\n")
	if slices.ContainsFunc(s.tools, func(t *tool) bool { return t.output == nil }) {
		head.WriteString("// Promise<unknown>: text, or its value where it is JSON.\n")
	}
	return declare(s, s.tools, head.String()), nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// declare writes the types that need names, then the tools. The head is empty
// for a tool that stands alone.
func declare(s *server, tools []*tool, head string) string {
	names := newNames()
	var body strings.Builder
	body.WriteString("declare const tools: {\n  " + property(s.info.Name) + ": {\n")
	for i, t := range tools {
		if body.Len()+names.size > declareServer {
			fmt.Fprintf(&body, "    // %s more: ask for the types of each by its name, or search.\n", plural(len(tools)-i, "tool"))
			break
		}
		t.declare(&body, names, head == "")
	}
	body.WriteString("  };\n};\n")
	return head + names.b.String() + body.String()
}

// declare writes one tool into the body and its named types into names.
func (t *tool) declare(b *strings.Builder, names *names, alone bool) {
	local := names.add(t.input, t.output)
	// Less and less is shown until it fits.
	for _, step := range [...]struct {
		docs        bool
		depth, most int
		limit       int
	}{
		{true, maxTypeDepth, maxProperties, declareTool}, {false, maxTypeDepth, maxProperties, declareTool},
		{false, 4, 100, declareTool}, {false, 2, 50, declareTool}, {false, 1, 20, declareTool * 4},
	} {
		over, lost := false, false
		print := func(ty *typ) string {
			p := printer{limit: step.limit, docs: step.docs, depth: step.depth, most: step.most, literals: maxLiterals, names: local}
			p.typ(ty, loose, 0, 2)
			over, lost = over || p.over, lost || p.lost
			return p.b.String()
		}
		args := t.arguments(print)
		result := "unknown"
		if t.output != nil {
			result = print(t.output.typ)
		}
		if over {
			continue
		}
		t.document(b, lost, alone)
		b.WriteString("    " + property(t.Name) + "(" + args + "): Promise<" + result + ">;\n")
		return
	}
	t.document(b, true, alone)
	b.WriteString("    " + property(t.Name) + "(args?: object): Promise<unknown>;\n")
}

// document writes the comment above a tool. lost says that its types show less
// than the schema; alone that there is no head that explains what is common.
func (t *tool) document(b *strings.Builder, lost, alone bool) {
	text := t.Description
	if text == "" {
		text = t.Title
	}
	var lines []string
	if text != "" {
		lines = strings.Split(text, "\n")
	}
	hint := func(h *bool, s string) string {
		if h != nil && *h {
			return s
		}
		return ""
	}
	hints := hint(t.ReadOnly, "Read-only. ")
	if hints == "" {
		hints = hint(t.Destructive, "Destructive. ") + hint(t.Idempotent, "Idempotent. ")
	}
	if t.input == nil {
		hints += "It says nothing of its arguments. "
	}
	switch {
	case t.output == nil && alone:
		hints += noSchema
	case t.output == nil:
		hints += "No output schema."
	}
	if hints != "" {
		lines = append(lines, strings.TrimSpace(hints))
	}
	for _, st := range []*schemaType{t.input, t.output} {
		if st != nil && st.cut != "" {
			lines, lost = append(lines, "Cut: "+st.cut+"."), false
		}
	}
	if lost {
		lines = append(lines, "Cut: its types are larger than can be shown.")
	}
	switch len(lines) {
	case 0:
	case 1:
		b.WriteString("    /** " + comment(lines[0]) + " */\n")
	default:
		b.WriteString("    /**\n")
		for _, line := range lines {
			b.WriteString(strings.TrimRight("     * "+comment(line), " ") + "\n")
		}
		b.WriteString("     */\n")
	}
}
