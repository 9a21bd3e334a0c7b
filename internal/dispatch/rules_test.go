package dispatch_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
)

func on(b bool) *bool { return &b }

// TestRuleForms takes each form of a rule through real upstreams, and looks at
// what arrives there.
func TestRuleForms(t *testing.T) {
	files := newStub(t, "files", decl("read", "", hints(`"readOnlyHint":true`)), decl("write", "", hints(`"destructiveHint":true`)),
		decl("append", "", hints(`"destructiveHint":false`)), decl("plain", "", ""), decl("local", "", hints(`"openWorldHint":false`)),
		decl("delete_all", "", ""), decl("Delete_all", "", ""), decl("lies", "", hints(`"readOnlyHint":true,"destructiveHint":true`)))
	web := newStub(t, "web", decl("read", "", hints(`"readOnlyHint":true`)), decl("delete_all", "", ""))
	set := connect(t, files, web)
	deny := func(r policy.Rule) policy.Rule { r.Action = policy.Deny; return r }
	allow := func(r policy.Rule) policy.Rule { r.Action = policy.Allow; return r }
	ask := func(r policy.Rule) policy.Rule { r.Action = policy.Ask; return r }
	everything := []string{"files.read", "files.write", "files.append", "files.plain", "files.local", "files.delete_all", "files.Delete_all", "files.lies",
		"web.read", "web.delete_all"}
	for _, c := range []struct {
		name   string
		rules  []policy.Rule
		policy policy.Config // with the rules
		caller dispatch.Caller
		denied []string // of everything
		asked  []string
	}{
		{name: "nothing"},
		{name: "server", rules: []policy.Rule{deny(policy.Rule{Servers: []string{"web"}})}, denied: []string{"web.read", "web.delete_all"}},
		{name: "servers", rules: []policy.Rule{deny(policy.Rule{Servers: []string{"w?b", "nothing"}})}, denied: []string{"web.read", "web.delete_all"}},
		{name: "the case of a server", rules: []policy.Rule{deny(policy.Rule{Servers: []string{"Web"}})}},
		{name: "tool", rules: []policy.Rule{deny(policy.Rule{Tools: []string{"delete_all"}})}, denied: []string{"files.delete_all", "web.delete_all"}},
		{name: "tool glob", rules: []policy.Rule{deny(policy.Rule{Tools: []string{"?elete*"}})}, denied: []string{"files.delete_all", "files.Delete_all", "web.delete_all"}},
		{name: "tool on server", rules: []policy.Rule{deny(policy.Rule{Servers: []string{"web"}, Tools: []string{"r*", "x"}})}, denied: []string{"web.read"}},
		{name: "resources alone", rules: []policy.Rule{deny(policy.Rule{Resources: []string{"*"}})}},
		{name: "read-only", rules: []policy.Rule{deny(policy.Rule{ReadOnly: on(true)})}, denied: []string{"files.read", "files.lies", "web.read"}},
		{name: "not read-only", rules: []policy.Rule{deny(policy.Rule{ReadOnly: on(false), Servers: []string{"files"}})},
			denied: []string{"files.write", "files.append", "files.plain", "files.local", "files.delete_all", "files.Delete_all"}},
		{name: "destructive", rules: []policy.Rule{deny(policy.Rule{Destructive: on(true), Servers: []string{"files"}})},
			denied: []string{"files.write", "files.plain", "files.local", "files.delete_all", "files.Delete_all"}},
		{name: "not destructive", rules: []policy.Rule{deny(policy.Rule{Destructive: on(false), Servers: []string{"files"}})},
			denied: []string{"files.read", "files.append", "files.lies"}},
		{name: "closed world", rules: []policy.Rule{deny(policy.Rule{OpenWorld: on(false)})}, denied: []string{"files.local"}},
		{name: "principal", rules: []policy.Rule{deny(policy.Rule{Principals: []string{"mal*"}, Servers: []string{"web"}})},
			caller: dispatch.Caller{Principal: "mallory"}, denied: []string{"web.read", "web.delete_all"}},
		{name: "another principal", rules: []policy.Rule{deny(policy.Rule{Principals: []string{"mal*"}, Servers: []string{"web"}})},
			caller: dispatch.Caller{Principal: "alice"}},
		{name: "session name", rules: []policy.Rule{deny(policy.Rule{Sessions: []string{"ci-*"}, Tools: []string{"write"}})},
			caller: dispatch.Caller{Name: "ci-7"}, denied: []string{"files.write"}},
		{name: "the session itself is no name", rules: []policy.Rule{deny(policy.Rule{Sessions: []string{"ci-*"}, Tools: []string{"write"}})},
			caller: dispatch.Caller{Session: "ci-7"}},
		{name: "first match", rules: []policy.Rule{allow(policy.Rule{Tools: []string{"read"}}), deny(policy.Rule{Servers: []string{"files"}})},
			denied: []string{"files.write", "files.append", "files.plain", "files.local", "files.delete_all", "files.Delete_all", "files.lies"}},
		{name: "first match, the other way", rules: []policy.Rule{deny(policy.Rule{Servers: []string{"web"}}), allow(policy.Rule{Tools: []string{"read"}})},
			denied: []string{"web.read", "web.delete_all"}},
		{name: "default of a server", policy: policy.Config{Servers: map[string]policy.Action{"web": policy.Deny}}, denied: []string{"web.read", "web.delete_all"}},
		{name: "a rule before the default of a server", rules: []policy.Rule{allow(policy.Rule{Tools: []string{"read"}})},
			policy: policy.Config{Servers: map[string]policy.Action{"web": policy.Deny}}, denied: []string{"web.delete_all"}},
		{name: "default", rules: []policy.Rule{allow(policy.Rule{Servers: []string{"files"}})}, policy: policy.Config{Default: policy.Deny},
			denied: []string{"web.read", "web.delete_all"}},
		{name: "default of a server before the default", policy: policy.Config{Default: policy.Deny, Servers: map[string]policy.Action{"files": policy.Allow}},
			denied: []string{"web.read", "web.delete_all"}},
		{name: "ask", rules: []policy.Rule{ask(policy.Rule{Tools: []string{"delete*"}})}, asked: []string{"files.delete_all", "web.delete_all"}},
		{name: "ask before deny", rules: []policy.Rule{ask(policy.Rule{Tools: []string{"delete*"}}), deny(policy.Rule{Servers: []string{"web"}})},
			asked: []string{"files.delete_all", "web.delete_all"}, denied: []string{"web.read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.policy.Rules = c.rules
			d := governed(t, set, dispatch.Rules{Policy: c.policy, MaxAsking: 1})
			person := asked()
			c.caller.Approver = person
			host := d.For(c.caller)
			for _, name := range everything {
				server, tool, _ := strings.Cut(name, ".")
				before := len(person.questions())
				_, err := host.CallTool(within(t), with(server, tool, `{"x":1}`))
				want, arrives := autoclave.Code(""), true
				switch {
				case slices.Contains(c.denied, name):
					want, arrives = autoclave.PolicyDenied, false
				case slices.Contains(c.asked, name):
					want, arrives = autoclave.ApprovalDenied, false
				}
				if code(err) != want {
					t.Errorf("%s: got %v, want %q", name, err, want)
				}
				if n := len(person.questions()) - before; n > 1 || (n == 1) != slices.Contains(c.asked, name) {
					t.Errorf("%s: %d questions", name, n)
				}
				got := append(files.seen(), web.seen()...)
				if arrives && !slices.Equal(got, []string{"tools/call " + tool + ` {"x":1}`}) || !arrives && len(got) > 0 {
					t.Errorf("%s: arrived: %q", name, got)
				}
				if e, ok := err.(*autoclave.Error); ok && (e.Server != server || e.Tool != tool || e.Retryable || e.Suggestion == "") {
					t.Errorf("%s: got %+v", name, e)
				}
			}
		})
	}
}

// TestNamesAreBytes: a name that only looks like one that is denied is no name
// at all.
func TestNamesAreBytes(t *testing.T) {
	s := newStub(t, "files", decl("delete", "", ""), decl("read", "", ""))
	d := governed(t, connect(t, s), rulesOf(policy.Rule{Action: policy.Deny, Tools: []string{"delete"}}))
	for _, name := range []string{"Delete", "DELETE", " delete", "delete ", "d\u0435lete", "delete\u200b", "\ufeffdelete", "delete\x00", "de\u00adlete", "delete\n", "", "deleté", "read/../delete"} {
		_, err := nobody(d).CallTool(within(t), with("files", name, `{}`))
		if code(err) != autoclave.ToolNotFound {
			t.Errorf("%q: got %v", name, err)
		}
	}
	for _, server := range []string{"Files", "files ", "fil\u0435s", "files\x00", ""} {
		_, err := nobody(d).CallTool(within(t), with(server, "read", `{}`))
		if code(err) != autoclave.ServerNotFound {
			t.Errorf("%q: got %v", server, err)
		}
	}
	if got := s.seen(); len(got) > 0 {
		t.Errorf("arrived: %q", got)
	}
}

func TestResourceRules(t *testing.T) {
	s := newStub(t, "files", decl("read", "", ""))
	s.resources = []string{`{"uri":"file:///a","name":"a"}`, `{"uri":"file:///etc/secret","name":"b"}`}
	other := newStub(t, "other")
	other.resources = []string{`{"uri":"x://1","name":"x"}`}
	set := connect(t, s, other)
	for _, c := range []struct {
		name           string
		rules          []policy.Rule
		a, secret, lst autoclave.Code
	}{
		{name: "none"},
		{name: "uri", rules: []policy.Rule{{Action: policy.Deny, Resources: []string{"file:///etc/*"}}}, secret: autoclave.PolicyDenied},
		{name: "all resources", rules: []policy.Rule{{Action: policy.Deny, Servers: []string{"files"}, Resources: []string{"*"}}},
			a: autoclave.PolicyDenied, secret: autoclave.PolicyDenied, lst: autoclave.PolicyDenied},
		{name: "tools alone", rules: []policy.Rule{{Action: policy.Deny, Tools: []string{"*"}}}},
		{name: "the server", rules: []policy.Rule{{Action: policy.Deny, Servers: []string{"files"}}},
			a: autoclave.PolicyDenied, secret: autoclave.PolicyDenied, lst: autoclave.PolicyDenied},
		{name: "to read is read-only", rules: []policy.Rule{{Action: policy.Deny, ReadOnly: on(false)}}},
		{name: "nobody to ask", rules: []policy.Rule{{Action: policy.Ask, Resources: []string{"file:///etc/*"}}}, secret: autoclave.ApprovalDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := governed(t, set, rulesOf(c.rules...))
			for uri, want := range map[string]autoclave.Code{"file:///a": c.a, "file:///etc/secret": c.secret} {
				_, err := nobody(d).ReadResource(within(t), "files", uri)
				if got := s.seen(); code(err) != want || (len(got) == 0) != (want != "") {
					t.Errorf("%s: got %v, arrived %q", uri, err, got)
				}
			}
			_, err := nobody(d).ListResources(within(t), "files")
			if code(err) != c.lst {
				t.Errorf("list: got %v", err)
			}
			_, err = nobody(d).ListResourceTemplates(within(t), "files")
			if code(err) != c.lst {
				t.Errorf("templates: got %v", err)
			}
			// Of all servers those are listed that may be.
			raw, err := nobody(d).ListResources(within(t), "")
			if err != nil || !strings.Contains(string(raw), "x://1") || strings.Contains(string(raw), "file:///a") != (c.lst == "") {
				t.Errorf("all: got %s, %v", raw, err)
			}
		})
	}
}

// TestHideDenied: what is denied to everybody is nowhere to be seen, and denied.
func TestHideDenied(t *testing.T) {
	files := newStub(t, "files", decl("read_file", "", ""), decl("delete_file", "", ""), decl("rename_file", "", ""))
	web := newStub(t, "web", decl("fetch", "", ""))
	set := connect(t, files, web)
	rules := rulesOf(
		policy.Rule{Action: policy.Deny, Tools: []string{"rename_file"}, Principals: []string{"mallory"}},
		policy.Rule{Action: policy.Deny, Tools: []string{"delete_*"}},
		policy.Rule{Action: policy.Deny, Servers: []string{"web"}},
	)
	for _, hide := range []bool{false, true} {
		rules.HideDenied = hide
		d := governed(t, set, rules)
		host := d.For(dispatch.Caller{Principal: "mallory"})
		hidden := []string{"delete_file", "fetch"}
		texts := map[string]string{}
		search, err := host.CatalogSearch(within(t), "delete file fetch", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		texts["search"] = string(search)
		search, err = host.CatalogSearch(within(t), "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		texts["search for nothing"] = string(search)
		types, err := host.CatalogTypes(within(t), "files", "")
		if err != nil {
			t.Fatal(err)
		}
		webTypes, err := host.CatalogTypes(within(t), "web", "")
		if err != nil {
			t.Fatal(err)
		}
		texts["types"] = types + webTypes
		b, err := json.Marshal(d.Index().Search(catalog.Query{Text: "delete fetch", Limit: 50}))
		if err != nil {
			t.Fatal(err)
		}
		texts["index"] = string(b)
		for _, c := range []struct{ server, tool string }{{"files", "delet_file"}, {"files", "xyz"}, {"web", "fetchh"}, {"wub", "fetch"}, {"github", "delete_file"}} {
			_, err := host.CallTool(within(t), with(c.server, c.tool, `{}`))
			e := err.(*autoclave.Error)
			texts["suggestion for "+c.server+"."+c.tool] = e.Message + e.Suggestion
			_, err = host.CatalogTypes(within(t), c.server, c.tool)
			e = err.(*autoclave.Error)
			texts["suggestion of types for "+c.server+"."+c.tool] = e.Message + e.Suggestion
		}
		shown := map[string]bool{}
		for where, text := range texts {
			for _, name := range hidden {
				// What the caller wrote himself may be said.
				if strings.Contains(strings.ReplaceAll(text, `no tool "fetch`, ""), name) {
					shown[name] = true
					if hide {
						t.Errorf("%s has %s: %s", where, name, text)
					}
				}
			}
			if !strings.Contains(texts["types"], "rename_file") || !strings.Contains(texts["types"], "read_file") {
				t.Errorf("what is not denied to everybody is hidden: %s", texts["types"])
			}
		}
		if !hide && len(shown) != len(hidden) {
			t.Errorf("not hidden, and only %v is shown: %v", shown, texts)
		}
		if servers, err := host.CatalogServers(within(t)); err != nil || strings.Contains(string(servers), `"tools":3`) == hide {
			t.Errorf("servers: got %s, %v", servers, err)
		}
		if _, err := d.Index().Lookup("files", "delete_file"); (err != nil) != hide {
			t.Errorf("lookup: got %v", err)
		}
		if host.Catalog() == nil {
			t.Error("no catalog for the worker")
		}
		for _, c := range []struct{ server, tool string }{{"files", "delete_file"}, {"web", "fetch"}, {"files", "rename_file"}} {
			if _, err := host.CallTool(within(t), with(c.server, c.tool, `{}`)); code(err) != autoclave.PolicyDenied {
				t.Errorf("%v: got %v", c, err)
			}
		}
		if got := append(files.seen(), web.seen()...); len(got) > 0 {
			t.Errorf("arrived: %q", got)
		}
	}
}

// TestDenialSaysWhy is what a model reads.
func TestDenialSaysWhy(t *testing.T) {
	s := newStub(t, "files", decl("delete", "", ""))
	d := governed(t, connect(t, s), rulesOf(policy.Rule{Name: "no harm", Action: policy.Deny, Tools: []string{"delete"}}))
	_, err := nobody(d).CallTool(context.Background(), with("files", "delete", `{}`))
	e := wantCode(t, err, autoclave.PolicyDenied)
	if want := `files.delete is not allowed: the rule "no harm" denies tool delete`; e.Message != want {
		t.Errorf("got %q, want %q", e.Message, want)
	}
	if !strings.Contains(e.Suggestion, "Do not try again") {
		t.Errorf("got %q", e.Suggestion)
	}
}
