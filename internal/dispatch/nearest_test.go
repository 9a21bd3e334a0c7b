package dispatch

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

func TestNearest(t *testing.T) {
	names := []string{"list_issues", "get_issue", "create_issue", "add_comment", "close_issue", "search_code", "a", "read-file", "readDirectory", "Ünïcode_tool"}
	for _, c := range []struct {
		name string
		want []string
	}{
		{"listIssues", []string{"list_issues"}},
		{"LIST-ISSUES", []string{"list_issues"}},
		{"issues_list", []string{"list_issues"}},
		{"list_issue", []string{"list_issues"}},
		{"list_isseus", []string{"list_issues"}},
		{"creat_issue", []string{"create_issue"}},
		{"add_comments", []string{"add_comment"}},
		{"readfile", []string{"read-file"}},
		{"read_directory", []string{"readDirectory"}},
		{"code_search", []string{"search_code"}},
		{"comment_add", []string{"add_comment"}},
		{"ünïcodetool", []string{"Ünïcode_tool"}},
		{"delete_issue", []string{"create_issue", "get_issue", "close_issue"}},
		{"issue", []string{"list_issues", "get_issue", "create_issue"}},
		{"fly_to_the_moon", nil},
		{"", nil},
		{"___", nil},
		{"b", []string{"a"}},
		{strings.Repeat("x", 100000), nil},
	} {
		got := nearest(c.name, names)
		if len(got) > maxNearest {
			t.Errorf("%.20q: %d names", c.name, len(got))
		}
		if len(c.want) == 1 && len(got) > 0 && got[0] == c.want[0] {
			continue // what follows the first is a matter of taste
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%.20q: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := nearest("a", []string{"a"}); got != nil {
		t.Errorf("suggests the name itself: %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "xbc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance([]rune(c.a), []rune(c.b)); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance([]rune(c.b), []rune(c.a)); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestTokens(t *testing.T) {
	for in, want := range map[string]string{
		"list_issues": "list issues", "listIssues": "list issues", "read-file2": "read file2", "HTTPServer": "httpserver", "a.b/c": "a b c", "v2Beta": "v2 beta", "": "",
	} {
		if got := strings.Join(tokens(in), " "); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestTypeOf(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"string"}`:                                                "string",
		`{"type":["integer","null"]}`:                                      "number | null",
		`{"type":["integer","number"]}`:                                    "number",
		`{"enum":["a",1,null]}`:                                            `"a" | 1 | null`,
		`{"const":"x"}`:                                                    `"x"`,
		`{"anyOf":[{"type":"string"},{"type":"boolean"}]}`:                 "string | boolean",
		`{"oneOf":[{"type":"string"},{}]}`:                                 "any",
		`{"type":"array","items":{"type":"string"}}`:                       "string[]",
		`{"type":"array","items":{"type":["string","null"]}}`:              "Array<string | null>",
		`{"type":"array"}`:                                                 "any[]",
		`{"type":"array","items":false}`:                                   "any[]",
		`{"type":"object"}`:                                                "{}",
		`{"type":"object","additionalProperties":{"type":"number"}}`:       "Record<string, number>",
		`{"type":"object","properties":{"z":{"type":"string"},"a b":{}}}`:  `{ z?: string; "a b"?: any }`,
		`{"properties":{"z":{"type":"string"}},"required":["z"]}`:          `{ z: string }`,
		`{"type":"object","properties":{"a":{"description":"x */ y\nz"}}}`: `{ /** x * / y z */ a?: any }`,
		`{"type":"martian"}`:                                               "any",
		`true`:                                                             "any",
		`{"type":7}`:                                                       "any",
		strings.Repeat(`{"type":"array","items":`, 20) + `{}` + strings.Repeat(`}`, 20): "any[][][][][][][]",
	} {
		var s lenient
		if err := json.Unmarshal([]byte(in), &s); err != nil {
			t.Fatal(err)
		}
		if got := typeOf(&s, 0); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestToolDeclaration(t *testing.T) {
	big := `{"type":"object","properties":{` + strings.Repeat(`"p":{"type":"string"},`, 1000) + `"q":{}}}`
	for _, c := range []struct {
		tool upstream.Tool
		want string
	}{
		{upstream.Tool{Name: "a"}, "a(args?: object): Promise<any>; // no output schema"},
		{upstream.Tool{Name: "a b", InputSchema: json.RawMessage(`{"type":"object","required":["x"],"properties":{"x":{"type":"string"}}}`), OutputSchema: json.RawMessage(`{"type":"string"}`)},
			`"a b"(args: { x: string }): Promise<string>;`},
		{upstream.Tool{Name: "a", InputSchema: json.RawMessage(big), OutputSchema: json.RawMessage(`{`)}, "a(args?: any /* too long to show */): Promise<any>;"},
	} {
		if got := toolDeclaration(&c.tool); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func FuzzTypes(f *testing.F) {
	f.Add([]byte(`{"type":"object","properties":{"a":{"anyOf":[{"enum":[1,"x",null]},{"const":{}}]}}}`))
	f.Add([]byte(`{"enum":[null],"items":[1]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		toolDeclaration(&upstream.Tool{Name: string(in), Description: string(in), InputSchema: in, OutputSchema: in})
	})
}
