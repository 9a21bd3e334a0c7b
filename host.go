package autoclave

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// Host answers what a program asks for. CallTool is all that it must have;
// ResourceHost, StashHost, CatalogHost and EventHost are optional second
// interfaces that the same value may implement. What a host lacks answers the
// program with a typed error.
//
// The methods are called concurrently, up to Limits.Concurrency at once for
// one execution. The context ends when the call's time is over or the
// execution ends; an answer that comes later is dropped.
type Host interface {
	// CallTool answers one tool call. An *Error chooses the code that the
	// program sees; any other error is an UpstreamError with its message.
	CallTool(ctx context.Context, call ToolCall) (Value, error)
}

// ToolCall is a program's call of a tool.
type ToolCall struct {
	Server string
	Tool   string
	// Arguments is a JSON text, as the program's JSON.stringify wrote it:
	// valid, bounded in size and nesting, and otherwise the program's.
	Arguments json.RawMessage
}

// Value is what a host call resolves to. The zero Value is undefined.
type Value struct {
	// JSON is one JSON text. It reaches the program as it is: key order and
	// numbers survive.
	JSON json.RawMessage
	// MCP says that JSON is a complete MCP CallToolResult, from which the
	// program gets the structured content, else the text, else the content
	// blocks; isError rejects.
	MCP bool
}

// JSONValue returns v as encoding/json marshals it.
func JSONValue(v any) (Value, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Value{}, fmt.Errorf("marshalling a value for a program: %w", err)
	}
	return Value{JSON: b}, nil
}

// HostFunc makes a function a Host.
type HostFunc func(ctx context.Context, call ToolCall) (Value, error)

// CallTool calls f.
func (f HostFunc) CallTool(ctx context.Context, call ToolCall) (Value, error) { return f(ctx, call) }

// ResourceHost is a Host with resources.
type ResourceHost interface {
	// ReadResource answers an MCP ReadResourceResult as JSON.
	ReadResource(ctx context.Context, server, uri string) (json.RawMessage, error)
	// ListResources answers an array of {server, uri, name, description?,
	// mimeType?}; of all servers where server is empty.
	ListResources(ctx context.Context, server string) (json.RawMessage, error)
}

// StashHost is a Host with a key-value store that survives executions. The
// values are JSON texts.
type StashHost interface {
	// StashPut stores value. ttl is in seconds; zero is the store's default.
	StashPut(ctx context.Context, key string, value json.RawMessage, ttl float64) error
	// StashGet answers nil where the key is absent.
	StashGet(ctx context.Context, key string) (json.RawMessage, error)
	// StashDelete reports whether the key was there.
	StashDelete(ctx context.Context, key string) (bool, error)
	StashKeys(ctx context.Context) ([]string, error)
}

// CatalogHost is a Host that can say what it offers.
type CatalogHost interface {
	// Catalog returns the names that programs see, or nil: then every name
	// is let through to the host. It is called once an execution and must be
	// quick.
	Catalog() *Catalog
	// CatalogServers, CatalogSearch and CatalogTypes answer catalog.servers,
	// catalog.search and catalog.types of a program.
	CatalogServers(ctx context.Context) (json.RawMessage, error)
	CatalogSearch(ctx context.Context, query, server string, limit int) (json.RawMessage, error)
	CatalogTypes(ctx context.Context, server, tool string) (string, error)
}

// EventHost is a Host that wants a program's output while it runs. The
// methods are called in the order of the program's doings, one at a time, and
// must not block for long: the program's pipe waits for them.
type EventHost interface {
	Log(entry LogEntry)
	Emit(block json.RawMessage)
	Progress(p Progress)
}

// LogEntry is one call of a console method.
type LogEntry struct {
	Level string `json:"level"` // debug, log, info, warn, error
	Text  string `json:"text"`
	// Truncated says that the text was cut at Limits.Logs.
	Truncated bool `json:"truncated,omitempty"`
}

// Progress is what a program said with progress.
type Progress struct {
	Done    float64  `json:"done"`
	Total   *float64 `json:"total,omitempty"`
	Message string   `json:"message,omitempty"`
}

// Catalog is an immutable set of server and tool names. Make one with
// NewCatalog, share it freely, and replace it when the names change.
type Catalog struct {
	version string
	body    []byte
}

// CatalogEntry is a server and its tools.
type CatalogEntry struct {
	Server string
	Tools  []string
}

// maxCatalog bounds a catalog's names, in bytes of JSON.
const maxCatalog = 8 << 20

// NewCatalog returns a Catalog of the given servers. Their names must be
// different and not empty, and all names together below 8 MiB.
func NewCatalog(entries []CatalogEntry) (*Catalog, error) {
	servers := make([]wire.CatalogServer, len(entries))
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		switch {
		case e.Server == "":
			return nil, fmt.Errorf("catalog: entry %d has no server name", i)
		case seen[e.Server]:
			return nil, fmt.Errorf("catalog: the server %q is there twice: each has one entry", e.Server)
		}
		seen[e.Server] = true
		servers[i] = wire.CatalogServer{Name: e.Server, Tools: e.Tools}
		if e.Tools == nil {
			servers[i].Tools = []string{}
		}
	}
	body, err := json.Marshal(servers)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if len(body) > maxCatalog {
		return nil, fmt.Errorf("catalog: its names take %d bytes, at most %d are allowed", len(body), maxCatalog)
	}
	sum := sha256.Sum256(body)
	return &Catalog{version: base64.RawURLEncoding.EncodeToString(sum[:12]), body: body}, nil
}
