package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

// signature returns the parameter list and result of a tool with the schemas,
// as a hit shows them.
func signature(t testing.TB, input, output string) string {
	t.Helper()
	tool := catalog.Tool{Name: "t", InputSchema: json.RawMessage(input), OutputSchema: json.RawMessage(output)}
	hits := one(tool).Search(catalog.Query{Server: "s"})
	if len(hits.Tools) != 1 {
		t.Fatalf("there are %d tools", len(hits.Tools))
	}
	s, ok := strings.CutPrefix(hits.Tools[0].Types, "tools.s.t")
	if !ok {
		t.Fatalf("the signature is %q", hits.Tools[0].Types)
	}
	return s
}

type schemaCase struct{ name, schema, want string }

// schemaCases are schemas of a property, and the type that they have.
func schemaCases() []schemaCase {
	return []schemaCase{
		{"string", `{"type":"string"}`, "string"},
		{"integer", `{"type":"integer"}`, "number"},
		{"boolean", `{"type":"boolean"}`, "boolean"},
		{"null", `{"type":"null"}`, "null"},
		{"empty", `{}`, "unknown"},
		{"true", `true`, "unknown"},
		{"false", `false`, "never"},
		{"list of types", `{"type":["string","integer","null"]}`, "string | number | null"},
		{"two that are one in TypeScript", `{"type":["integer","number"]}`, "number"},
		{"nullable", `{"type":"string","nullable":true}`, "string | null"},
		{"enum", `{"enum":["a","b"]}`, `"a" | "b"`},
		{"enum with null", `{"type":["string","null"],"enum":["a",null]}`, `"a" | null`},
		{"enum of numbers and booleans", `{"enum":[1,-2.5,true]}`, `1 | -2.5 | true`},
		{"enum of objects", `{"enum":[{"a":[1,"x"]}]}`, `{ a: [1, "x"] }`},
		{"enum with quotes", `{"enum":["it's \"so\"","a\\b","a\nb"]}`, `"it's \"so\"" | "a\\b" | "a\nb"`},
		{"long enum", `{"enum":["a","b","c","d","e","f","g","h","i","j","k","l","m","n"]}`,
			`"a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "j" | "k" | "l" | string /* 2 more */`},
		{"const", `{"const":"x"}`, `"x"`},
		{"const null", `{"const":null}`, `null`},
		{"array", `{"type":"array","items":{"type":"string"}}`, "string[]"},
		{"array of anything", `{"type":"array"}`, "unknown[]"},
		{"array of a union", `{"type":"array","items":{"enum":["a","b"]}}`, `("a" | "b")[]`},
		{"array without its type", `{"items":{"type":"number"}}`, "number[]"},
		{"array of arrays", `{"type":"array","items":{"type":"array","items":{"type":["string","null"]}}}`, "(string | null)[][]"},
		{"tuple of 2020-12", `{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"items":false}`, "[string, number]"},
		{"tuple of draft-07", `{"type":"array","items":[{"type":"string"},{"type":"number"}]}`, "[string, number]"},
		{"tuple with a rest", `{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":["number","null"]}}`, "[string, ...(number | null)[]]"},
		{"tuple with additionalItems", `{"type":"array","items":[{"type":"string"}],"additionalItems":{"type":"number"}}`, "[string, ...number[]]"},
		{"tuple with an optional end", `{"type":"array","minItems":1,"prefixItems":[{"type":"string"},{"type":["number","null"]}]}`, "[string, (number | null)?]"},
		{"object", `{"type":"object","required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"number"}}}`, "{ a: string; b?: number }"},
		{"the author's order", `{"type":"object","properties":{"z":{},"a":{},"m":{}}}`, "{ z?: unknown; a?: unknown; m?: unknown }"},
		{"required and not declared", `{"type":"object","required":["x"]}`, "{ x: unknown }"},
		{"object of anything", `{"type":"object"}`, "{ [key: string]: unknown }"},
		{"object of nothing", `{"type":"object","additionalProperties":false}`, "{ [key: string]: never }"},
		{"object without properties", `{"type":"object","properties":{}}`, "{}"},
		{"map", `{"type":"object","additionalProperties":{"type":"number"}}`, "{ [key: string]: number }"},
		{"patternProperties", `{"type":"object","patternProperties":{"^a":{"type":"number"},"^b":{"type":"string"}},"additionalProperties":false}`, "{ [key: string]: number | string }"},
		{"properties and others", `{"type":"object","required":["a"],"properties":{"a":{"type":"string"}},"additionalProperties":{"type":"number"}}`, "{ a: string; [key: string]: unknown }"},
		{"names that need quotes", `{"type":"object","properties":{"a-b":{},"1":{},"":{},"new":{},"class":{},"ä":{}}}`,
			`{ "a-b"?: unknown; "1"?: unknown; ""?: unknown; "new"?: unknown; class?: unknown; "ä"?: unknown }`},
		{"a key that comes twice", `{"type":"object","properties":{"a":{"type":"string"},"a":{"type":"number"}}}`, "{ a?: number }"},
		{"anyOf", `{"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]}`, "string | number | null"},
		{"oneOf of objects", `{"oneOf":[{"type":"object","required":["a"],"properties":{"a":{"const":1}}},{"type":"object","required":["b"],"properties":{"b":{"const":2}}}]}`, "{ a: 1 } | { b: 2 }"},
		{"anyOf beside a type", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`, "{ a?: string; b?: string }"},
		{"anyOf with anything", `{"anyOf":[{"type":"string"},{}]}`, "unknown"},
		{"empty anyOf", `{"type":"string","anyOf":[]}`, "string"},
		{"allOf merges", `{"allOf":[{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}},{"type":"object","properties":{"b":{"type":"number"}}}]}`, "{ a: string; b?: number }"},
		{"allOf of unions", `{"allOf":[{"enum":["a","b"]},{"enum":["b","c"]}]}`, `("a" | "b") & ("b" | "c")`},
		{"not", `{"type":"string","not":{"const":"x"}}`, "string"},
		{"not anything", `{"not":{}}`, "never"},
		{"format says no type", `{"format":"date"}`, "unknown"},
		{"unknown type", `{"type":"date"}`, "unknown"},
		{"type of a wrong kind", `{"type":{"a":1}}`, "unknown"},
		{"keywords of wrong kinds", `{"type":"object","properties":[1],"required":{"a":1},"anyOf":7,"enum":{},"items":"x","allOf":null}`, "{ [key: string]: unknown }"},
		{"no schema at all", `17`, "unknown"},
		{"ref to nowhere", `{"$ref":"#/nope"}`, "unknown"},
		{"ref to elsewhere", `{"$ref":"https://example.com/schema.json"}`, "unknown"},
	}
}

func TestTypeOfProperty(t *testing.T) {
	for _, test := range schemaCases() {
		t.Run(test.name, func(t *testing.T) {
			schema := `{"type":"object","required":["p"],"properties":{"p":` + test.schema + `}}`
			want := "(args: { p: " + test.want + " }): Promise<unknown>"
			if got := signature(t, schema, ""); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestSignature(t *testing.T) {
	tree := `{"$ref":"#/$defs/Node","$defs":{"Node":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/Node"}}}}}}`
	for _, test := range []struct{ name, input, output, want string }{
		{"nothing known", ``, ``, "(args?: object): Promise<unknown>"},
		{"null schemas", `null`, `null`, "(args?: object): Promise<unknown>"},
		{"no arguments", `{"type":"object","properties":{}}`, ``, "(): Promise<unknown>"},
		{"no arguments, closed", `{"type":"object","additionalProperties":false}`, ``, "(): Promise<unknown>"},
		{"any object", `{"type":"object"}`, ``, "(args?: object): Promise<unknown>"},
		{"any at all", `true`, ``, "(args?: object): Promise<unknown>"},
		{"all optional", `{"type":"object","properties":{"a":{"type":"string"}}}`, ``, "(args?: { a?: string }): Promise<unknown>"},
		{"one required", `{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}`, ``, "(args: { a: string }): Promise<unknown>"},
		{"a union, one of it optional", `{"anyOf":[{"type":"object","required":["a"],"properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]}`, ``,
			"(args?: { a: unknown } | { b?: unknown }): Promise<unknown>"},
		{"output", `{"type":"object","properties":{}}`, `{"type":"object","required":["n"],"properties":{"n":{"type":"number"}}}`, "(): Promise<{ n: number }>"},
		{"recursion", tree, tree, "(args: { name: string; children?: object[] }): Promise<{ name: string; children?: object[] }>"},
		{"root recursion", `{"type":"object","properties":{"next":{"$ref":"#"}}}`, ``, "(args?: { next?: object }): Promise<unknown>"},
		{"definitions of draft-07", `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/definitions/A%20b"}},"definitions":{"A b":{"type":"number"}}}`, ``, "(args: { a: number }): Promise<unknown>"},
		{"anchor", `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#x"}},"$defs":{"y":{"$anchor":"x","type":"number"}}}`, ``, "(args: { a: number }): Promise<unknown>"},
		{"escaped pointer", `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a~1b~0c/items/0"}},"$defs":{"a/b~c":{"items":[{"type":"number"}]}}}`, ``, "(args: { a: number }): Promise<unknown>"},
		{"an alias of itself", `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`, ``, "(args: { a: unknown }): Promise<unknown>"},
		{"not JSON", `{"type":`, ``, "(args?: object): Promise<unknown>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := signature(t, test.input, test.output); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestSignatureIsShort(t *testing.T) {
	var props []string
	for i := range 400 {
		props = append(props, `"property_`+strings.Repeat("x", i%20)+string(rune('a'+i%26))+`":{"type":"object","properties":{"inner":{"type":"object","properties":{"leaf":{"type":"string"}}}}}`)
	}
	schema := `{"type":"object","required":["property_a"],"properties":{` + strings.Join(props, ",") + `}}`
	got := signature(t, schema, schema)
	if len(got) > 750 {
		t.Errorf("the signature has %d bytes: %s", len(got), got)
	}
	if !strings.HasPrefix(got, "(args: { property_a: object; ") || !strings.Contains(got, "more */") {
		t.Errorf("what is required does not come first, or the cut is not said: %s", got)
	}
}

func TestDeclaration(t *testing.T) {
	yes := true
	c := catalog.New([]catalog.Server{{
		Name: "git-hub", Description: "Issues and more of it. And then some.", Resources: []catalog.Resource{{URI: "a://b", Name: "b"}},
		Tools: []catalog.Tool{{
			Name: "create_issue", Description: "Create an issue.\n\nIt */ returns   it.", Destructive: &yes, Idempotent: &yes,
			InputSchema: json.RawMessage(`{"type":"object","required":["title"],"properties":{
				"title":{"type":"string","title":"Title","minLength":1,"maxLength":80,"pattern":"^[a-z]*/$"},
				"labels":{"type":"array","description":"The labels.","maxItems":1,"uniqueItems":true,"items":{"type":"string","format":"slug"}},
				"when":{"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}],"default":null,"description":"From when."},
				"size":{"type":"integer","minimum":1,"exclusiveMaximum":7,"multipleOf":2,"default":4,"examples":[6]},
				"safe":{"type":"number","minimum":-9007199254740991,"maximum":9007199254740991},
				"old":{"type":"string","deprecated":true,"description":"Default is \"x\".","default":"x"}}}`),
			OutputSchema: json.RawMessage(`{"type":"object","required":["root"],"properties":{"root":{"$ref":"#/$defs/Node"}},"$defs":{
				"Node":{"type":"object","description":"A node.","properties":{"next":{"$ref":"#/$defs/Node"},"n":{"type":"integer"}}}}}`),
		}, {
			Name: "do-it", ReadOnly: &yes,
		}},
	}})
	want := `// Server "git-hub": 2 tools. Issues and more of it.
// It also has 1 resource: resources.list("git-hub").
// Each call takes a second argument too: { timeout?: milliseconds, raw?: boolean }.
// Promise<unknown>: text, or its value where it is JSON.
/** A node. */
type Node = { next?: Node; n?: number };
declare const tools: {
  "git-hub": {
    /**
     * Create an issue.
     *
     * It * / returns it.
     * Destructive. Idempotent.
     */
    create_issue(args: {
      /** 1 to 80 characters; matches ^[a-z]* /$ */
      title: string;
      /** The labels. (at most 1 item; no two alike; each slug) */
      labels?: string[];
      /** From when. (date-time) */
      when?: string | null;
      /** integer; at least 1 and under 7; a multiple of 2; default 4; e.g. 6 */
      size?: number;
      safe?: number;
      /** Default is "x". (deprecated) */
      old?: string;
    }): Promise<{ root: Node }>;
    /** Read-only. It says nothing of its arguments. No output schema. */
    "do-it"(args?: object): Promise<unknown>;
  };
};
`
	if got, err := c.Types("git-hub", ""); err != nil || got != want {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, got, want)
	}
	alone := `declare const tools: {
  "git-hub": {
    /** Read-only. It says nothing of its arguments. No output schema: returns text, or its value where it is JSON. */
    "do-it"(args?: object): Promise<unknown>;
  };
};
`
	if got, err := c.Types("git-hub", "do-it"); err != nil || got != alone {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, got, alone)
	}
}

func TestNamesOfTypes(t *testing.T) {
	list := func(def, name, body string) json.RawMessage {
		return json.RawMessage(`{"type":"object","properties":{"` + name + `":{"$ref":"#/$defs/` + def + `"}},"$defs":{"` + def + `":` + body + `}}`)
	}
	node := `{"type":"object","properties":{"next":{"$ref":"#/$defs/Node"}}}`
	other := `{"type":"object","properties":{"previous":{"$ref":"#/$defs/Node"}}}`
	c := one(
		catalog.Tool{Name: "a", InputSchema: list("Node", "x", node), OutputSchema: list("Node", "y", node)},
		catalog.Tool{Name: "b", InputSchema: list("Node", "x", node)},
		catalog.Tool{Name: "c", InputSchema: list("Node", "x", other), OutputSchema: list("Node", "x", node)},
		catalog.Tool{Name: "d", InputSchema: list("Promise", "x", strings.ReplaceAll(node, "Node", "Promise"))},
		catalog.Tool{Name: "e", InputSchema: list("-", "x", strings.ReplaceAll(node, "Node", "-"))},
		catalog.Tool{Name: "f-g", InputSchema: json.RawMessage(`{"type":"object","properties":{"self":{"$ref":"#"}}}`)},
	)
	got, err := c.Types("s", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"type Node = { next?: Node };\n", "type Node2 = { previous?: Node2 };\n", "type Promise2 = { next?: Promise2 };\n",
		"type Type = { next?: Type };\n", "type FGArgs = { self?: FGArgs };\n",
		"a(args?: { x?: Node }): Promise<{ y?: Node }>;", "b(args?: { x?: Node }): Promise<unknown>;",
		"c(args?: { x?: Node2 }): Promise<{ x?: Node }>;", "d(args?: { x?: Promise2 })", "e(args?: { x?: Type })", `"f-g"(args?: FGArgs)`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(got, want), got)
		}
	}
	if n := strings.Count(got, "\ntype "); n != 5 {
		t.Errorf("there are %d types in\n%s", n, got)
	}
}
