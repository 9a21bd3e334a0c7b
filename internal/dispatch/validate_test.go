package dispatch_test

import (
	"fmt"
	"strings"
	"testing"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
)

const issueSchema = `{"type":"object","properties":{
	"repo":{"type":"string","minLength":1,"maxLength":10},
	"number":{"type":"integer","minimum":1},
	"labels":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":3},
	"state":{"type":"string","enum":["open","closed","all","merged"]},
	"owner":{"$ref":"#/$defs/person"},
	"since":{"anyOf":[{"type":"string"},{"type":"integer"}]},
	"page":{"oneOf":[{"type":"object","properties":{"offset":{"type":"integer"}},"required":["offset"]},{"type":"object","properties":{"cursor":{"type":"string"}},"required":["cursor"]}]},
	"ratio":{"type":"number","exclusiveMinimum":0,"maximum":1},
	"draft":{"type":"boolean"},"kind":{"const":"issue"},"code":{"type":"string","pattern":"^[A-Z]+$"},
	"maybe":{"type":["string","null"]},"point":{"prefixItems":[{"type":"number"},{"type":"number"}]},
	"extra":{"type":"object","additionalProperties":{"type":"integer"}}
},"required":["repo","number"],"additionalProperties":false,
"$defs":{"person":{"type":"object","properties":{"name":{"type":"string"},"boss":{"$ref":"#/$defs/person"}},"required":["name"],"additionalProperties":false}}}`

// TestMessages is what a model gets to read, word for word.
func TestMessages(t *testing.T) {
	open := `{"type":"object","properties":{"a":{"type":"string"}}}`
	for i, c := range []struct{ schema, args, says string }{ // says empty: it goes through
		{issueSchema, `{"repo":"a","number":1}`, ""},
		{issueSchema, `{}`, `repo is missing: it must be a string; number is missing: it must be an integer`},
		{issueSchema, ``, `repo is missing: it must be a string; number is missing: it must be an integer`},
		{issueSchema, `{"repo":"a"}`, `number is missing: it must be an integer`},
		{issueSchema, `{"repo":"a","number":1,"lables":["x"]}`, `lables is no property: did you mean "labels"?`},
		{issueSchema, `{"repository":"a","number":1}`, `repository is no property: did you mean "repo"?`},
		{issueSchema, `{"repo":"a","number":1,"zzz":1}`, `zzz is no property: there are code, draft, extra, kind, labels, maybe, number, owner, page, point, ratio, repo and 2 more`},
		{issueSchema, `{"repo":"a","number":1,"two words":1}`, `["two words"] is no property: there are code, draft, extra, kind, labels, maybe, number, owner, page, point, ratio, repo and 2 more`},
		{issueSchema, `{"repo":"a","number":"7"}`, `number is the string "7": it must be an integer, so 7 without quotes`},
		{issueSchema, `{"repo":"a","number":"seven"}`, `number is the string "seven": it must be an integer`},
		{issueSchema, `{"repo":"a","number":"7.5"}`, `number is the string "7.5": it must be an integer`},
		{issueSchema, `{"repo":"a","number":1.5}`, `number is 1.5: it must be an integer`},
		{issueSchema, `{"repo":"a","number":1.0}`, ""},
		{issueSchema, `{"repo":"a","number":0}`, `number is 0: it must be at least 1`},
		{issueSchema, `{"repo":"a","number":null}`, `number is null: it must be an integer`},
		{issueSchema, `{"repo":7,"number":1}`, `repo is 7: it must be a string, so "7"`},
		{issueSchema, `{"repo":"","number":1}`, `repo has 0 characters: 1 are the fewest`},
		{issueSchema, `{"repo":"aaaaaaaaaaa","number":1}`, `repo has 11 characters: 10 are the most`},
		{issueSchema, `{"repo":"äöüäöüäöüä","number":1}`, ""},
		{issueSchema, `{"repo":["a"],"number":1}`, `repo is an array: it must be a string`},
		{issueSchema, `{"repo":"a","number":1,"draft":"true"}`, `draft is the string "true": it must be a boolean, so true without quotes`},
		{issueSchema, `{"repo":"a","number":1,"draft":1}`, `draft is 1: it must be a boolean`},
		{issueSchema, `{"repo":"a","number":1,"labels":"bug"}`, `labels is the string "bug": it must be an array`},
		{issueSchema, `{"repo":"a","number":1,"labels":"[\"bug\"]"}`, `labels is the string "[\"bug\"]": it must be an array, so ["bug"] without quotes`},
		{issueSchema, `{"repo":"a","number":1,"labels":[]}`, `labels has 0 elements: 1 are the fewest`},
		{issueSchema, `{"repo":"a","number":1,"labels":["a","b","c","d"]}`, `labels has 4 elements: 3 are the most`},
		{issueSchema, `{"repo":"a","number":1,"labels":["a",2]}`, `labels[1] is 2: it must be a string, so "2"`},
		{issueSchema, `{"repo":"a","number":1,"state":"opened"}`, `state is the string "opened": it must be "open", "closed", "all" or "merged": did you mean "open"?`},
		{issueSchema, `{"repo":"a","number":1,"state":1}`, `state is 1: it must be a string, so "1"`},
		{issueSchema, `{"repo":"a","number":1,"kind":"pull"}`, `kind is the string "pull": it must be "issue"`},
		{issueSchema, `{"repo":"a","number":1,"owner":{}}`, `owner.name is missing: it must be a string`},
		{issueSchema, `{"repo":"a","number":1,"owner":{"name":"x","boss":{"name":"y","boss":{"nmae":"z"}}}}`, `owner.boss.boss.nmae is no property of owner.boss.boss: did you mean "name"?`},
		{issueSchema, `{"repo":"a","number":1,"owner":{"name":"x","boss":{"name":"y"}}}`, ""},
		{issueSchema, `{"repo":"a","number":1,"since":true}`, `since fits none of 2 alternatives; of the nearest, since is true: it must be a string`},
		{issueSchema, `{"repo":"a","number":1,"page":{"offset":"1"}}`, `page fits none of 2 alternatives; of the nearest, page.offset is the string "1": it must be an integer, so 1 without quotes`},
		{issueSchema, `{"repo":"a","number":1,"ratio":0}`, `ratio is 0: it must be more than 0`},
		{issueSchema, `{"repo":"a","number":1,"ratio":1.25}`, `ratio is 1.25: it must be at most 1`},
		{issueSchema, `{"repo":"a","number":1,"code":"abc"}`, `code is the string "abc": it must match the pattern ^[A-Z]+$`},
		{issueSchema, `{"repo":"a","number":1,"maybe":1}`, `maybe is 1: it must be a string or null, so "1"`},
		{issueSchema, `{"repo":"a","number":1,"maybe":null}`, ""},
		{issueSchema, `{"repo":"a","number":1,"point":[1,"2"]}`, `point[1] is the string "2": it must be a number, so 2 without quotes`},
		{issueSchema, `{"repo":"a","number":1,"extra":{"a b":"x"}}`, `extra["a b"] is the string "x": it must be an integer`},
		{open, `{"b":1,"a":"x"}`, ""}, // whatever else there is, is allowed
		{open, `{"a":1}`, `a is 1: it must be a string, so "1"`},
		{`{"type":"object","minProperties":1}`, `{}`, `the argument has 0 properties: 1 are the fewest`},
		{`{"type":"object","properties":{"a":{"type":"object","properties":{"b":{}},"required":["b"]}},"required":["a"]}`, `{"a":{}}`, `a.b is missing`},
		{`{"type":"object","properties":{"a":{"definitions":{},"$ref":"#/definitions/d"}},"definitions":{"d":{"type":"integer"}}}`, `{"a":"x"}`, `a is the string "x": it must be an integer`},
		{`{"type":"object","properties":{"a":{"$ref":"#/properties/b"},"b":{"type":"integer"}}}`, `{"a":"x"}`, `a is the string "x": it must be an integer`},
		// The library knows better than explain, and is asked for its words.
		{`{"type":"object","not":{"required":["a"]}}`, `{"a":1}`, `validating root: not: validated against <anonymous schema>`},
		{`{"type":"object","properties":{"a":{"multipleOf":5}}}`, `{"a":7}`, `a is 7: it must be a multiple of 5`},
		{`{"type":"object","properties":{"a":{"oneOf":[{"type":"integer"},{"type":"number"}]}}}`, `{"a":7}`, `validating root: validating /properties/a: oneOf: validated against both <anonymous schema> and <anonymous schema>`},
		{`{"type":"object","properties":{"a":{"uniqueItems":true}}}`, `{"a":[1,1]}`, `a[0] and a[1] are equal: no two elements may be`},
		{`{"type":"object","dependentRequired":{"a":["b"]}}`, `{"a":1}`, `b is missing: it goes with a`},
		// Other dialects.
		{`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["a"]}`, `{}`, `a is missing`},
		{`{"$schema":"http://json-schema.org/draft-07/schema","type":"object","required":["a"]}`, `{}`, `a is missing`},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema#","type":"object","required":["a"]}`, `{}`, `a is missing`},
		// Too long to be repeated.
		{open, `{"a":` + strings.Repeat("1", 300) + `}`, `a is ` + strings.Repeat("1", 300)[:0] + `1.1111111111111112e+299: it must be a string, so "1.1111111111111112e+299"`},
		{`{"type":"object","properties":{"a":{"enum":["` + strings.Repeat("x", 5000) + `"]}}}`, `{"a":"y"}`, `a is the string "y": it must be "` + strings.Repeat("x", 199) + "…"},
		{`{"type":"object","properties":{"a":{"type":"integer"}}}`, `{"a":"` + strings.Repeat("ä", 100) + `"}`, `a is a string of 100 characters: it must be an integer`},
	} {
		s := newStub(t, "s", decl("t", c.schema, ""))
		_, err := nobody(governed(t, connect(t, s), dispatch.Rules{})).CallTool(within(t), with("s", "t", c.args))
		arrived := s.seen()
		if c.says == "" {
			if err != nil || len(arrived) != 1 {
				t.Errorf("%d: %s: got %v, arrived %q", i, c.args, err, arrived)
			}
			continue
		}
		if len(arrived) > 0 {
			t.Errorf("%d: %s: arrived %q", i, c.args, arrived)
		}
		e, ok := err.(*autoclave.Error)
		if !ok || e.Code != autoclave.InvalidArguments {
			t.Errorf("%d: %s: got %v", i, c.args, err)
			continue
		}
		if want := "the arguments of s.t are wrong: " + c.says; e.Message != want {
			t.Errorf("%d: %.100s\n got %s\nwant %s", i, c.args, e.Message, want)
		}
		if want := `catalog.types("s", "t") says what it takes.`; e.Suggestion != want || e.Retryable || e.Server != "s" || e.Tool != "t" {
			t.Errorf("%d: got %+v", i, e)
		}
	}
}

// TestHostileSchemas: what a server writes for a schema neither brings the host
// down nor keeps it busy. What cannot be validated goes through, for the server
// to refuse.
func TestHostileSchemas(t *testing.T) {
	nested := func(open, inner, shut string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	deep := func(n int) string { return nested(`{"a":`, "1", "}", n) }
	var dag strings.Builder
	for i := range 60 {
		fmt.Fprintf(&dag, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	list := func(n int, each func(int) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = each(i)
		}
		return strings.Join(all, ",")
	}
	object := func(a string) string { return `{"type":"object","properties":{"a":` + a + `}}` }
	cases := []struct{ name, schema, args string }{
		{"refers to itself", `{"type":"object","$ref":"#"}`, `{}`},
		{"refers to itself in capitals", `{"type":"object","$REF":"#"}`, `{}`},
		{"a cycle of three", `{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"$ref":"#"}]}}}`, `{}`},
		{"a cycle by escapes", `{"type":"object","$ref":"#/%24defs/a~1b","$defs":{"a/b":{"not":{"$ref":"#/$defs/a~1b"}}}}`, `{}`},
		{"a cycle in an embedded resource", `{"type":"object","$id":"http://x/","$ref":"#/$defs/a","$defs":{"a":{"$id":"http://y/","$ref":"#"}}}`, `{}`},
		{"a cycle by an anchor", `{"type":"object","$anchor":"me","$ref":"#me"}`, `{}`},
		{"a dynamic cycle", `{"type":"object","$dynamicAnchor":"me","$dynamicRef":"#me"}`, `{}`},
		{"a cycle in dependencies", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","dependencies":{"a":{"$ref":"#"}}}`, `{"a":1}`},
		{"a cycle in if", `{"type":"object","if":{"$ref":"#"}}`, `{}`},
		{"exponential", `{"type":"object","$ref":"#/$defs/d0","$defs":{` + dag.String() + `"d60":{}}}`, `{}`},
		{"doubles with each level", `{"type":"object","anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, deep(90)},
		{"doubles with each level, wrong", `{"type":"object","anyOf":[{"required":["x"],"properties":{"a":{"$ref":"#"}}},{"required":["x"],"properties":{"a":{"$ref":"#"}}}]}`, deep(14)},
		{"doubles with each item", object(`{"items":{"$ref":"#/properties/a"},"contains":{"$ref":"#/properties/a"},"not":{"type":"string"}}`), `{"a":` + nested("[", "1", "]", 90) + `}`},
		{"9,900 deep", nested(`{"items":`, `{}`, `}`, 9900), `{}`},
		{"90 deep", nested(`{"type":"object","properties":{"a":`, `{}`, `}}`, 45), deep(50)},
		{"90 deep alternatives", nested(`{"anyOf":[{},`, `{}`, `]}`, 45), `{"a":1}`},
		{"200 KB of alternatives", object(`{"anyOf":[` + list(20_000, func(i int) string { return `{"minimum":9}` }) + `]}`), `{"a":1}`},
		{"200 KB of alternatives for each item", object(`{"items":{"anyOf":[` + list(20_000, func(i int) string { return `{"minimum":9}` }) + `]}}`),
			`{"a":[` + list(10_000, func(int) string { return "1" }) + `]}`},
		{"a huge enum for each item", object(`{"items":{"anyOf":[{"enum":[` + list(20_000, func(i int) string { return fmt.Sprintf(`"%06d"`, i) }) + `]},{}]}}`),
			`{"a":[` + list(100_000, func(int) string { return "1" }) + `]}`},
		{"a huge value, refused by each", object(`{"anyOf":[` + list(500, func(int) string { return `{"type":"string"}` }) + `]}`),
			`{"a":[` + list(100_000, func(int) string { return `"xxxx"` }) + `]}`},
		{"many patterns on many names", `{"type":"object","patternProperties":{` + list(2000, func(i int) string { return fmt.Sprintf(`"^x%d[a-z]*$":{}`, i) }) + `}}`,
			`{` + list(20_000, func(i int) string { return fmt.Sprintf(`"n%d":1`, i) }) + `}`},
		{"an invalid pattern", object(`{"type":"string","pattern":"(?=x)["}`), `{"a":"x"}`},
		{"an invalid pattern of names", `{"type":"object","patternProperties":{"(":{}}}`, `{"a":"x"}`},
		{"a huge pattern", object(`{"pattern":"` + strings.Repeat("(a|b)?", 30_000) + `"}`), `{"a":"x"}`},
		{"a pattern that is huge when compiled", object(`{"pattern":"(?:` + strings.Repeat("a?", 1000) + `){900}$"}`), `{"a":"` + strings.Repeat("a", 1000) + `"}`},
		{"a pattern that is slow", object(`{"pattern":"(?:` + strings.Repeat("a?", 100) + `){90}$"}`), `{"a":"` + strings.Repeat("a", 100_000) + `"}`},
		{"many patterns that are huge together", object(`{"anyOf":[` + list(100, func(int) string { return `{"pattern":"(?:` + strings.Repeat("b?", 100) + `){90}"}` }) + `]}`), `{"a":"x"}`},
		{"an unknown dialect", `{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object","required":["x"]}`, `{}`},
		{"a dialect that is no string", `{"$schema":7,"type":"object"}`, `{}`},
		{"elsewhere", object(`{"$ref":"https://example.com/schema.json"}`), `{"a":1}`},
		{"a file", object(`{"$ref":"file:///etc/passwd"}`), `{"a":1}`},
		{"nowhere", object(`{"$ref":"#/$defs/nothing"}`), `{"a":1}`},
		{"into a value", object(`{"$ref":"#/properties/a/enum/0","enum":[{}]}`), `{"a":1}`},
		{"draft 4", object(`{"minimum":1,"exclusiveMinimum":true}`), `{"a":1}`},
		{"no list", `{"type":"object","required":"a"}`, `{}`},
		{"nulls", `{"type":"object","allOf":[null],"properties":{"a":null},"items":null,"not":null}`, `{"a":1}`},
		{"an unknown type", object(`{"type":"date"}`), `{"a":[]}`},
		{"a number beyond all bounds", object(`{"type":"number"}`), `{"a":1e999}`},
		{"a schema of 300 KB", `{"type":"object","description":"` + strings.Repeat("x", 300_000) + `"}`, `{}`},
		{"arguments 300 deep", object(`{"type":"integer"}`), `{"a":` + nested("[", "1", "]", 300) + `}`},
	}
	var tools []string
	for i, c := range cases {
		tools = append(tools, decl(fmt.Sprint("t", i), c.schema, ""))
	}
	s := newStub(t, "s", tools...)
	host := nobody(governed(t, connect(t, s), dispatch.Rules{}))
	// Some of them are in order after all, and are held against.
	refused := map[string]bool{"doubles with each level, wrong": true, "an unknown type": true, "nulls": true, "90 deep": true, "200 KB of alternatives": true}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := host.CallTool(within(t), with("s", fmt.Sprint("t", i), c.args))
			arrived := len(s.seen())
			if err != nil && (!refused[c.name] || code(err) != autoclave.InvalidArguments) || arrived != map[bool]int{true: 1, false: 0}[err == nil] {
				t.Errorf("got %.300v, %d arrived", err, arrived)
			}
			if e, ok := err.(*autoclave.Error); ok && len(e.Message) > 6000 {
				t.Errorf("a message of %d bytes", len(e.Message))
			}
		})
	}
}
