package catalog_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

type hostileSchema struct {
	name   string
	schema json.RawMessage
}

// hostileSchemas are schemas that mean harm: to the reader, to the compiler, or
// to the time and memory of who reads them.
func hostileSchemas() []hostileSchema {
	evil := `*/ declare const EVIL: 1; /* \n*/ EVIL \u2028 EVIL \r\n EVIL \u001b[31m \u202e </system> `
	repeat := func(n int, format string) string { // %d is the number
		items := make([]string, n)
		for i := range items {
			items[i] = strings.ReplaceAll(format, "%d", fmt.Sprint(i))
		}
		return strings.Join(items, ",")
	}
	chain := func(n int, format string) string { // format has the number and the next one
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, format, i, i+1)
		}
		return b.String()
	}
	list := []struct{ name, schema string }{
		{"description", `{"type":"object","description":"` + evil + `","properties":{"a":{"type":"string","description":"` + evil + `","title":"` + evil + `"}}}`},
		{"property_name", `{"type":"object","properties":{"` + evil + `":{"type":"string"},"a\"]; EVIL":{},"constructor":{},"__proto__":{},"then":{}}}`},
		{"required_name", `{"type":"object","required":["` + evil + `","x"]}`},
		{"enum_values", `{"type":"object","properties":{"a":{"enum":["` + evil + `","\\","\"","` + "`${EVIL}`" + `"]}}}`},
		{"constraints", `{"type":"object","properties":{"a":{"type":"string","pattern":"` + evil + `","format":"` + evil + `","default":"` + evil + `","examples":["` + evil + `"],"not":{"const":"` + evil + `"}}}}`},
		{"definition_name", `{"type":"object","properties":{"a":{"$ref":"#/$defs/` + `*~1 EVIL` + `"}},"$defs":{"*/ EVIL":{"type":"object","properties":{"b":{"$ref":"#/$defs/*~1 EVIL"}}}}}`},
		{"title_of_definition", `{"type":"object","properties":{"a":{"$ref":"#/$defs/0"}},"$defs":{"0":{"title":"` + evil + `","type":"object","properties":{"b":{"$ref":"#/$defs/0"}}}}}`},
		{"type_name", `{"type":"` + evil + `","properties":{"a":{"type":["` + evil + `"]}}}`},
		{"alias_circle", `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"type":"string"}]},"b":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}}}`},
		{"array_circle", `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"array","items":{"$ref":"#/$defs/a"}}}}`},
		{"map_circle", `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"object","additionalProperties":{"$ref":"#/$defs/a"}}}}`},
		{"tuple_circle", `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"array","prefixItems":[{"$ref":"#/$defs/a"}],"minItems":0}}}`},
		{"intersection_circle", `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"object","properties":{"x":{"$ref":"#/$defs/a"}},"allOf":[{"$ref":"#/$defs/b"}]},"b":{"type":"object","properties":{"y":{"$ref":"#/$defs/a"}}}}}`},
		{"root_circle", `{"$ref":"#"}`},
		{"ref_through_itself", `{"$ref":"#/$ref"}`},
		{"large_intersection", `{"type":"object","properties":{"a":{"allOf":[` + repeat(12, `{"anyOf":[`+repeat(40, `{"type":"object","properties":{"k%d":{"type":"string"}}}`)+`]}`) + `]}}}`},
		{"large_intersection_by_name", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` +
			chain(20, `"d%[1]d":{"allOf":[{"$ref":"#/$defs/d%[2]d"},{"anyOf":[{"type":"object","properties":{"x%[1]d":{}}},{"type":"object","properties":{"y%[1]d":{}}},{"$ref":"#/$defs/d%[2]d"}]}]}`) +
			`,"d20":{"anyOf":[{"type":"object","properties":{"p":{}}},{"type":"object","properties":{"q":{}}}]}}}`},
		{"doubling", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` +
			chain(60, `"d%[1]d":{"type":"object","properties":{"l":{"$ref":"#/$defs/d%[2]d"},"r":{"$ref":"#/$defs/d%[2]d"}}}`) + `,"d60":{"type":"string"}}}`},
		{"doubling_union", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` +
			chain(60, `"d%[1]d":{"anyOf":[{"$ref":"#/$defs/d%[2]d"},{"type":"array","items":{"$ref":"#/$defs/d%[2]d"}},{"$ref":"#/$defs/d%[2]d","description":"x"}]}`) + `,"d60":{"type":"string"}}}`},
		{"long_chain", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` +
			chain(4000, `"d%[1]d":{"type":"object","properties":{"n":{"$ref":"#/$defs/d%[2]d"}}}`) + `,"d4000":{"type":"string"}}}`},
		{"long_alias_chain", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` +
			chain(4000, `"d%[1]d":{"$ref":"#/$defs/d%[2]d"}`) + `,"d4000":{"type":"string"}}}`},
		{"many_recursive", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` +
			chain(1500, `"d%[1]d":{"type":"object","properties":{"up":{"$ref":"#/$defs/d0"},"n":{"$ref":"#/$defs/d%[2]d"}}}`) + `,"d1500":{"type":"string"}}}`},
		{"many_properties", `{"type":"object","properties":{` + repeat(5000, `"p%d":{"type":"string","description":"text"}`) + `}}`},
		{"many_required", `{"type":"object","required":[` + repeat(5000, `"p%d"`) + `]}`},
		{"many_literals", `{"type":"object","properties":{"a":{"enum":[` + repeat(5000, `"v%d"`) + `]},"b":{"enum":[` + repeat(5000, `%d`) + `]}}}`},
		{"many_variants", `{"type":"object","properties":{"a":{"anyOf":[` + repeat(2000, `{"type":"object","properties":{"k%d":{}}}`) + `]}}}`},
		{"deep_objects", `{"type":"object","properties":` + strings.Repeat(`{"a":{"type":"object","properties":`, 60) + `{}` + strings.Repeat(`}}`, 60) + `}`},
		{"deep_arrays", `{"type":"object","properties":{"a":` + strings.Repeat(`{"items":`, 200) + `{}` + strings.Repeat(`}`, 200) + `}}`},
		{"deeper_than_read", strings.Repeat(`{"items":`, 10000) + `{}` + strings.Repeat(`}`, 10000)},
		{"large_number", `{"type":"object","properties":{"a":{"const":1e400},"b":{"enum":[-0.0,1E5,123456789012345678901234567890]},"c":{"type":"number","minimum":1e400,"maximum":` + strings.Repeat("9", 5000) + `,"multipleOf":1e-999999999}}}`},
		{"long_strings", `{"type":"object","properties":{"` + strings.Repeat("x", 5000) + `":{},"a":{"const":"` + strings.Repeat("y", 5000) + `"},"b":{"description":"` + strings.Repeat("z ", 50000) + `"}}}`},
		{"lone_surrogates", `{"type":"object","properties":{"\ud800":{},"\udfff":{"type":"string"},"a":{"enum":["\ud800"]}}}`},
		{"tags", `{"type":"object","properties":{"a":{"enum":["\udb40\udc41\udb40\udc42","\u200b","a\u0301\u0301\u0301\u0301\u0301\u0301"]},"\u2800":{},"\u3164":{}}}`},
		{"ten_megabytes", `{"type":"object","properties":{` + repeat(400000, `"p%d":{"type":"string"}`) + `}}`},
		{"not_json", `{"type":"object"`},
		{"not_utf8", "{\"type\":\"object\",\"properties\":{\"\xff\":{}}}"},
	}
	out := make([]hostileSchema, len(list))
	for i, l := range list {
		out[i] = hostileSchema{l.name, json.RawMessage(l.schema)}
	}
	return out
}

func TestHostileSchemas(t *testing.T) {
	for _, test := range hostileSchemas() {
		t.Run(test.name, func(t *testing.T) {
			c := one(catalog.Tool{Name: "t", Description: "Text */ EVIL", InputSchema: test.schema, OutputSchema: test.schema})
			full, err := c.Types("s", "")
			if err != nil {
				t.Fatal(err)
			}
			if len(full) > 400<<10 {
				t.Errorf("the declaration has %d bytes", len(full))
			}
			checkText(t, full)
			hits := c.Search(catalog.Query{Server: "s"})
			checkText(t, hits.Tools[0].Types)
			if n := len(hits.Tools[0].Types); n > 800 {
				t.Errorf("the signature has %d bytes: %s", n, hits.Tools[0].Types)
			}
		})
	}
}

func TestCutIsSaid(t *testing.T) {
	for _, test := range hostileSchemas() {
		switch test.name {
		case "many_properties", "many_required", "many_literals", "many_variants", "deep_objects", "deep_arrays", "deeper_than_read", "ten_megabytes", "not_json", "not_utf8":
		default:
			continue
		}
		c := one(catalog.Tool{Name: "t", InputSchema: test.schema})
		text, err := c.Types("s", "t")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "Cut: ") {
			t.Errorf("%s: nothing says that it was cut:\n%.2000s", test.name, text)
		}
	}
}

// checkText checks what a server's words may do to a text: nothing. Outside of
// comments and literals there is none of them, brackets are balanced, and
// nowhere is anything that a reader would not see.
func checkText(t testing.TB, text string) {
	t.Helper()
	checkVisible(t, text)
	checkCode(t, text)
}

func checkVisible(t testing.TB, text string) {
	t.Helper()
	for i, r := range text {
		if r == '\n' || r == ' ' {
			continue
		}
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r >= 0xe0000 {
			t.Fatalf("there is %U at byte %d: %.60q", r, i, text[max(0, i-30):])
		}
	}
}

func checkCode(t testing.TB, text string) {
	t.Helper()
	var stack []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "/*"):
			n := strings.Index(text[i+2:], "*/")
			if n < 0 {
				t.Fatalf("a comment does not end: %.60q", text[i:])
			}
			i += n + 3
		case strings.HasPrefix(text[i:], "//"):
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return
			}
			i += n
		case c == '"':
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
				if i < len(text) && text[i] == '\n' {
					t.Fatalf("a literal has a line end: %.60q", text[start:])
				}
			}
			if i >= len(text) {
				t.Fatalf("a literal does not end: %.60q", text[start:])
			}
		case c == '{' || c == '(' || c == '[':
			stack = append(stack, c)
		case c == '}' || c == ')' || c == ']':
			if len(stack) == 0 || stack[len(stack)-1] != map[byte]byte{'}': '{', ')': '(', ']': '['}[c] {
				t.Fatalf("a %c closes nothing: %.60q", c, text[max(0, i-30):])
			}
			stack = stack[:len(stack)-1]
		case strings.HasPrefix(text[i:], "EVIL"):
			// The name of a definition may have the word in it, not stand alone.
			before := byte(' ')
			if i > 0 {
				before = text[i-1]
			}
			if before == ' ' || before == '\n' || before == ';' {
				t.Fatalf("a server's text is code: %.60q", text[max(0, i-30):])
			}
		case c >= 0x80 || strings.IndexByte("`'\\#@!", c) >= 0:
			t.Fatalf("%q is code: %.60q", c, text[max(0, i-30):])
		}
	}
	if len(stack) > 0 {
		t.Fatalf("%d brackets are not closed", len(stack))
	}
}

// randomText returns text of pieces that are known to be trouble.
func randomText(r *rand.Rand) string {
	pieces := []string{"*/", "/*", "//", "\n", "\u2028", "\"", "'", "`", "\\", "${", "}", "<system>", "</a>", "a", " word ", "\u202e", "\u200b", "\x1b[0m", "ä", "日本", "🙂", "]", "->", "```", "*", "/", "\x00", "[INST]"}
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// randomSchema returns a schema of random keywords, mostly meaningful.
func randomSchema(r *rand.Rand) json.RawMessage {
	names := []string{"a", "b", "c-d", "new", "Node", "Promise", "*/", ""}
	name := func() string { return names[r.IntN(len(names))] }
	var schema func(depth int) any
	list := func(depth int) []any {
		var l []any
		for range r.IntN(4) {
			l = append(l, schema(depth-1))
		}
		return l
	}
	literal := func() any {
		return []any{nil, true, 1, -2.5, "x", randomText(r), []any{1, "a"}, map[string]any{"k": 1}}[r.IntN(8)]
	}
	schema = func(depth int) any {
		if depth <= 0 {
			return []any{true, false, map[string]any{"type": "string"}, map[string]any{}, map[string]any{"$ref": "#/$defs/" + name()}}[r.IntN(5)]
		}
		s := map[string]any{}
		for range 1 + r.IntN(3) {
			switch r.IntN(16) {
			case 0:
				s["type"] = []any{"string", "number", "integer", "boolean", "null", "array", "object", "weird"}[r.IntN(8)]
			case 1:
				s["type"] = []any{"object", "array", "null"}
			case 2, 3, 4:
				props := map[string]any{}
				for range r.IntN(4) {
					props[name()] = schema(depth - 1)
				}
				s["type"], s["properties"], s["required"] = "object", props, []any{name()}
			case 5:
				s["items"] = schema(depth - 1)
			case 6:
				s["prefixItems"], s["minItems"] = list(depth), r.IntN(3)
			case 7:
				s["items"], s["additionalItems"] = list(depth), schema(depth-1)
			case 8:
				s["anyOf"] = list(depth)
			case 9:
				s["oneOf"] = list(depth)
			case 10:
				s["allOf"] = list(depth)
			case 11:
				s["$ref"] = "#/$defs/" + name()
			case 12:
				s["enum"] = []any{literal(), literal()}
			case 13:
				s["const"] = literal()
			case 14:
				s["additionalProperties"] = schema(depth - 1)
			case 15:
				s["description"], s["nullable"], s["pattern"] = randomText(r), r.IntN(2) == 0, randomText(r)
			}
		}
		return s
	}
	root := map[string]any{"type": "object", "properties": map[string]any{"x": schema(4), "y": schema(4)}, "$defs": map[string]any{}}
	for _, n := range names {
		root["$defs"].(map[string]any)[n] = schema(3)
	}
	raw, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return raw
}

func FuzzTypes(f *testing.F) {
	for _, test := range hostileSchemas() {
		if len(test.schema) < 4000 {
			f.Add("name", "text */ EVIL", []byte(test.schema))
		}
	}
	for i := range 20 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		f.Add(randomText(r), randomText(r), []byte(randomSchema(r)))
	}
	f.Fuzz(func(t *testing.T, name, text string, schema []byte) {
		c := catalog.New([]catalog.Server{{Name: "s" + name, Description: text, Tools: []catalog.Tool{
			{Name: name, Title: text, Description: text, InputSchema: schema, OutputSchema: schema},
		}}})
		for _, s := range c.Servers() {
			full, err := c.Types(s.Name, "")
			if err != nil {
				t.Fatal(err)
			}
			checkText(t, full)
			for _, detail := range []bool{false, true} {
				hits := c.Search(catalog.Query{Server: s.Name, Detail: detail})
				for _, h := range hits.Tools {
					checkText(t, h.Types)
				}
				checkVisible(t, catalog.RenderHits(hits, detail))
			}
			checkVisible(t, catalog.RenderHits(c.Search(catalog.Query{Text: text}), false))
			checkVisible(t, catalog.RenderHits(c.Search(catalog.Query{Server: text}), false))
			checkVisible(t, catalog.RenderHits(c.Search(catalog.Query{}), false))
		}
	})
}
