package reload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/config"
	"github.com/autoclave-run/autoclave/internal/reload"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	l := config.Loader{Env: func(name string) (string, bool) { return "value of " + name, name == "TOKEN" || name == "OTHER" }}
	c, err := l.Parse("/etc/a/autoclave.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const base = `
[limits]
cpu = "2s"
[http]
listen = "127.0.0.1:7341"
[[rule]]
action = "deny"
tool = "*_delete"
[servers.files]
command = ["files", "--stdio"]
[servers.github]
url = "https://api.example.org/mcp"
headers = { Authorization = "Bearer ${TOKEN}" }
`

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     string
	}{
		"nothing":              {"", "", ""},
		"a comment":            {"cpu =", "# why\ncpu =", ""},
		"a default in words":   {"[http]", "[http]\nwrite_timeout = \"30s\"", ""},
		"an empty list":        {"[http]", "[http]\nallowed_origins = []", ""},
		"a limit":              {`cpu = "2s"`, `cpu = "3s"`, "limits.cpu workers"},
		"one that came":        {`cpu = "2s"`, "cpu = \"2s\"\nheap = \"64MiB\"", "limits.heap workers"},
		"the address":          {"7341", "7342", "http.listen restart"},
		"a rule":               {"deny", "ask", "rule rules"},
		"another rule":         {"[servers.files]", "[[rule]]\naction = \"ask\"\n[servers.files]", "rule rules"},
		"a group":              {"[[rule]]", "[groups.in]\nservers = \"files\"\nstrict = true\n[[rule]]", "groups rules"},
		"a rate":               {"[[rule]]", "[rate]\nper_tool = \"3/s\"\n[budget]\nsession_calls = 7\n[[rule]]", "rate.per_tool rules, budget.session_calls rules"},
		"redaction":            {"[[rule]]", "[redaction]\nhost_paths = false\n[[rule]]", "redaction.host_paths rules"},
		"a secret alone":       {"[[rule]]", "[redaction]\nsecrets = \"hush-hush\"\n[[rule]]", "redaction.secrets rules"},
		"the audit":            {"[[rule]]", "[audit]\npath = \"x\"\nprogram_text = true\n[[rule]]", "audit.path restart, audit.program_text rules"},
		"a header":             {"${TOKEN}", "${OTHER}", "servers.github.headers servers"},
		"a server":             {"[servers.files]", "[servers.\"a.b\"]\ncommand = \"x\"\n[servers.files]", `servers."a.b" servers`},
		"a server less":        {"[servers.files]\ncommand = [\"files\", \"--stdio\"]", "", "servers.files servers"},
		"a server off":         {"[servers.files]", "[servers.files]\nenabled = false", "servers.files.enabled servers"},
		"a description":        {"[servers.files]", "[servers.files]\ndescription = \"all files\"", "servers.files.description rules"},
		"its default":          {"[servers.files]", "[servers.files]\ndefault = \"ask\"", "servers.files.default rules"},
		"its rate":             {"[servers.files]", "[servers.files]\nrate = \"1/s\"\ntool_rates = { x = \"2/s\" }", "servers.files.rate rules, servers.files.tool_rates rules"},
		"its times":            {"[servers.files]", "[servers.files]\nclose_grace = \"1s\"\ncwd = \"/\"", "servers.files.cwd servers, servers.files.close_grace servers"},
		"an argument":          {"--stdio", "--pipe", "servers.files.command servers"},
		"tokens":               {"[http]", "[[http.token]]\nprincipal = \"a\"\ntoken = \"0123456789abcdef0123\"\n[http]", "http.token restart"},
		"the stash":            {"[http]", "[stash]\nmax_total_of_all = \"1GiB\"\nmax_total = \"1MiB\"\n[http]", "stash.max_total restart, stash.max_total_of_all restart"},
		"the engine":           {"[http]", "[engine]\nkill_grace = \"1s\"\n[lockdown]\nrequire = \"none\"\n[http]", "lockdown.require workers, engine.kill_grace workers"},
		"how people are asked": {"[http]", "[policy]\nask_timeout = \"1m\"\nhide_denied = false\nlabel_scope = \"session\"\n[http]", "policy.label_scope rules, policy.hide_denied rules, policy.ask_timeout rules"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(base, c.old, c.new, 1)
			if text == base && c.old != c.new {
				t.Fatal("the test changes nothing")
			}
			now, next := parse(t, base), parse(t, text)
			plan, merged := reload.Compare(now, next, true)
			var got []string
			for _, ch := range plan {
				got = append(got, ch.Key+" "+string(ch.How))
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got %s, want %s", s, c.want)
			}
			// What was done is done; what waits for a restart is said again.
			left, _ := reload.Compare(merged, next, true)
			if !slices.Equal(left.Keys(reload.Restart), plan.Keys(reload.Restart)) || len(left) != len(left.Keys(reload.Restart)) {
				t.Errorf("left: %v", left)
			}
			back, _ := reload.Compare(merged, now, true)
			if n := len(back) - len(plan) + len(left); n != 0 && (n != 1 || back[0].Key != "redaction.secrets") {
				t.Errorf("back: %v", back)
			}
		})
	}
}

func TestCompareOrder(t *testing.T) {
	two := "[servers.a]\ncommand = \"x\"\n[servers.b]\ncommand = \"y\"\n"
	turned := "[servers.b]\ncommand = \"y\"\n[servers.a]\ncommand = \"x\"\n"
	plan, _ := reload.Compare(parse(t, two), parse(t, turned), true)
	if fmt.Sprint(plan) != "[{servers servers}]" {
		t.Errorf("got %v", plan)
	}
	if plan, _ = reload.Compare(parse(t, two), parse(t, "[servers.b]\ncommand = \"y\"\n"), true); fmt.Sprint(plan) != "[{servers.a servers}]" {
		t.Errorf("got %v", plan)
	}
}

// TestFixedWorkers is a caller who cannot replace workers.
func TestFixedWorkers(t *testing.T) {
	now, next := parse(t, base), parse(t, strings.Replace(base, `cpu = "2s"`, "cpu = \"3s\"\n[pool]\nmax_workers = 3", 1))
	plan, merged := reload.Compare(now, next, false)
	if got := plan.Keys(reload.Restart); fmt.Sprint(got) != "[limits.cpu pool.max_workers]" || plan.Has(reload.Workers) {
		t.Errorf("got %v", plan)
	}
	if !reflect.DeepEqual(merged.Runtime, now.Runtime) {
		t.Errorf("merged: %+v", merged.Runtime)
	}
}

// TestEveryKey changes each field of a configuration by itself: the plan must
// name the one key that it has in the file, and the merged configuration must
// have the old value exactly where a restart is needed.
func TestEveryKey(t *testing.T) {
	keys := schemaKeys(t)
	named := map[string]bool{}
	two := func() (*config.Config, *config.Config) { return parse(t, base), parse(t, base) }
	_, shape := two()
	for _, path := range leaves(reflect.ValueOf(shape).Elem(), nil) {
		now, next := two()
		field := at(reflect.ValueOf(next).Elem(), path)
		name := strings.Join(path, ".")
		set(t, name, field)
		plan, merged := reload.Compare(now, next, true)
		if slices.Contains(noKeys, name) || strings.HasPrefix(name, "Runtime.Node.") {
			if len(plan) > 0 {
				t.Errorf("%s: got %v, want nothing", name, plan)
			}
			continue
		}
		if len(plan) != 1 || plan[0].How == "" {
			t.Errorf("%s: got %v: how does it come into force?", name, plan)
			continue
		}
		key := strings.Replace(plan[0].Key, "servers.files", "servers.*", 1)
		if !keys[key] {
			t.Errorf("%s is said to be %s, which is no key", name, key)
		}
		named[key] = true
		want := field.Interface()
		if plan[0].How == reload.Restart {
			want = at(reflect.ValueOf(now).Elem(), path).Interface()
		}
		if got := at(reflect.ValueOf(merged).Elem(), path).Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: merged has %v, want %v", name, got, want)
		}
	}
	for key := range keys {
		ok := named[key]
		for _, whole := range []string{"rule", "groups", "http.token", "http.jwt"} {
			ok = ok || named[whole] && strings.HasPrefix(key, whole)
		}
		switch key {
		case "servers.*.args": // it is of the command
		case "redaction.secrets": // see TestCompare
		case "servers": // the order
		default:
			if !ok && key != "servers.*" {
				t.Errorf("nothing is said of a change of %s", key)
			}
		}
	}
}

// noKeys are fields that no key sets by itself.
var noKeys = []string{
	"File", "Warnings", "Runtime.Logger", "Runtime.Pool.Observer", "Runtime.Lockdown.Trap", "Audit.Logger", "Audit.Writer",
	"Policy.Servers", "Servers.Config.Logger", "Servers.Config.NoAsking", "Runtime.Engine", "Runtime.Engines",
}

// leaves are the paths of all fields that are set as one.
func leaves(v reflect.Value, path []string) [][]string {
	if v.Kind() == reflect.Slice && len(path) == 1 && path[0] == "Servers" {
		v = v.Index(0)
	}
	name := strings.Join(path, ".")
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[config.Rate]() {
		if name == "Servers.Config.Name" {
			return nil
		}
		return [][]string{path}
	}
	var all [][]string
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			all = append(all, leaves(v.Field(i), append(slices.Clone(path), f.Name))...)
		}
	}
	return all
}

func at(v reflect.Value, path []string) reflect.Value {
	for _, name := range path {
		v = v.FieldByName(name)
		if v.Kind() == reflect.Slice && name == "Servers" && v.Type() == reflect.TypeFor[[]config.Server]() {
			v = v.Index(0)
		}
	}
	return v
}

// set gives a field another value.
func set(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), v.Len()+1, v.Len()+1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		set(t, name, v.Field(0))
	case reflect.Interface:
		if v.Type() != reflect.TypeFor[interface{ Write([]byte) (int, error) }]() && !reflect.TypeFor[*bytes.Buffer]().Implements(v.Type()) {
			return // nobody could set it from a file
		}
		v.Set(reflect.ValueOf(&bytes.Buffer{}))
	default:
		t.Fatalf("%s is a %s", name, v.Kind())
	}
}

// schemaKeys are all keys of the file.
func schemaKeys(t *testing.T) map[string]bool {
	t.Helper()
	type node struct {
		Properties map[string]json.RawMessage
		Additional json.RawMessage `json:"additionalProperties"`
		Items      json.RawMessage
	}
	keys := map[string]bool{}
	var walk func(path string, raw json.RawMessage)
	walk = func(path string, raw json.RawMessage) {
		var n node
		if json.Unmarshal(raw, &n) != nil {
			return
		}
		down := func(key string, raw json.RawMessage) { walk(strings.TrimPrefix(path+"."+key, "."), raw) }
		switch {
		case len(n.Properties) > 0:
			for key, raw := range n.Properties {
				down(key, raw)
			}
		case len(n.Additional) > 0 && n.Additional[0] == '{' && path != "servers.*.env" && path != "servers.*.headers" && path != "servers.*.tool_rates":
			keys[path] = true
			down("*", n.Additional)
		case path == "rule" || path == "http.token":
			keys[path] = true
			walk(path, n.Items)
		default:
			keys[path] = true
		}
		if path == "http.jwt" {
			keys[path] = true
		}
	}
	walk("", config.Schema())
	if !keys["limits.cpu"] || !keys["servers.*.url"] || !keys["rule"] {
		t.Fatalf("the keys of the schema: %v", keys)
	}
	return keys
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	now := parse(t, base)
	next := parse(t, strings.NewReplacer("7341", "7342", "deny", "ask", "${TOKEN}", "${OTHER}", `"2s"`, `"3s"`).Replace(base))
	plan, _ := reload.Compare(now, next, true)
	plan.Log(log)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 || strings.Contains(out.String(), "value of") {
		t.Fatalf("got %s", out.String())
	}
	for i, want := range []string{"keys=rule", "keys=servers.github.headers", "keys=limits.cpu", "level=WARN"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("got %s, want %s in it", lines[i], want)
		}
	}
	if !strings.Contains(lines[3], "keys=http.listen") {
		t.Errorf("got %s", lines[3])
	}
	out.Reset()
	reload.Plan(nil).Log(log)
	if !strings.Contains(out.String(), "what it said before") {
		t.Errorf("got %s", out.String())
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string][]string{
		"[limits]\ncpu = \"soon\"\n[pool]\nmax_worker = 3\n": {"line=2 column=1 key=limits.cpu", "line=4 column=1 key=pool.max_worker"},
		"[limits\n": {"line=1"},
	} {
		_, err := config.Loader{}.Parse("autoclave.toml", []byte(text))
		var out bytes.Buffer
		reload.Refused(slog.New(slog.NewTextHandler(&out, nil)), fmt.Errorf("reading: %w", err))
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != len(want) {
			t.Fatalf("got %s", out.String())
		}
		for i, w := range want {
			if !strings.Contains(lines[i], w) || !strings.Contains(lines[i], "file=autoclave.toml") || !strings.Contains(lines[i], "the old one stays") {
				t.Errorf("got %s, want %s in it", lines[i], w)
			}
		}
	}
	var out bytes.Buffer
	reload.Refused(slog.New(slog.NewTextHandler(&out, nil)), errors.New("no disk"))
	if !strings.Contains(out.String(), `err="no disk"`) {
		t.Errorf("got %s", out.String())
	}
}
