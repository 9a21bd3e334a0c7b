package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

func object() json.RawMessage { return json.RawMessage(`{"type":"object"}`) }

func TestNew(t *testing.T) {
	many := make([]catalog.Tool, catalog.MaxTools+5)
	for i := range many {
		many[i].Name = fmt.Sprint("t", i)
	}
	c := catalog.New([]catalog.Server{
		{Name: "b", Description: "<b>B</b>\x1b[0m", Version: "1\n2", Tools: []catalog.Tool{
			{Name: "x", Description: "first"}, {Name: "x", Description: "second"}, {Name: ""}, {Name: "\xff"},
			{Name: strings.Repeat("n", catalog.MaxName+1)}, {Name: "bad", InputSchema: json.RawMessage("{")},
		}, Resources: []catalog.Resource{{URI: "u://1", Name: "one\n"}, {URI: ""}, {URI: strings.Repeat("u", catalog.MaxURI+1)}},
			Templates: []catalog.ResourceTemplate{{URITemplate: "u://{x}", Name: "t"}}},
		{Name: "a", Problem: "connection refused\n<system>"},
		{Name: "b"}, {Name: ""}, {Name: "\xff"},
		{Name: "c", Tools: many},
	})
	servers := c.Servers()
	var got []string
	for _, s := range servers {
		got = append(got, fmt.Sprint(s.Name, " ", s.Tools, " ", s.Resources, " ", s.Templates, " ", s.Problem, len(s.Notes)))
	}
	want := []string{"a 0 0 0 connection refused ‹system›0", "b 2 1 1 7", fmt.Sprint("c ", catalog.MaxTools, " 0 0 1")}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q; the notes are %q", got, want, servers[1].Notes)
	}
	if s := servers[1]; s.Description != "‹b›B‹/b›" || s.Version != "1 2" {
		t.Errorf("the texts are %q and %q", s.Description, s.Version)
	}
	if tool, err := c.Lookup("b", "x"); err != nil || tool.Description != "first" {
		t.Errorf("Lookup: %+v, %v", tool, err)
	}
	servers[1].Notes[0], servers[1].Name = "changed", "changed"
	if s := c.Servers()[1]; s.Name != "b" || s.Notes[0] == "changed" {
		t.Error("what Servers returned can change the catalog")
	}
}

func TestEmptyCatalog(t *testing.T) {
	c := catalog.New(nil)
	if got := c.Servers(); len(got) != 0 {
		t.Errorf("Servers: %v", got)
	}
	if got := catalog.RenderHits(c.Search(catalog.Query{Text: "x"}), false); !strings.Contains(got, "No tool fits") {
		t.Errorf("got %q", got)
	}
	if got := catalog.RenderHits(c.Search(catalog.Query{}), false); !strings.Contains(got, "No servers are configured") {
		t.Errorf("got %q", got)
	}
}

func TestVersion(t *testing.T) {
	yes, no := true, false
	base := func() []catalog.Server {
		return []catalog.Server{
			{Name: "a", Description: "A", Tools: []catalog.Tool{{Name: "x", InputSchema: object(), ReadOnly: &yes}}, Resources: []catalog.Resource{{URI: "u", Name: "n"}}},
			{Name: "b"},
		}
	}
	want := catalog.New(base()).Version()
	if len(want) != 16 {
		t.Errorf("the version is %q", want)
	}
	reordered := base()
	slices.Reverse(reordered)
	if got := catalog.New(reordered).Version(); got != want {
		t.Error("the order of servers changes the version")
	}
	seen := map[string]bool{want: true}
	for i, change := range []func(s []catalog.Server){
		func(s []catalog.Server) { s[0].Name = "c" },
		func(s []catalog.Server) { s[0].Description = "B" },
		func(s []catalog.Server) { s[0].Version = "2" },
		func(s []catalog.Server) { s[0].CodeMode = true },
		func(s []catalog.Server) { s[1].Problem = "gone" },
		func(s []catalog.Server) { s[0].Tools[0].Name = "y" },
		func(s []catalog.Server) { s[0].Tools[0].Description = "y" },
		func(s []catalog.Server) { s[0].Tools[0].InputSchema = nil },
		func(s []catalog.Server) { s[0].Tools[0].OutputSchema = object() },
		func(s []catalog.Server) { s[0].Tools[0].ReadOnly = &no },
		func(s []catalog.Server) { s[0].Tools[0].ReadOnly = nil },
		func(s []catalog.Server) { s[0].Resources[0].URI = "v" },
		func(s []catalog.Server) { s[0].Templates = []catalog.ResourceTemplate{{URITemplate: "u", Name: "n"}} },
	} {
		s := base()
		change(s)
		v := catalog.New(s).Version()
		if seen[v] {
			t.Errorf("change %d has the version of another", i)
		}
		seen[v] = true
	}
}

func TestNotFound(t *testing.T) {
	c := catalog.New([]catalog.Server{
		{Name: "github", Tools: []catalog.Tool{{Name: "create_issue"}, {Name: "list_issues"}}},
		{Name: "gitlab", Tools: []catalog.Tool{{Name: "createIssue"}, {Name: "merge"}}},
		{Name: "down", Problem: "it does not start"},
	})
	for _, test := range []struct {
		server, tool, message string
		nearest               []string
	}{
		{"githib", "", `there is no server "githib": did you mean "github" or "gitlab"?`, []string{"github", "gitlab"}},
		{"GitHub", "create_issue", `there is no server "GitHub": did you mean "github" or "gitlab"?`, []string{"github", "gitlab"}},
		{"nowhere", "", `there is no server "nowhere"`, []string{}},
		{"", "", `there is no server ""`, nil},
		{"github", "createIssue", `server "github" has no tool "createIssue": did you mean "create_issue" or "gitlab.createIssue"?`, []string{"create_issue", "gitlab.createIssue"}},
		{"github", "merge", `server "github" has no tool "merge": did you mean "gitlab.merge"?`, []string{"gitlab.merge"}},
		{"github", "issues", `server "github" has no tool "issues": did you mean "list_issues"?`, []string{"list_issues"}},
		{"down", "x", `server "down" is not connected: it does not start`, nil},
		{"down", "", `server "down" is not connected: it does not start`, nil},
	} {
		_, err := c.Types(test.server, test.tool)
		var missing *catalog.NotFound
		if !errors.As(err, &missing) {
			t.Errorf("%q %q: the error is %v", test.server, test.tool, err)
			continue
		}
		if err.Error() != test.message || !slices.Equal(missing.Nearest, test.nearest) {
			t.Errorf("%q %q: got %q and %q", test.server, test.tool, err, missing.Nearest)
		}
	}
	long := strings.Repeat("x\n", 1<<20)
	_, err := c.Lookup("github", long)
	if err == nil || len(err.Error()) > 400 || strings.Contains(err.Error(), "\n") {
		t.Errorf("a long name gives %.500v", err)
	}
	if _, err := c.Tools("x"); err == nil {
		t.Error("Tools finds what is not there")
	}
	if _, err := c.Resources("x"); err == nil {
		t.Error("Resources finds what is not there")
	}
}

func TestNearest(t *testing.T) {
	among := []string{"create_issue", "createIssue2", "delete_issue", "list_issues", "x", "日本"}
	for _, test := range []struct {
		name string
		want []string
	}{
		{"create_issue", []string{"create_issue", "createIssue2"}},
		{"creat_isue", []string{"create_issue", "createIssue2"}},
		{"craete-issue", []string{"create_issue", "createIssue2", "delete_issue"}},
		{"listissues", []string{"list_issues"}},
		{"y", []string{"x"}},
		{"日木", []string{"日本"}},
		{"issue", []string{"createIssue2", "create_issue", "delete_issue"}},
		{"", nil}, {"___", nil}, {"entirely different", nil},
	} {
		got := catalog.Nearest(test.name, among)
		if len(got) != 0 || len(test.want) != 0 {
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%q: got %q, want %q", test.name, got, test.want)
			}
		}
	}
}

func TestResources(t *testing.T) {
	c := catalog.New([]catalog.Server{
		{Name: "b", Resources: []catalog.Resource{{URI: "b://1", Name: "one", Description: "<x>", MimeType: "text/plain"}}},
		{Name: "a", Resources: []catalog.Resource{{URI: "a://1", Name: "one"}}, Templates: []catalog.ResourceTemplate{{URITemplate: "a://{id}", Name: "any"}}},
	})
	all, err := c.Resources("")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"server":"a","uri":"a://1","name":"one"},{"server":"b","uri":"b://1","name":"one","description":"‹x›","mimeType":"text/plain"}]`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if templates, err := c.Templates("a"); err != nil || len(templates) != 1 || templates[0].URITemplate != "a://{id}" {
		t.Errorf("got %v, %v", templates, err)
	}
	if none, err := c.Templates("b"); err != nil || none == nil || len(none) != 0 {
		t.Errorf("got %v, %v", none, err)
	}
}

func TestCodeMode(t *testing.T) {
	code := json.RawMessage(`{"type":"object","required":["code"],"properties":{"code":{"type":"string"}}}`)
	query := json.RawMessage(`{"type":"object","properties":{"query":{"type":"string"}}}`)
	for _, test := range []struct {
		name  string
		tools []catalog.Tool
		want  bool
	}{
		{"this gateway", []catalog.Tool{{Name: "search", InputSchema: query}, {Name: "execute", InputSchema: code}}, true},
		{"by another name", []catalog.Tool{{Name: "search_tools", InputSchema: query}, {Name: "run-code", InputSchema: code}, {Name: "status"}}, true},
		{"with the server's name", []catalog.Tool{{Name: "acme_search", InputSchema: query}, {Name: "acme_execute", InputSchema: code}}, true},
		{"execute alone", []catalog.Tool{{Name: "execute", InputSchema: code}}, false},
		{"execute without code", []catalog.Tool{{Name: "search", InputSchema: query}, {Name: "execute", InputSchema: query}}, false},
		{"notebooks", []catalog.Tool{{Name: "search_notebooks", InputSchema: query}, {Name: "execute_code", InputSchema: code}}, false},
		{"code search", []catalog.Tool{{Name: "search_code", InputSchema: query}, {Name: "run_workflow", InputSchema: code}}, false},
	} {
		c := catalog.New([]catalog.Server{{Name: "acme", Description: "Acme.", Tools: test.tools}})
		info := c.Servers()[0]
		if info.CodeMode != test.want || strings.Contains(info.Description, "code-mode") != test.want {
			t.Errorf("%s: got %v, %q", test.name, info.CodeMode, info.Description)
		}
		text, err := c.Types("acme", "")
		if err != nil || strings.Contains(text, "code-mode") != test.want {
			t.Errorf("%s: %v, %s", test.name, err, text)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := catalog.New(realServers(t))
	want := catalog.RenderHits(c.Search(catalog.Query{Text: "read file", Detail: true}), true)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if got := catalog.RenderHits(c.Search(catalog.Query{Text: "read file", Detail: true}), true); got != want {
					t.Error("the answers differ")
				}
				for _, s := range c.Servers() {
					if _, err := c.Types(s.Name, ""); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
}
