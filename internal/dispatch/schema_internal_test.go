package dispatch

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
)

func knownTool(schemaText string) *known {
	raw := json.RawMessage(schemaText)
	return &known{tool: catalog.Tool{Name: "t", InputSchema: raw}, schemas: schemas{input: schema{raw: raw}}}
}

// FuzzValidate: whatever a server declares and a program sends, the answer is
// either that the call goes on or a message that says something.
func FuzzValidate(f *testing.F) {
	for _, c := range [][2]string{
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`, `{"b":1}`},
		{`{"type":"object","$REF":"#"}`, `{}`},
		{`{"anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, `{"a":{"a":{"a":1}}}`},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `7`},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"not":{"enum":[1,"x",null]}}}}`, `{"x":[1,2]}`},
		{`{"patternProperties":{"^x":{"const":null}},"propertyNames":{"pattern":"^[a-z]+$"}}`, `{"xa":1,"A":2}`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"null"}],"additionalItems":{"type":"string"},"dependencies":{"a":["b"],"c":{"required":["d"]}}}`, `[null,1]`},
		{`{"prefixItems":[{}],"items":false,"contains":{"minimum":3},"uniqueItems":true,"unevaluatedItems":false,"minContains":0}`, `[1,1,2]`},
		{`{"if":{"required":["a"]},"then":{"maxProperties":1},"else":{"multipleOf":0},"unevaluatedProperties":{"type":"string"}}`, `{"a":1,"b":2}`},
		{`{"properties":{"a":{"$id":"x","$anchor":"y","$dynamicRef":"#y"}}}`, `{"a":1}`},
		{`{"type":["object","null"],"properties":{"a":{"anyOf":[{"type":"integer","minimum":1},{"enum":["x"]}]},"b":{"type":"array","items":{"type":"string","maxLength":2},"minItems":1}},"required":["a"],"additionalProperties":{"exclusiveMaximum":3}}`,
			`{"a":1,"b":["xx"],"c":2.5}`},
		{`{"properties":{"a":true,"b":false},"additionalProperties":{"not":{}}}`, `{"a":1}`}, {`{"enum":[]}`, `"x"`}, {`{"type":[],"anyOf":[]}`, `1`},
		{`{"enum":[1e400]}`, `1e400`}, {`true`, `1`}, {`false`, `{}`}, {`[]`, `{}`}, {`{"type":["string",7]}`, `{}`}, {``, ``},
		{`{"minLength":1.5,"maxLength":-1,"pattern":"\\p{Greek}+"}`, `"x"`},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, schemaText, args string) {
		if !json.Valid([]byte(args)) && args != "" {
			return // the runtime has refused it
		}
		found := knownTool(schemaText)
		h := &Host{}
		c := hostCall{kind: kindTool, server: "s", name: "t", args: json.RawMessage(args)}
		checkAnswer(t, schemaText, args, h.validate(&c, found))
		checkFits(t, schemaText, args, found)
		// Not only objects: results are held against their schema too.
		s := &found.schemas.input
		if value, err := s.violates(c.args); err != nil {
			for _, fault := range explain(s, value) {
				if fault == "" {
					t.Errorf("%s\n%s: an empty explanation", schemaText, args)
				}
			}
		}
	})
}

// checkFits: what is taken for fitting without the library fits.
func checkFits(t *testing.T, schemaText, args string, found *known) {
	t.Helper()
	s := &found.schemas.input
	s.read()
	var value any
	if s.resolved == nil || !s.plain || json.Unmarshal([]byte(args), &value) != nil || !s.cost.affordable(value) {
		return
	}
	if got, err := fits(s.root, value), s.resolved.Validate(value); got != (err == nil) {
		t.Errorf("%s\n%s: fits is %t, and the library says %v", schemaText, args, got, err)
	}
}

func checkAnswer(t *testing.T, schemaText, args string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := err.(*autoclave.Error)
	if !ok || e.Code != autoclave.InvalidArguments {
		t.Fatalf("%s\n%s: got %v", schemaText, args, err)
	}
	_, said, wrong := strings.Cut(e.Message, "are wrong: ")
	if wrong && strings.TrimSpace(said) == "" || e.Suggestion == "" || len(e.Message) > 6000 {
		t.Errorf("%s\n%s: got %q", schemaText, args, e.Message)
	}
}

// TestCostKnowsTheLibrary fails when the library knows a keyword with a
// subschema that cost has not been told of. It would be taken for one that
// applies in place.
func TestCostKnowsTheLibrary(t *testing.T) {
	inPlace := map[string]bool{"AllOf": true, "AnyOf": true, "OneOf": true, "Not": true, "If": true, "Then": true, "Else": true, "DependentSchemas": true, "DependencySchemas": true}
	elsewhere := map[string]bool{
		"Properties": true, "PatternProperties": true, "AdditionalProperties": true, "UnevaluatedProperties": true, "PropertyNames": true,
		"Items": true, "ItemsArray": true, "PrefixItems": true, "AdditionalItems": true, "Contains": true, "UnevaluatedItems": true,
		"Defs": true, "Definitions": true, "ContentSchema": true,
	}
	of := map[reflect.Type]bool{
		reflect.TypeFor[*jsonschema.Schema](): true, reflect.TypeFor[[]*jsonschema.Schema](): true, reflect.TypeFor[map[string]*jsonschema.Schema](): true,
	}
	typ := reflect.TypeFor[jsonschema.Schema]()
	for i := range typ.NumField() {
		if f := typ.Field(i); of[f.Type] && !inPlace[f.Name] && !elsewhere[f.Name] {
			t.Errorf("the library has subschemas in %s, of which cost knows nothing", f.Name)
		}
	}
}

// TestAffordable is where the line is.
func TestAffordable(t *testing.T) {
	for _, c := range []struct {
		schema, value string
		want          bool
	}{
		{`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"a":"x"}`, true},
		{`{"items":{"$ref":"#"}}`, strings.Repeat("[", 90) + strings.Repeat("]", 90), true},
		{`{"anyOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"}}]}`, strings.Repeat("[", 6) + strings.Repeat("]", 6), true},
		{`{"anyOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"}}]}`, strings.Repeat("[", 40) + strings.Repeat("]", 40), false},
		{`{"$ref":"#"}`, `1`, false},
		{`{"pattern":"^[a-z]{1,63}$"}`, `"` + strings.Repeat("x", 1000) + `"`, true},
		{`{"pattern":"^[a-z]{1,1000}$"}`, `"` + strings.Repeat("x", 20_000) + `"`, false},
	} {
		var root jsonschema.Schema
		if err := json.Unmarshal([]byte(c.schema), &root); err != nil {
			t.Fatal(err)
		}
		cost, _, err := costOf(&root)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal([]byte(c.value), &value); err != nil {
			t.Fatal(err)
		}
		if got := cost.affordable(value); got != c.want {
			t.Errorf("%s on %.50s: got %t", c.schema, c.value, got)
		}
	}
}

// TestRealSchemaIsCheap: what tools really declare is validated, also with
// arguments of some size.
func TestRealSchemaIsCheap(t *testing.T) {
	found := knownTool(`{"type":"object","properties":{"rows":{"type":"array","items":{"type":"object","properties":{
		"id":{"type":"integer"},"name":{"type":"string","maxLength":200},"at":{"type":"string","pattern":"^\\d{4}-\\d{2}-\\d{2}$"},
		"state":{"enum":["open","closed"]},"who":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["id"],"additionalProperties":false}}}}`)
	row := `{"id":1,"name":"A name of some length","at":"2026-01-01","state":"open","who":null}`
	args := `{"rows":[` + strings.Repeat(row+",", 1500) + `{"id":"1"}]}`
	h := &Host{}
	err := h.validate(&hostCall{kind: kindTool, server: "s", name: "t", args: json.RawMessage(args)}, found)
	if err == nil || !strings.Contains(err.Error(), `rows[1500].id is the string "1": it must be an integer, so 1 without quotes`) {
		t.Errorf("%d bytes: got %v", len(args), err)
	}
}
