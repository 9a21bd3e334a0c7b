package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// Config is all that a file says, in the form in which its owners take it.
// Where the owner has a default of its own, a key that is absent is a zero
// field; in the structs of this package the defaults are in place. Loggers and
// observers are nil.
type Config struct {
	// File is where it was read from.
	File   string
	Engine Engine
	// Runtime has limits, pool and lockdown.
	Runtime autoclave.Config
	// Servers are the upstreams in the order of the file, also those that are
	// not enabled. The names differ in more than case.
	Servers []Server
	// Stash bounds each session's stash and all of them.
	Stash stash.SessionsConfig
	HTTP  HTTP
	// Policy has the rules, the defaults and the groups.
	Policy    policy.Config
	Approval  Approval
	Rates     Rates
	Redaction Redaction
	// Audit says where records go. Its Path is empty where there are none.
	Audit audit.Config
	// Warnings are what should be known and is no error, as a rule keys of
	// other clients that mean nothing here.
	Warnings []string

	secrets []string
	used    map[Feature][]Use
}

// Engine is what runs programs.
type Engine struct {
	// Name is "quickjs" or "v8", Also those that programs may name besides.
	Name string
	Also []string
	// Node is the executable of Node.js, which runs V8. Default "node".
	Node string
	// Jitless has V8 do without a compiler.
	Jitless bool
	// Isolates is how many a worker of V8 keeps armed.
	Isolates int
}

// Approval says how people are asked.
type Approval struct {
	// HideDenied leaves tools that are always denied out of search and types.
	HideDenied bool
	// AskTimeout is how long an answer is waited for.
	AskTimeout time.Duration
	// MaxAsking is how many executions may wait for one at a time; zero is one
	// less than there are workers.
	MaxAsking int
}

// Rates are bounds over time. A zero Rate is no bound, as is -1 in a budget.
type Rates struct {
	PerServer, PerTool, PerSession Rate
	// ExecutionBytes is what the calls of one execution may carry in both
	// directions; SessionCalls and SessionBytes are for all of a session.
	ExecutionBytes int64
	SessionCalls   int
	SessionBytes   int64
}

// Redaction says what the model does not get to see.
type Redaction struct {
	// Credentials are the configured secrets (see Config.Secrets) and what
	// looks like a token or key.
	Credentials      bool
	HostPaths        bool
	PrivateAddresses bool
	StackTraces      bool
	// Secrets are those given for redaction alone. They are in Config.Secrets
	// too.
	Secrets []string
	// Patterns are regular expressions in Go's syntax. They compile.
	Patterns []string
}

// Secrets returns the values that must not reach a model: what variables in
// env, headers, tokens and URLs stand for, tokens, what is given as redaction
// secrets, and values that a header or a variable has whose name speaks of a
// secret. Each has 6 bytes or more; they are sorted.
func (c *Config) Secrets() []string { return slices.Clone(c.secrets) }

// Unsupported returns the keys that are set and do something only where a
// feature is there that is none of those that the caller has. It refuses to
// start with them: a protection that is configured must not be missing.
func (c *Config) Unsupported(have ...Feature) []string {
	var out []string
	var uses []Use
	why := map[Use]Feature{}
	for f, keys := range c.used {
		if slices.Contains(have, f) {
			continue
		}
		for _, u := range keys {
			uses = append(uses, u)
			why[u] = f
		}
	}
	slices.SortFunc(uses, func(a, b Use) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Key, b.Key)
	})
	for _, u := range uses {
		out = append(out, fmt.Sprintf("%s:%d: %s needs %s, which this build does not have", c.File, u.Line, u.Key, why[u]))
	}
	return out
}

// Names of the files that Find looks for, the first one first.
const (
	FileName    = "autoclave.toml"
	MCPFileName = ".mcp.json"
)

// ErrNotFound is what Find wraps where there is no file.
var ErrNotFound = errors.New("no configuration found")

// Find returns the file in dir that is to be loaded: autoclave.toml, else
// .mcp.json.
func Find(dir string) (string, error) {
	for _, name := range []string{FileName, MCPFileName} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return "", fmt.Errorf("%s is a directory: it should be a file", path)
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("looking for a configuration: %w", err)
		}
	}
	return "", fmt.Errorf("%w: there is neither %s nor %s in %s: write one with autoclave init, or name one", ErrNotFound, FileName, MCPFileName, dir)
}

// Loader reads files. The zero Loader is what Load and LoadMCP use.
type Loader struct {
	// Env answers for variables. Default os.LookupEnv.
	Env func(name string) (value string, ok bool)
}

// Load reads autoclave.toml, under whatever name, or an mcp.json file where the
// name ends in .json. The error is an Errors, an *Error, or that of reading.
func Load(path string) (*Config, error) { return Loader{}.Load(path) }

// Load is the function Load with the Loader's environment.
func (l Loader) Load(path string) (*Config, error) {
	if strings.EqualFold(filepath.Ext(path), ".json") {
		return l.LoadMCP(path)
	}
	data, err := readFile(path, maxTOML)
	if err != nil {
		return nil, err
	}
	return l.Parse(path, data)
}

// readFile does not take memory for more than it may.
func readFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if info.Size() > most {
		return nil, fmt.Errorf("reading the configuration: %s has %d bytes, and %d is the most", path, info.Size(), most)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

// Parse reads the text of an autoclave.toml. The path is for errors, and
// what relative paths in it are relative to.
func (l Loader) Parse(path string, data []byte) (*Config, error) {
	t, err := parseTOML(path, data)
	if err != nil {
		return nil, err
	}
	d := newDecoder(path, t, l.Env)
	c := d.config(t.root)
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}
