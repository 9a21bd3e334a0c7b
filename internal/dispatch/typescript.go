package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

// schema is the part of JSON Schema that has a likeness in TypeScript. What is
// not in it becomes unknown, never a wrong type.
type schema struct {
	Type        typeNames         `json:"type"`
	Description string            `json:"description"`
	Properties  properties        `json:"properties"`
	Required    []string          `json:"required"`
	Items       *lenient          `json:"items"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	AnyOf       []lenient         `json:"anyOf"`
	OneOf       []lenient         `json:"oneOf"`
	Additional  *lenient          `json:"additionalProperties"`
}

// lenient is a schema, or a boolean, or something that cannot be read.
type lenient struct {
	schema
	any bool
}

func (l *lenient) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &l.schema); err != nil {
		l.any = true
	}
	return nil
}

// typeNames is one type or several.
type typeNames []string

func (t *typeNames) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = typeNames{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// properties keeps the order in which the server wrote them.
type properties []property

type property struct {
	name   string
	schema lenient
}

func (p *properties) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("properties is not an object")
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		var prop property
		prop.name, _ = t.(string)
		if err := dec.Decode(&prop.schema); err != nil {
			return err
		}
		*p = append(*p, prop)
	}
	return nil
}

const (
	// maxTypeDepth is how deep types are written out.
	maxTypeDepth = 6
	// maxTypeSize is how long the declaration of one tool's argument or result
	// may become, in bytes.
	maxTypeSize = 4000
)

// toolDeclaration returns a tool as a TypeScript method with its description
// above.
func toolDeclaration(t *upstream.Tool) string {
	var b strings.Builder
	if d := comment(t.Description); d != "" {
		b.WriteString("/** " + d + " */\n")
	}
	args, optional := "object", true
	var in lenient
	if json.Unmarshal(t.InputSchema, &in) == nil && !in.any {
		args, optional = capped(typeOf(&in, 0)), len(in.Required) == 0
	}
	result := "any"
	var out lenient
	if t.OutputSchema != nil && json.Unmarshal(t.OutputSchema, &out) == nil && !out.any {
		result = capped(typeOf(&out, 0))
	}
	mark := ""
	if optional {
		mark = "?"
	}
	fmt.Fprintf(&b, "%s(args%s: %s): Promise<%s>;", propertyName(t.Name), mark, args, result)
	if t.OutputSchema == nil {
		b.WriteString(" // no output schema")
	}
	return b.String()
}

func capped(t string) string {
	if len(t) > maxTypeSize {
		return "any /* too long to show */"
	}
	return t
}

func typeOf(s *lenient, depth int) string {
	if s == nil || s.any || depth > maxTypeDepth {
		return "any"
	}
	switch {
	case s.Const != nil:
		return literal(s.Const)
	case len(s.Enum) > 0:
		return union(len(s.Enum), func(i int) string { return literal(s.Enum[i]) })
	case len(s.AnyOf) > 0:
		return union(len(s.AnyOf), func(i int) string { return typeOf(&s.AnyOf[i], depth+1) })
	case len(s.OneOf) > 0:
		return union(len(s.OneOf), func(i int) string { return typeOf(&s.OneOf[i], depth+1) })
	case len(s.Type) == 0 && s.Properties != nil:
		return objectType(s, depth)
	case len(s.Type) == 0:
		return "any"
	}
	return union(len(s.Type), func(i int) string {
		switch s.Type[i] {
		case "string", "boolean", "null":
			return s.Type[i]
		case "integer", "number":
			return "number"
		case "array":
			item := typeOf(s.Items, depth+1)
			if strings.ContainsAny(item, "|{ ") {
				return "Array<" + item + ">"
			}
			return item + "[]"
		case "object":
			return objectType(s, depth)
		}
		return "any"
	})
}

func objectType(s *lenient, depth int) string {
	if len(s.Properties) == 0 {
		if s.Additional != nil && !s.Additional.any {
			return "Record<string, " + typeOf(s.Additional, depth+1) + ">"
		}
		if s.Additional != nil || depth == 0 {
			return "{}"
		}
		return "object"
	}
	required := map[string]bool{}
	for _, r := range s.Required {
		required[r] = true
	}
	parts := make([]string, len(s.Properties))
	for i := range s.Properties {
		p := &s.Properties[i]
		mark := "?"
		if required[p.name] {
			mark = ""
		}
		doc := ""
		if d := comment(p.schema.Description); d != "" {
			doc = "/** " + d + " */ "
		}
		parts[i] = doc + propertyName(p.name) + mark + ": " + typeOf(&p.schema, depth+1)
	}
	return "{ " + strings.Join(parts, "; ") + " }"
}

// union joins the distinct alternatives.
func union(n int, alternative func(int) string) string {
	var parts []string
	seen := map[string]bool{}
	for i := range n {
		if a := alternative(i); !seen[a] {
			seen[a] = true
			parts = append(parts, a)
		}
	}
	if seen["any"] {
		return "any"
	}
	return strings.Join(parts, " | ")
}

func literal(raw json.RawMessage) string {
	switch raw[0] {
	case '{', '[':
		return "any"
	}
	return string(raw)
}

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

func propertyName(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return `"?"`
	}
	return string(quoted)
}

// comment makes a server's text fit for a doc comment.
func comment(text string) string {
	return strings.ReplaceAll(oneLine(text, 300), "*/", "* /")
}
