package reload

import (
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/autoclave-run/autoclave/internal/config"
)

// How is the way in which a change comes into force.
type How string

const (
	// Rules are replaced at once, for executions that begin afterwards: policy,
	// rates, budgets, redaction, descriptions.
	Rules How = "rules"
	// Servers are connected, closed and connected anew one by one; executions
	// that have begun keep those that they have.
	Servers How = "servers"
	// Workers are replaced, each when its execution has ended: the engine, the
	// limits, the pool and the lockdown.
	Workers How = "workers"
	// Restart: only the next start of the command minds it.
	Restart How = "restart"
)

// Change is one key that has another value.
type Change struct {
	// Key is as in the file: "limits.cpu", "servers.github.url". A server that
	// was added or removed is "servers.github", and "servers" is their order.
	// What is a list in the file is one key: "rule", "groups", "http.token".
	Key string
	How How
}

// Plan is what has changed, in the order of the sections. It has no values:
// there are secrets among them.
type Plan []Change

// Has reports whether something changes in that way.
func (p Plan) Has(how How) bool {
	return slices.ContainsFunc(p, func(c Change) bool { return c.How == how })
}

// Keys are those that change in that way.
func (p Plan) Keys(how How) []string {
	var keys []string
	for _, c := range p {
		if c.How == how {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// Without returns the plan without what changes in that way.
func (p Plan) Without(how How) Plan {
	return slices.DeleteFunc(slices.Clone(p), func(c Change) bool { return c.How == how })
}

// Log says by key what has come into force and what has not.
func (p Plan) Log(log *slog.Logger) {
	if len(p) == 0 {
		log.Debug("the configuration was read again: it says what it said before")
		return
	}
	for _, line := range []struct {
		how  How
		what string
	}{
		{Rules, "the configuration has changed, for programs that begin from now on"},
		{Servers, "the configuration has changed: servers"},
		{Workers, "the configuration has changed: workers are replaced as they become free"},
	} {
		if keys := p.Keys(line.how); len(keys) > 0 {
			log.Warn(line.what, "keys", strings.Join(keys, ", "))
		}
	}
	if keys := p.Keys(Restart); len(keys) > 0 {
		log.Warn("the configuration has changed where only a restart helps: until then the old values stay in force", "keys", strings.Join(keys, ", "))
	}
}

// Refused logs why a configuration was not taken, one line for each thing that
// is wrong in it, with its place.
func Refused(log *slog.Logger, err error) {
	const what = "the configuration is wrong; the old one stays in force"
	var all []*config.Error
	if list, ok := errors.AsType[config.Errors](err); ok {
		all = list
	} else if one, ok := errors.AsType[*config.Error](err); ok {
		all = []*config.Error{one}
	} else {
		log.Error(what, "err", err)
		return
	}
	for _, e := range all {
		log.Error(what, "file", e.File, "line", e.Line, "column", e.Column, "key", e.Key, "err", e.Message)
	}
}

// rule says what the keys below a path of config.Config are called, and how a
// change of them comes into force.
type rule struct {
	key string // in place of the path; what follows that is appended where it ends in "."
	how How
}

// rules are for a path, or where they end in "." for all below it; the longest
// one counts. A field that none is for fails a test, so that whoever adds a key
// decides.
var rules = map[string]rule{
	"Engine.Name":           {"engine.name", Workers},
	"Engine.":               {"engine.", Workers},
	"Runtime.KillGrace":     {"engine.kill_grace", Workers},
	"Runtime.StackDepth":    {"engine.stack_depth", Workers},
	"Runtime.MaxFrame":      {"engine.max_frame", Workers},
	"Runtime.Limits.":       {"limits.", Workers},
	"Runtime.Pool.":         {"pool.", Workers},
	"Runtime.Lockdown.":     {"lockdown.", Workers},
	"Stash.Store.":          {"stash.", Restart},
	"Stash.":                {"stash.", Restart},
	"Stash.MaxPerPrincipal": {"stash.max_sessions_per_principal", Restart},
	"Stash.MaxTotal":        {"stash.max_total_of_all", Restart},
	"HTTP.":                 {"http.", Restart},
	"HTTP.MaxPerPrincipal":  {"http.max_sessions_per_principal", Restart},
	"HTTP.Tokens":           {"http.token", Restart},
	"HTTP.JWT":              {"http.jwt", Restart},
	"Policy.Default":        {"policy.default", Rules},
	"Policy.Scope":          {"policy.label_scope", Rules},
	"Policy.Rules":          {"rule", Rules},
	"Policy.Groups":         {"groups", Rules},
	"Approval.":             {"policy.", Rules},
	"Rates.":                {"rate.", Rules},
	"Rates.ExecutionBytes":  {"budget.execution_bytes", Rules},
	"Rates.SessionCalls":    {"budget.session_calls", Rules},
	"Rates.SessionBytes":    {"budget.session_bytes", Rules},
	"Redaction.":            {"redaction.", Rules},
	"Audit.":                {"audit.", Restart},
	"Audit.ProgramText":     {"audit.program_text", Rules},
	"Servers.":              {".", Servers}, // follows servers.NAME
	"Servers.Config.Dir":    {".cwd", Servers},
	"Servers.Config.Grace":  {".close_grace", Servers},
	"Servers.Config.":       {".", Servers},
	"Servers.Disabled":      {".enabled", Servers},
	"Servers.Description":   {".description", Rules},
	"Servers.Default":       {".default", Rules},
	"Servers.Rate":          {".rate", Rules},
	"Servers.ToolRates":     {".tool_rates", Rules},
}

// aside are fields that no key of the file sets, or that say again what another
// says.
var aside = []string{
	"File", "Warnings", "Runtime.Logger", "Runtime.Pool.Observer", "Runtime.Lockdown.Trap", "Audit.Logger", "Audit.Writer",
	"Policy.Servers",                                    // servers.NAME.default
	"Runtime.Engine", "Runtime.Engines", "Runtime.Node", // Engine
	"Servers.Config.Name", "Servers.Config.Logger", "Servers.Config.NoAsking",
}

// ruleOf returns the key of a field and how it comes into force.
func ruleOf(path string) (key string, how How, ok bool) {
	best := ""
	for prefix := range rules {
		whole := !strings.HasSuffix(prefix, ".")
		if len(prefix) > len(best) && (path == prefix || !whole && strings.HasPrefix(path, prefix)) {
			best = prefix
		}
	}
	r, ok := rules[best]
	if strings.HasSuffix(r.key, ".") {
		r.key += snake(path[len(best):])
	}
	return r.key, r.how, ok
}

// snake is a field's name as keys are written: MaxIdleTime is max_idle_time,
// TLSCert is tls_cert, KeysURL keys_url.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Compare says what has changed from the configuration in force to the next,
// and returns the one that is in force once that is done: next, but for what
// needs a restart, and with the values of before there. What is handed in is not
// changed. The next comparison must begin with what was returned, so that what
// waits for a restart is said again.
//
// Workers says whether the caller can replace workers; where he cannot, those
// keys need a restart too. Whoever fills in defaults of his own after loading
// must have done so in both. The secrets of the result are those of next alone,
// though something of before may still be in force.
func Compare(now, next *config.Config, workers bool) (Plan, *config.Config) {
	merged := *next
	c := comparison{workers: workers}
	c.fields("", reflect.ValueOf(now).Elem(), reflect.ValueOf(next).Elem(), reflect.ValueOf(&merged).Elem(), "")
	c.servers(now.Servers, next.Servers)
	// A secret can have changed with the key that it is the value of, or alone.
	if len(c.plan) == 0 && !slices.Equal(now.Secrets(), next.Secrets()) {
		c.plan = append(c.plan, Change{"redaction.secrets", Rules})
	}
	return c.plan, &merged
}

type comparison struct {
	plan    Plan
	workers bool
}

// fields compares two structs and sets in out what keeps its old value. Prefix
// is put before the keys.
func (c *comparison) fields(path string, now, next, out reflect.Value, prefix string) {
	for i := range now.NumField() {
		f := now.Type().Field(i)
		at := path + f.Name
		if !f.IsExported() || at == "Servers" || slices.Contains(aside, at) {
			continue
		}
		if f.Type.Kind() == reflect.Struct && !leaf(at) {
			c.fields(at+".", now.Field(i), next.Field(i), out.Field(i), prefix)
			continue
		}
		if equal(now.Field(i), next.Field(i)) {
			continue
		}
		key, how, _ := ruleOf(at)
		if how == Workers && !c.workers {
			how = Restart
		}
		c.plan = append(c.plan, Change{prefix + key, how})
		if how == Restart {
			out.Field(i).Set(now.Field(i))
		}
	}
}

// leaf reports whether a field is one key, though it is a struct.
func leaf(path string) bool {
	_, ok := rules[path]
	return ok || strings.HasPrefix(path, "Rates.Per")
}

// equal compares two values; empty ones are equal, nil or not.
func equal(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func (c *comparison) servers(now, next []config.Server) {
	was := map[string]config.Server{}
	for _, s := range now {
		was[s.Name] = s
	}
	var kept []string
	for _, s := range next {
		old, ok := was[s.Name]
		if !ok {
			c.plan = append(c.plan, Change{serverKey(s.Name), Servers})
			continue
		}
		kept = append(kept, s.Name)
		delete(was, s.Name)
		scratch := s // nothing of a server waits for a restart
		c.fields("Servers.", reflect.ValueOf(old), reflect.ValueOf(s), reflect.ValueOf(&scratch).Elem(), serverKey(s.Name))
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		c.plan = append(c.plan, Change{serverKey(name), Servers})
	}
	var before []string
	for _, s := range now {
		if slices.Contains(kept, s.Name) {
			before = append(before, s.Name)
		}
	}
	if !slices.Equal(before, kept) {
		c.plan = append(c.plan, Change{"servers", Servers})
	}
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func serverKey(name string) string {
	if !bareKey.MatchString(name) {
		name = strconv.Quote(name)
	}
	return "servers." + name
}
