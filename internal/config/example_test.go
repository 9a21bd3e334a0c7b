package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/pelletier/go-toml/v2"

	"github.com/autoclave-run/autoclave"
)

// environment has what the example uses.
func environment(name string) (string, bool) {
	v, ok := map[string]string{
		"GITHUB_TOKEN": "ghp_0123456789", "LINEAR_TOKEN": "lin_0123456789", "ALICE_TOKEN": "alice-0123456789-0123",
		"DATABASE_PASSWORD": "correct horse", "HOME": "/home/alice", "EMPTY": "",
	}[name]
	return v, ok
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Loader{Env: environment}.Parse("dir/autoclave.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return c
}

var disabled = regexp.MustCompile(`(?m)^#(\[|[a-z_]+ = )`)

// enabled returns the example with every key in force, but for one of the two
// that exclude each other.
func enabled(without string) string {
	text := disabled.ReplaceAllString(Example(), "$1")
	return regexp.MustCompile(`(?m)^`+without+` = .*$`).ReplaceAllString(text, "")
}

func TestExampleChangesNothing(t *testing.T) {
	got, want := parse(t, Example()), parse(t, "")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example gives\n%+v\nand an empty file\n%+v", got, want)
	}
}

func TestExampleIsValid(t *testing.T) {
	for _, without := range []string{"keys_url", "keys_file"} {
		c := parse(t, enabled(without))
		if len(c.Servers) != 2 || len(c.Policy.Rules) != 1 || len(c.Policy.Groups) != 1 || len(c.HTTP.Tokens) != 1 || c.HTTP.JWT == nil {
			t.Errorf("not all of the example came through: %+v", c)
		}
		if len(c.Warnings) > 0 {
			t.Errorf("warnings: %q", c.Warnings)
		}
	}
}

// paths returns the path of every key that a file can have.
func paths(path string, t reflect.Type, out map[string]reflect.StructTag) {
	for _, f := range reflect.VisibleFields(t) {
		p := strings.TrimPrefix(path+"."+f.Tag.Get("toml"), ".")
		ft := f.Type
		if ft.Kind() == reflect.Map && ft.Elem().Kind() == reflect.Struct && ft.Elem() != rateType {
			ft, p = ft.Elem(), p+".*"
		}
		if ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct && ft != rateType {
			paths(p, ft, out)
			continue
		}
		out[p] = f.Tag
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	all := map[string]reflect.StructTag{}
	paths("", reflect.TypeFor[file](), all)
	shown := map[string]int{}
	keys, sections := exampleKeys()
	for _, k := range keys {
		p := anyName(k.section) + "." + k.key
		if shown[p]++; shown[p] > 1 {
			t.Errorf("%s is shown twice", p)
		}
		tag, known := all[p]
		if !known {
			t.Errorf("%s is shown, and there is no such key", p)
		}
		if k.doc == "" && k.hasDefault {
			t.Errorf("%s has no comment", p)
		}
		for _, w := range []string{"zero", "neg"} {
			if word := tag.Get(w); word != "" && !strings.Contains(k.doc, `"`+word+`"`) {
				t.Errorf("the comment on %s does not say that it can be %q", p, word)
			}
		}
		for word := range strings.SplitSeq(tag.Get("enum"), ",") {
			if word != "" && !strings.Contains(k.doc, `"`+word+`"`) {
				t.Errorf("the comment on %s does not say that it can be %q", p, word)
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if shown[p] == 0 {
			t.Errorf("%s is not shown", p)
		}
	}
	for _, s := range []string{"servers.github", "limits", "engine", "pool", "lockdown", "stash", "http", "policy", "rule", "groups.internal", "rate", "redaction", "audit"} {
		if sections[s] == "" {
			t.Errorf("nothing is said about [%s]", s)
		}
	}
}

// TestExampleDefaults holds the defaults that the example shows against those
// that are in force: this package's own, and those of the owners, which stand
// here a second time where the owner does not hand them out. The next test holds
// those against the owner's source.
func TestExampleDefaults(t *testing.T) {
	c := parse(t, "")
	l, h := autoclave.DefaultLimits(), c.HTTP
	server := parse(t, "[servers.s]\ncommand = \"x\"").Servers[0]
	jwt := parse(t, "[http.jwt]\nissuer = \"i\"\naudience = \"a\"\nkeys_file = \"f\"").HTTP.JWT
	const unlimited = -1
	want := map[string]any{
		"engine.name": c.Engine.Name, "engine.node": c.Engine.Node, "engine.jitless": c.Engine.Jitless, "engine.isolates": c.Engine.Isolates, "engine.kill_grace": 250 * time.Millisecond, "engine.max_frame": 32 << 20,
		"limits.cpu": l.CPU, "limits.wall": l.Wall, "limits.call_timeout": l.CallTimeout, "limits.heap": l.Heap, "limits.program": l.Program,
		"limits.result": l.Result, "limits.arguments": l.Arguments, "limits.call_result": l.CallResult, "limits.calls": l.Calls,
		"limits.concurrency": l.Concurrency, "limits.logs": l.Logs, "limits.emits": l.Emits,
		"pool.min_workers": 2, "pool.min_idle": 1, "pool.reserve": "none", "pool.max_workers": 8, "pool.max_idle_time": time.Minute, "pool.max_uses": 1000,
		"pool.max_lifetime": time.Hour, "pool.health_check_timeout": 500 * time.Millisecond, "pool.spawn_timeout": 5 * time.Second,
		"pool.max_queue": 1024, "pool.max_queue_per_tenant": 512, "pool.max_queue_wait": unlimited, "pool.max_worker_memory": 32 << 20,
		"lockdown.off":      false,
		"stash.max_entries": 256, "stash.max_value": 1 << 20, "stash.max_total": 16 << 20, "stash.default_ttl": time.Hour, "stash.max_ttl": 24 * time.Hour,
		"stash.max_sessions": 1024, "stash.max_sessions_per_principal": 64, "stash.max_total_of_all": 256 << 20, "stash.idle_ttl": time.Hour,
		"http.path": h.Path, "http.allow_unauthenticated": h.AllowUnauthenticated, "http.max_body": h.MaxBody, "http.max_header": h.MaxHeader,
		"http.header_timeout": h.HeaderTimeout, "http.body_timeout": h.BodyTimeout, "http.idle_timeout": h.IdleTimeout,
		"http.write_timeout": h.WriteTimeout, "http.max_connections": h.MaxConnections, "http.max_connections_per_address": "unlimited", "http.max_sessions": h.MaxSessions,
		"http.max_sessions_per_principal": h.MaxPerPrincipal, "http.session_timeout": h.SessionTimeout, "http.drain_timeout": h.DrainTimeout,
		"http.jwt.principal_claim": jwt.PrincipalClaim, "http.jwt.leeway": jwt.Leeway,
		"policy.default": "allow", "policy.hide_denied": c.Approval.HideDenied, "policy.ask_timeout": c.Approval.AskTimeout, "policy.label_scope": "execution",
		"groups.*.strict": false,
		"rate.per_server": "unlimited", "rate.per_tool": "unlimited", "rate.per_session": "unlimited",
		"budget.execution_bytes": c.Rates.ExecutionBytes, "budget.session_calls": c.Rates.SessionCalls, "budget.session_bytes": c.Rates.SessionBytes,
		"redaction.credentials": c.Redaction.Credentials, "redaction.host_paths": c.Redaction.HostPaths,
		"redaction.private_addresses": c.Redaction.PrivateAddresses, "redaction.stack_traces": c.Redaction.StackTraces,
		"audit.program_text": false, "audit.on_failure": "fail", "audit.timeout": 5 * time.Second,
		"servers.*.bare_env": server.BareEnv, "servers.*.enabled": !server.Disabled, "servers.*.connect_timeout": 30 * time.Second,
		"servers.*.discover_timeout": 2 * time.Second, "servers.*.call_timeout": time.Minute, "servers.*.close_grace": 2 * time.Second,
		"servers.*.max_frame": 32 << 20, "servers.*.backoff_min": 250 * time.Millisecond, "servers.*.backoff_max": 30 * time.Second,
		"servers.*.refresh_interval": 15 * time.Minute, "servers.*.breaker_failures": 5, "servers.*.breaker_cooldown": 10 * time.Second,
	}
	keys, _ := exampleKeys()
	for _, k := range keys {
		if !k.hasDefault {
			continue
		}
		p := anyName(k.section) + "." + k.key
		w, ok := want[p]
		if !ok {
			t.Errorf("%s is said to have a default, and this test knows none", p)
			continue
		}
		delete(want, p)
		if got := inForce(tomlValue(k.value), w); !reflect.DeepEqual(got, inForce(w, w)) {
			t.Errorf("%s is shown as %s, and is %v", p, k.value, w)
		}
	}
	for p := range want {
		t.Errorf("%s has a default that is not shown", p)
	}
}

// inForce makes what the example says comparable with a default.
func inForce(shown, dflt any) any {
	v := reflect.ValueOf(shown)
	switch {
	case shown == "unlimited" && v.Kind() == reflect.String && reflect.ValueOf(dflt).Kind() != reflect.String:
		return int64(-1)
	case v.CanInt():
		return v.Int()
	case v.Kind() == reflect.String && reflect.ValueOf(dflt).CanInt():
		if d, err := parseDuration(v.String()); err == nil {
			return int64(d)
		}
		n, _ := parseSize(v.String())
		return n
	}
	return shown
}

func TestDefaultsInTheOwnersSources(t *testing.T) {
	for path, lines := range map[string][]string{
		"../../pool/config.go": {
			"or(c.MinWorkers, min(2, maxWorkers), 0)", "or(c.MinIdle, 1, 0)", "or(c.MaxWorkers, 8,", "or(c.MaxUses, 1000,", "or(c.MaxQueue, 1024,",
			"or(c.MaxQueuePerTenant, max(1, maxQueue/2),", "or(c.MaxIdleTime, time.Minute,", "or(c.MaxLifetime, time.Hour,",
			"or(c.HealthCheckTimeout, 500*time.Millisecond,", "or(c.SpawnTimeout, 5*time.Second,", "or(c.MaxQueueWait, forever,",
			"or(c.MaxWorkerMemory, 32<<20,",
		},
		"../upstream/config.go": {
			"(&c.ConnectTimeout, 30*time.Second)", "(&c.DiscoverTimeout, 2*time.Second)", "(&c.CallTimeout, 60*time.Second)", "(&c.MaxFrame, 32<<20)",
			"(&c.Grace, 2*time.Second)", "(&c.BackoffMin, 250*time.Millisecond)", "(&c.BackoffMax, max(30*time.Second, c.BackoffMin))",
			"(&c.RefreshInterval, 15*time.Minute)", "(&c.BreakerFailures, 5)", "(&c.BreakerCooldown, 10*time.Second)",
		},
		"../stash/config.go": {
			"(&c.MaxEntries, 256)", "(&c.MaxValue, 1<<20)", "(&c.MaxTotal, 16<<20)", "(&c.MaxTTL, 24*time.Hour)", "(&c.DefaultTTL, min(time.Hour, c.MaxTTL))",
		},
		"../stash/sessions.go": {
			"(&cfg.MaxSessions, 1024)", "(&cfg.MaxPerPrincipal, min(64, cfg.MaxSessions))", "(&cfg.MaxTotal, 256<<20)", "(&cfg.IdleTTL, time.Hour)",
		},
		"../audit/config.go": {"c.OnFailure = Fail", "c.Timeout = 5 * time.Second"},
		"../../runtime.go":   {"defaultKillGrace   = 250 * time.Millisecond"},
	} {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, line := range lines {
			if !strings.Contains(string(src), line) {
				t.Errorf("%s does not have %q any more: is the default in the example still right?", path, line)
			}
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSchema(t *testing.T) {
	schema := compileSchema(t)
	check := func(text string) error {
		var doc map[string]any
		if err := toml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, text := range map[string]string{
		"nothing": "", "example": Example(), "all": enabled("keys_file"), "all but": enabled("keys_url"),
		"words":  "[pool]\nmin_idle = \"none\"\nmin_workers = 0\nmax_uses = \"unlimited\"",
		"string": "[servers.x]\ncommand = [\"a\", \"b\"]\n[[rule]]\naction = \"ask\"\ntool = \"x\"",
	} {
		if err := check(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		parse(t, text)
	}
	for name, text := range map[string]string{
		"unknown section": "[limit]", "unknown key": "[limits]\ncpus = \"1s\"", "number for a duration": "[limits]\ncpu = 5",
		"no unit": "[limits]\ncpu = \"5\"", "size": "[limits]\nheap = \"1 TB\"", "zero": "[limits]\ncalls = 0", "word": "[pool]\nmax_uses = \"none\"",
		"enum": "[lockdown]\nrequire = \"high\"", "rule without action": "[[rule]]\ntool = \"x\"", "rate": "[rate]\nper_tool = \"5\"",
		"server's name": "[servers.\"a b\"]\ncommand = \"x\"", "server's key": "[servers.a]\ncmd = \"x\"",
	} {
		if err := check(text); err == nil {
			t.Errorf("%s: the schema lets it pass", name)
		}
		if _, err := (Loader{}).Parse("f", []byte(text)); err == nil {
			t.Errorf("%s: the parser lets it pass", name)
		}
	}
}

// TestSchemaFile holds the file that editors are pointed to against Schema.
func TestSchemaFile(t *testing.T) {
	b, err := os.ReadFile("../../autoclave.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, Schema()) {
		t.Error("autoclave.schema.json is not what the code says: go run ./cmd/autoclave init --schema > autoclave.schema.json")
	}
}

func TestWarnsOfSessionsThatAllow(t *testing.T) {
	c := parse(t, "[[rule]]\naction = \"allow\"\nsession = \"trusted\"\n[[rule]]\naction = \"deny\"\nsession = \"x\"")
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "rule[0] allows by session") {
		t.Errorf("%q", c.Warnings)
	}
}
