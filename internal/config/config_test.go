package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/policy"
)

func TestErrors(t *testing.T) {
	const server = "[servers.github]\ncommand = \"x\"\n"
	for name, tt := range map[string]struct {
		text string
		want []string // one for each error, in order: "LINE:COLUMN: ..."
	}{
		"syntax":           {"[limits]\ncpu = ", []string{"2:"}},
		"twice":            {"[limits]\ncpu = \"1s\"\ncpu = \"2s\"", []string{"3:1: "}},
		"unknown section":  {"\n[limit]\n", []string{"2:2: limit: there is no such key: did you mean limits?"}},
		"unknown key":      {"[limits]\n  cpuu = \"5s\"", []string{"2:3: limits.cpuu: there is no such key: did you mean cpu?"}},
		"dash":             {"[limits]\ncall-timeout = \"5s\"", []string{"2:1: limits.call-timeout: there is no such key: did you mean call_timeout?"}},
		"case":             {"[limits]\nCPU = \"5s\"", []string{"2:1: limits.CPU: there is no such key: did you mean cpu?"}},
		"foreign":          {"[mcpServers.a]\ncommand = \"x\"", []string{"1:2: mcpServers: there is no such key: did you mean servers?"}},
		"far":              {"[lockdown]\nxyzzy = 1", []string{"2:1: lockdown.xyzzy: there is no such key: here there can be off, require, require_layers"}},
		"dotted":           {"limits.cpu = \"5s\"\nlimits.cqu = \"5s\"", []string{"2:8: limits.cqu: "}},
		"inline":           {"limits = { cpu = \"5s\", cqu = \"5s\" }", []string{"1:24: limits.cqu: "}},
		"second rule":      {"[[rule]]\naction = \"ask\"\n[[rule]]\naction = \"asc\"", []string{`4:1: rule[1].action: is "asc": it can be "allow", "ask" or "deny"`}},
		"duration":         {"[limits]\ncpu = \"5\"", []string{"2:1: limits.cpu: is \"5\": a duration is a number and a unit"}},
		"duration, number": {"[limits]\ncpu = 5", []string{"2:1: limits.cpu: is the number 5: a duration is"}},
		"duration, minus":  {"[limits]\ncpu = \"-5s\"", []string{"cannot be negative"}},
		"duration, zero":   {"[limits]\ncpu = \"0s\"", []string{"must be more than that"}},
		"duration, word":   {"[limits]\ncpu = \"unlimited\"", []string{"a duration is"}},
		"words":            {"[pool]\nmax_lifetime = \"none\"", []string{`a duration is a number and a unit, ns, us, ms, s, m, h or d, such as "5s" or "1h30m", or "unlimited"`}},
		"size":             {"[limits]\nheap = \"128\"", []string{"2:1: limits.heap: is \"128\": a size is"}},
		"size, number":     {"[limits]\nheap = 134217728", []string{"is the number 134217728: a size is"}},
		"size, part":       {"[limits]\nheap = \"1.5B\"", []string{"no whole number"}},
		"size, huge":       {"[limits]\nheap = \"99999999GiB\"", []string{"more than any machine"}},
		"size, tricks":     {"[limits]\nheap = \"0x10MiB\"\nlogs = \"infB\"\nresult=\"-1B\"", []string{"2:1: ", "3:1: ", "4:1: "}},
		"count, zero":      {"[limits]\ncalls = 0", []string{"2:1: limits.calls: is 0: it must be more than 0"}},
		"count, minus":     {"[pool]\nmax_uses = -1", []string{`is -1: it must be more than -1, or "unlimited"`}},
		"count, part":      {"[limits]\ncalls = 1.5", []string{"is the number 1.5: it must be a whole number"}},
		"count, huge":      {"[limits]\ncalls = 9999999999", []string{"too many"}},
		"bool":             {"[lockdown]\noff = \"yes\"", []string{"is a string: it can be true or false"}},
		"string":           {"[engine]\nname = true", []string{"is true: it must be a string"}},
		"date":             {"[engine]\nname = 2020-01-01", []string{"is a date: "}},
		"table":            {"limits = 3", []string{"1:1: limits: is the number 3: it must be a table"}},
		"tables":           {"[rule]\naction = \"deny\"", []string{"1:2: rule: is a table: it must be a list of tables: write [[rule]]"}},
		"several":          {"[limits]\ncalls = 0\n[pool]\nmax_uses = 0", []string{"2:1: ", "4:1: "}},

		"engine":          {"[engine]\nname = \"node\"\nalso = [\"v9\", \"v8\", \"v8\"]", []string{`2:1: engine.name: is "node": it can be "quickjs" or "v8"`, `engine.also[0]: is "v9": it can be`, `engine.also[2]: is "v8", which is named already`}},
		"layer":           {"[lockdown]\nrequire_layers = [\"landlock\", \"secomp\"]", []string{`lockdown.require_layers[1]: is "secomp", and there is no such layer: did you mean seccomp?`}},
		"off":             {"[lockdown]\noff = true", []string{`write require = "none" too`}},
		"stash":           {"[stash]\nmax_ttl = \"1m\"\ndefault_ttl = \"1h\"", []string{"DefaultTTL is 1h0m0s, above MaxTTL"}},
		"audit":           {"[audit]\nprogram_text = true", []string{"path is missing"}},
		"audit, empty":    {"[audit]\nprogram_text = true\npath = \"\"", []string{`3:1: audit.path: is empty, so that nothing would be recorded: write a file, or "stderr", or leave [audit] out`}},
		"audit, variable": {"[audit]\npath = \"${EMPTY:-}\"", []string{"2:1: audit.path: is empty, so that nothing"}},
		"audit, blank":    {"[audit]\npath = \" \"", []string{"2:1: audit.path: is empty, so that nothing"}},
		"audit, unset":    {"[audit]\npath = \"${NOPE}\"\non_failure = \"drop\"", []string{"2:1: audit.path: the variable NOPE is not set"}},
		"audit, nothing":  {"[audit]", nil},
		"pattern":         {"[redaction]\npatterns = [\"a(\"]", []string{"redaction.patterns[0]: is no regular expression"}},
		"empty match":     {"[redaction]\npatterns = [\"a*\"]", []string{"matches nothing at all"}},
		"short":           {"[redaction]\nsecrets = [\"abc\"]", []string{"has 3 bytes"}},

		"listen":       {"[http]\nlisten = \"7341\"", []string{"2:1: http.listen: must be HOST:PORT"}},
		"port":         {"[http]\nlisten = \"127.0.0.1:99999\"", []string{"no port between"}},
		"open":         {"[http]\nlisten = \":7341\"", []string{"which others can reach"}},
		"short token":  {"[[http.token]]\nprincipal = \"a\"\ntoken = \"short\"", []string{"3:1: http.token[0].token: has 5 bytes"}},
		"no principal": {"[[http.token]]\ntoken = \"0123456789abcdef\"", []string{"1:3: http.token[0]: principal is missing"}},
		"same token": {"[[http.token]]\nprincipal = \"a\"\ntoken = \"0123456789abcdef\"\n[[http.token]]\nprincipal = \"b\"\ntoken = \"0123456789abcdef\"",
			[]string{"6:1: http.token[1].token: is that of another principal"}},
		"jwt":      {"[http.jwt]\nissuer = \"i\"\nkeys_file = \"f\"", []string{"audience is missing"}},
		"jwt keys": {"[http.jwt]\nissuer = \"i\"\naudience = \"a\"", []string{"keys_url or keys_file"}},
		"jwt http": {"[http.jwt]\nissuer = \"i\"\naudience = \"a\"\nkeys_url = \"http://example.org/k\"", []string{"is not https"}},
		"tls":      {"[http]\ntls_cert = \"c\"", []string{"need each other"}},
		"origin":   {"[http]\nallowed_origins = \"example.org\"", []string{"an origin is"}},
		"path":     {"[http]\npath = \"mcp\"", []string{"must begin with /"}},

		"no action":       {"[[rule]]\ntool = \"*\"", []string{"1:3: rule[0]: action is missing"}},
		"empty list":      {"[[rule]]\naction = \"deny\"\ntool = []", []string{`3:1: rule[0].tool: is empty: write "*"`}},
		"bad pattern":     {"[[rule]]\naction = \"deny\"\ntool = [\"a\", \"[ab]\"]", []string{"3:1: rule[0].tool[1]: is \"[ab]\": patterns have * and ? only"}},
		"unknown server":  {server + "[[rule]]\naction = \"deny\"\nserver = \"githab\"", []string{`5:1: rule[0].server[0]: is "githab", and there is no such server: did you mean github?`}},
		"server pattern":  {server + "[[rule]]\naction = \"deny\"\nserver = \"gitlab*\"", nil},
		"unknown grouped": {server + "[groups.g]\nservers = [\"github\", \"x\"]", []string{"4:1: groups.g.servers[1]: is \"x\""}},
		"two groups":      {server + "[groups.g]\nservers = \"github\"\n[groups.h]\nservers = \"github\"", []string{`6:1: groups.h.servers[0]: is "github", which is in the group "g" already`}},
		"empty group":     {"[groups.g]\nstrict = true", []string{"servers is missing"}},
		"never":           {"[[rule]]\naction = \"deny\"\nread_only = true\ndestructive = true", []string{"4:1: rule[0].destructive: is true, as read_only is: a tool that is read-only is never destructive"}},
		"not never":       {"[[rule]]\naction = \"deny\"\nread_only = true\ndestructive = false\n[[rule]]\naction = \"deny\"\nread_only = false\ndestructive = true", nil},
		"one name":        {"[[rule]]\nname = \"a\"\naction = \"deny\"\n[[rule]]\nname = \"A\"\naction = \"ask\"\n[[rule]]\naction = \"ask\"\nname = \"a\"", []string{`9:1: rule[2].name: is "a", as rule[0] is called: the audit could not tell them apart`}},
		"no name":         {"[[rule]]\naction = \"deny\"\n[[rule]]\naction = \"ask\"\n[[rule]]\naction = \"deny\"\nname = \"rule 2\"", []string{`7:1: rule[2].name: is "rule 2", as rule[1], which has no name, is called`}},
		"its own number":  {"[[rule]]\naction = \"deny\"\nname = \"rule 1\"", nil},
		"groups":          {"[[rule]]\naction = \"deny\"\nname = \"groups\"", []string{`3:1: rule[0].name: is "groups", as that which refuses`}},
		"burst":           {"[rate]\nper_tool = \"60/min burst 0\"", []string{`2:1: rate.per_tool: is "60/min burst 0": the burst must be at least 1`}},
		"burst, minus":    {"[rate]\nper_tool = \"60/min burst -3\"", []string{`the burst must be at least 1`}},
		"burst, word":     {"[rate]\nper_tool = \"60/min burst all\"", []string{`is a string: a rate is`}},
		"rate, zero":      {"[rate]\nper_tool = \"0/min\"", []string{`is "0/min": the number must be at least 1`}},
		"rate, huge":      {"[rate]\nper_tool = \"99999999999/min\"", []string{`the number is too large`}},
		"rate, number":    {"[rate]\nper_tool = 60", []string{`is the number 60: a rate is`}},
		"quoted":          {"[budget]\nsession_calls = \"0\"", []string{`2:1: budget.session_calls: is "0", in quotes: it must be a whole number of at least 1, without quotes, or "unlimited"`}},
		"quoted, none":    {"[pool]\nmin_idle = \"3\"", []string{`is "3", in quotes: it must be a whole number of at least 0, without quotes, or "none"`}},
		"rate":            {"[rate]\nper_tool = \"60/minute\"", []string{"2:1: rate.per_tool: is a string: a rate is"}},

		"neither":       {"[servers.a]\ncwd = \"x\"", []string{"1:10: servers.a: has neither command nor url"}},
		"both":          {"[servers.a]\ncommand = \"x\"\nurl = \"http://x\"", []string{"has both command and url"}},
		"empty command": {"[servers.a]\ncommand = \"\"", []string{"must name a program"}},
		"name":          {"[servers.\"a b/c\"]\ncommand = \"x\"", []string{`servers."a b/c": is a name that a server cannot have`}},
		"name, case":    {server + "[servers.GitHub]\ncommand = \"x\"", []string{"3:10: servers.GitHub: differs from github in case alone"}},
		"url":           {"[servers.a]\nurl = \"example.org\"", []string{"2:1: servers.a.url: is no URL that begins with"}},
		"transport":     {"[servers.a]\ncommand = \"x\"\ntransport = \"sse\"", []string{`3:1: servers.a.transport: is "sse", and there is a command`}},
		"backoff":       {"[servers.a]\ncommand = \"x\"\nbackoff_min = \"2s\"\nbackoff_max = \"1s\"", []string{"4:1: servers.a.backoff_max: is 1s, less than"}},
		"header":        {"[servers.a]\nurl = \"http://x\"\n[servers.a.headers]\n\"a b\" = \"x\"", []string{`4:1: servers.a.headers."a b": is no name of a header`}},
		"header lines":  {"[servers.a]\nurl = \"http://x\"\nheaders = { a = \"x\\r\\nb: c\" }", []string{"3:13: servers.a.headers.a: has a line break"}},
		"stray":         {"[servers.a]\nurl = \"http://x\"\nargs = [\"a\"]", []string{"3:1: servers.a.args: does nothing here: it goes with command"}},
		"env":           {"[servers.a]\ncommand = \"x\"\nenv = { \"a=b\" = \"c\" }", []string{"is no name of a variable"}},
		"env, type":     {"[servers.a]\ncommand = \"x\"\nenv = { A = 1 }", []string{"3:9: servers.a.env.A: is the number 1: it must be a string"}},
		"NUL":           {"[servers.a]\ncommand = \"x\\u0000y\"", []string{"NUL"}},

		"unset":        {"[servers.a]\ncommand = \"x\"\nenv = { A = \"${NOPE}\" }", []string{"3:9: servers.a.env.A: the variable NOPE is not set"}},
		"unset token":  {"[[http.token]]\nprincipal = \"a\"\ntoken = \"${NOPE}\"", []string{"3:1: http.token[0].token: the variable NOPE is not set"}},
		"unset header": {"[servers.a]\nurl = \"http://x\"\nheaders.Authorization = \"Bearer ${NOPE}\"", []string{"3:9: servers.a.headers.Authorization: the variable NOPE"}},
		"unset, off":   {"[servers.a]\nenabled = false\ncommand = \"x\"\nenv = { A = \"${NOPE}\" }\n[servers.b]\nenabled = false\nurl = \"${NOPE}\"", nil},
		"open brace":   {"[servers.a]\ncommand = \"${HOME\"", []string{"2:1: servers.a.command[0]: has ${ without a }"}},
		"odd name":     {"[servers.a]\ncommand = \"${a b}\"", []string{"which is no name of a variable"}},
		"input":        {"[servers.a]\ncommand = \"x\"\nargs = \"${input:api-key}\"", []string{"set a variable in the environment, API_KEY say, and write ${API_KEY} instead"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Loader{Env: environment}.Parse("f.toml", []byte(tt.text))
			if len(tt.want) == 0 {
				if err != nil {
					t.Errorf("unwanted: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("there is no error")
			}
			all, ok := errors.AsType[Errors](err)
			if one, isOne := errors.AsType[*Error](err); !ok && isOne {
				all = Errors{one}
			}
			if len(all) != len(tt.want) {
				t.Fatalf("%d errors, want %d:\n%v", len(all), len(tt.want), err)
			}
			for i, want := range tt.want {
				got := all[i].Error()
				if !strings.HasPrefix(got, "f.toml:") {
					t.Errorf("%q does not say where", got)
				}
				if !strings.Contains(got, want) {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

// An error must not show what may be a secret.
func TestErrorsShowNoSecrets(t *testing.T) {
	for _, text := range []string{
		"[servers.a]\nurl = \"hunter2hunter2\"",
		"[servers.a]\nurl = \"http://x:hunter2hunter2@%zz/\"",
		"[servers.a]\nurl = \"http://x\"\nheaders = { A = \"hunter2hunter2\\n\" }",
		"[[http.token]]\nprincipal = \"a\"\ntoken = \"hunter2hunter2\"",
		"[servers.a]\ncommand = \"x\"\nenv = { \"=\" = \"hunter2hunter2\" }",
		"[servers.a]\ncommand = \"x\"\nenv = \"hunter2hunter2\"",
		"[limits]\ncalls = \"hunter2hunter2\"",
	} {
		_, err := Loader{}.Parse("f", []byte(text))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\ngives %v", text, err)
		}
	}
}

func TestManyErrorsAreCut(t *testing.T) {
	text := "[limits]\n"
	for i := range 50 {
		text += fmt.Sprintf("x%d = 1\n", i)
	}
	_, err := Loader{}.Parse("f", []byte(text))
	all, ok := errors.AsType[Errors](err)
	if !ok || len(all) != maxErrors+1 || !strings.Contains(all[maxErrors].Error(), "30 more") {
		t.Errorf("%v", err)
	}
}

func TestValues(t *testing.T) {
	c := parse(t, `
[engine]
kill_grace = "none"
[limits]
cpu = "1m30s"
wall = "1d"
heap = "64MiB"
result = "1.5KiB"
calls = 7
[pool]
min_idle = 0
min_workers = "none"
max_uses = "unlimited"
max_lifetime = "unlimited"
max_worker_memory = "unlimited"
[rate]
per_tool = "10/s burst 3"
per_session = "60/min"
[policy]
default = "ask"
hide_denied = false
[redaction]
stack_traces = false
[audit]
path = "a.jsonl"
[servers.two]
command = "/bin/x"
args = ["-a", "${HOME}/b", "$${HOME}", "$5", "${EMPTY:-e}", "${NOPE:-}"]
cwd = "sub"
env = { Z = "1", A = "2" }
enabled = false
default = "deny"
discover_timeout = "none"
tool_rates = { x = "1/h" }
[servers.one]
url = "https://x.example/mcp"
`)
	l, p := c.Runtime.Limits, c.Runtime.Pool
	for name, pair := range map[string][2]any{
		"kill_grace": {c.Runtime.KillGrace, time.Duration(-1)},
		"cpu":        {l.CPU, 90 * time.Second}, "wall": {l.Wall, 24 * time.Hour}, "heap": {l.Heap, int64(64 << 20)},
		"result": {l.Result, 1536}, "calls": {l.Calls, 7}, "concurrency": {l.Concurrency, 0},
		"min_idle": {p.MinIdle, -1}, "min_workers": {p.MinWorkers, -1}, "max_uses": {p.MaxUses, -1}, "max_lifetime": {p.MaxLifetime, time.Duration(-1)},
		"max_worker_memory": {p.MaxWorkerMemory, int64(-1)}, "max_workers": {p.MaxWorkers, 0},
		"per_tool": {c.Rates.PerTool, Rate{10, time.Second, 3}}, "per_session": {c.Rates.PerSession, Rate{60, time.Minute, 60}},
		"default": {c.Policy.Default, policy.Ask}, "hide_denied": {c.Approval.HideDenied, false}, "stack_traces": {c.Redaction.StackTraces, false},
		"host_paths": {c.Redaction.HostPaths, true}, "audit": {c.Audit.Path, filepath.Join("dir", "a.jsonl")},
		"servers": {c.Policy.Servers, map[string]policy.Action{"two": policy.Deny}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
	if len(c.Servers) != 2 || c.Servers[0].Name != "two" || c.Servers[1].URL == "" {
		t.Fatalf("servers: %+v", c.Servers)
	}
	s := c.Servers[0]
	if want := []string{"/bin/x", "-a", "/home/alice/b", "${HOME}", "$5", "e", ""}; !slices.Equal(s.Command, want) {
		t.Errorf("command is %q, want %q", s.Command, want)
	}
	if !slices.Equal(s.Env, []string{"A=2", "Z=1"}) || s.Dir != filepath.Join("dir", "sub") || !s.Disabled || s.DiscoverTimeout != -1 ||
		s.ToolRates["x"] != (Rate{1, time.Hour, 1}) {
		t.Errorf("%+v", s)
	}
	if e := c.Enabled(); len(e) != 1 || e[0].Name != "one" {
		t.Errorf("enabled: %+v", e)
	}
	if up := c.Upstreams(); len(up) != 1 || up[0].URL != "https://x.example/mcp" {
		t.Errorf("upstreams: %+v", up)
	}
}

func TestSecrets(t *testing.T) {
	c := parse(t, `
[http]
listen = "127.0.0.1:1"
[[http.token]]
principal = "a"
token = "literal-token-0123"
[redaction]
secrets = "${DATABASE_PASSWORD}"
[servers.a]
command = "x"
args = ["${GITHUB_TOKEN}", "${HOME}"]
env = { DIR = "${HOME}", API_KEY = "literal-key", PLAIN = "plain-value", SHORT_TOKEN = "abc" }
[servers.b]
url = "https://u:passw0rd@x.example/?api_key=in-the-url&q=not-this"
headers = { Authorization = "Bearer ${LINEAR_TOKEN}", Accept = "application/json", X-Api-Key = "k3y-literal" }
`)
	want := []string{
		"Bearer lin_0123456789", "correct horse", "ghp_0123456789", "in-the-url", "k3y-literal", "lin_0123456789",
		"literal-key", "literal-token-0123", "passw0rd",
	}
	if got := c.Secrets(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestUnsupported(t *testing.T) {
	if u := parse(t, Example()).Unsupported(); len(u) != 0 {
		t.Errorf("the example needs %q", u)
	}
	c := parse(t, "[limits]\ncpu = \"1s\"\n[[rule]]\naction = \"deny\"\n[engine]\nname = \"v8\"\n[servers.a]\nurl = \"http://x\"\nheaders = { A = \"b\" }\n[stash]\n")
	got := strings.Join(c.Unsupported(FeatureNode), "\n")
	want := `dir/autoclave.toml:4: rule[0].action needs rules, which this build does not have
dir/autoclave.toml:8: servers.a.url needs servers that are reached over HTTP, which this build does not have
dir/autoclave.toml:9: servers.a.headers needs servers that are reached over HTTP, which this build does not have`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if all := c.Unsupported(FeatureNode, FeaturePolicy, FeatureRemote); len(all) != 0 {
		t.Errorf("with all features: %q", all)
	}
}

// Every feature that a tag names is one that callers can name.
func TestFeaturesAreKnown(t *testing.T) {
	known := []Feature{
		FeatureNode, FeatureHTTP, FeatureStash, FeatureRemote, FeatureBreaker, FeatureRestart, FeatureRefresh, FeaturePolicy, FeatureGroups,
		FeatureRate, FeatureRedaction, FeatureAudit, FeatureDescriptions,
	}
	var walk func(reflect.Type)
	walk = func(rt reflect.Type) {
		switch rt.Kind() {
		case reflect.Slice, reflect.Map, reflect.Pointer:
			walk(rt.Elem())
		case reflect.Struct:
			if rt == rateType {
				return
			}
			for _, f := range reflect.VisibleFields(rt) {
				if tag := f.Tag.Get("feature"); tag != "" && !slices.Contains(known, Feature(tag)) {
					t.Errorf("%s.%s needs %q, which is no Feature", rt.Name(), f.Name, tag)
				}
				if f.Tag.Get("toml") == "" {
					t.Errorf("%s.%s has no key", rt.Name(), f.Name)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[file]())
	walk(reflect.TypeFor[mcpServer]())
}

func TestFindAndLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(dir); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "autoclave init") {
		t.Errorf("an empty directory: %v", err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []struct{ name, text string }{
		{MCPFileName, "\xef\xbb\xbf" + `{"mcpServers": {"a": {"command": "x"}}}`},
		{FileName, "\xef\xbb\xbf[servers.b]\ncommand = \"x\""},
	} {
		write(f.name, f.text)
		path, err := Find(dir)
		if err != nil || filepath.Base(path) != f.name {
			t.Fatalf("found %s, %v; want %s", path, err, f.name)
		}
		c, err := Load(path)
		if err != nil || len(c.Servers) != 1 {
			t.Errorf("%s: %+v, %v", f.name, c, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "nope.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	huge := filepath.Join(dir, "huge.toml")
	write("huge.toml", "")
	if err := os.Truncate(huge, maxTOML+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(huge); err == nil || !strings.Contains(err.Error(), "is the most") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestUnits(t *testing.T) {
	for s, want := range map[string]int64{"0B": 0, "1B": 1, "1KB": 1000, "1KiB": 1024, "1.5 MiB": 3 << 19, "2GiB": 2 << 30} {
		if n, err := parseSize(s); err != nil || n != want {
			t.Errorf("%s: %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"60/min", "1/s burst 5", "10/h", "3/d", "unlimited"} {
		if r, err := parseRate(s); err != nil || r.String() != s {
			t.Errorf("%s: %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "0/s", "-1/s", "1/", "/s", "1/year", "1/s burst 0", "1/s burst", "1 /s", "99999999999/s"} {
		if r, err := parseRate(s); err == nil {
			t.Errorf("%q is taken for %v", s, r)
		}
	}
	if r := (Rate{90, time.Minute, 90}); r.PerSecond() != 1.5 {
		t.Error(r.PerSecond())
	}
}

func TestNearest(t *testing.T) {
	names := []string{"cpu", "wall", "call_timeout", "servers", "max_uses"}
	for name, want := range map[string]string{
		"cpus": "cpu", "pcu": "cpu", "callTimeout": "call_timeout", "timeout": "call_timeout", "mcpServers": "servers",
		"server": "servers", "zzz": "", "": "", strings.Repeat("x", 5000): "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%.20s: %q, want %q", name, got, want)
		}
	}
}

func TestAskingLeavesAWorker(t *testing.T) {
	for text, ok := range map[string]bool{
		"[policy]\nmax_asking = 7": true, "[policy]\nmax_asking = 8": false, "[policy]\nmax_asking = 2\n[pool]\nmax_workers = 2": false,
		"[policy]\nmax_asking = 99\n[pool]\nmax_workers = \"unlimited\"": true,
	} {
		_, err := Loader{}.Parse("f", []byte(text))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "policy.max_asking") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
