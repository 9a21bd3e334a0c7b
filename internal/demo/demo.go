// Package demo is a handful of small but real MCP servers that speak over
// stdio: what the examples call, what a newcomer tries first, and what tests
// of the whole chain run against. Their data is computed from formulas, with
// no clock and no randomness, so that a program's answer is the same on every
// machine.
//
// It knows nothing of the gateway: it is a server as anybody could have
// written it with the official SDK.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// version is what the servers say of themselves.
const version = "1.0.0"

// Names returns the names of the servers, in the order in which they are best
// read.
func Names() []string { return []string{"tracker", "weather", "sales", "lab"} }

// Description returns one sentence about a server, or "" for an unknown name.
func Description(name string) string {
	switch name {
	case "tracker":
		return "An issue tracker: list, read, create, close and comment on issues."
	case "weather":
		return "A weather table: forecasts for a dozen cities."
	case "sales":
		return "A sales ledger of 20,000 rows."
	case "lab":
		return "A laboratory of awkward tools: a slow one, a flaky one, one that fails, one that draws."
	}
	return ""
}

// Serve runs the named server over r and w, newline-delimited JSON, until the
// client closes its end (nil), or ctx ends (the context's error). Where r and w
// are closers they are closed at the end. State that a client creates (issues,
// comments, the flaky tool's counters) lives as long as the call.
func Serve(ctx context.Context, name string, r io.Reader, w io.Writer) error {
	s, err := NewServer(name)
	if err != nil {
		return err
	}
	t := &mcp.IOTransport{Reader: readCloser(r), Writer: writeCloser(w)}
	err = s.Run(ctx, t)
	if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.EPIPE) {
		// The client went while it was being answered.
		return nil
	}
	if err != nil {
		return fmt.Errorf("serving the demo server %q: %w", name, err)
	}
	return nil
}

// NewServer returns the named server with fresh state, to be run over any
// transport.
func NewServer(name string) (*mcp.Server, error) {
	var add func(*mcp.Server)
	switch name {
	case "tracker":
		add = addTracker
	case "weather":
		add = addWeather
	case "sales":
		add = addSales
	case "lab":
		add = addLab
	default:
		return nil, fmt.Errorf("there is no demo server %q: the servers are %s", name, strings.Join(Names(), ", "))
	}
	s := mcp.NewServer(
		&mcp.Implementation{Name: "autoclave-demo-" + name, Title: "Autoclave demo: " + name, Version: version},
		// A small page makes every client of the demo page through its lists.
		&mcp.ServerOptions{Instructions: Description(name), PageSize: 4},
	)
	add(s)
	return s, nil
}

func readCloser(r io.Reader) io.ReadCloser {
	if rc, ok := r.(io.ReadCloser); ok {
		return rc
	}
	return io.NopCloser(r)
}

func writeCloser(w io.Writer) io.WriteCloser {
	if wc, ok := w.(io.WriteCloser); ok {
		return wc
	}
	return nopWriteCloser{w}
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

// readOnly marks a tool that changes nothing.
func readOnly() *mcp.ToolAnnotations {
	no := false
	return &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &no, OpenWorldHint: &no}
}

// writing marks a tool that adds something and destroys nothing.
func writing(idempotent bool) *mcp.ToolAnnotations {
	no := false
	return &mcp.ToolAnnotations{IdempotentHint: idempotent, DestructiveHint: &no, OpenWorldHint: &no}
}

// addTool is mcp.AddTool with schemas that say what this package does: a list
// that is empty is an empty array, never null, as Go's nil slices would have it.
func addTool[In, Out any](s *mcp.Server, t *mcp.Tool, h mcp.ToolHandlerFor[In, Out]) {
	t.InputSchema = schemaOf[In]()
	if reflect.TypeFor[Out]() != reflect.TypeFor[any]() {
		t.OutputSchema = schemaOf[Out]()
	}
	mcp.AddTool(s, t, h)
}

func schemaOf[T any]() *jsonschema.Schema {
	s, err := jsonschema.For[T](nil)
	if err != nil {
		panic(fmt.Sprintf("demo: %s has no schema: %v", reflect.TypeFor[T](), err))
	}
	notNull(s)
	return s
}

func notNull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if slices.Equal(s.Types, []string{"null", "array"}) {
		s.Type, s.Types = "array", nil
	}
	notNull(s.Items)
	for _, p := range s.Properties {
		notNull(p)
	}
}

func textResult(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

// addText adds a resource that is one text.
func addText(s *mcp.Server, r *mcp.Resource, text string) {
	s.AddResource(r, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.URI, MIMEType: r.MIMEType, Text: text}}}, nil
	})
}

// scatter is a fixed function that looks like chance: the n-th of a sequence
// that the salt chooses, in [0, m).
func scatter(n, salt, m int) int {
	x := uint64(n)*0x9e3779b97f4a7c15 + uint64(salt)*0xbf58476d1ce4e5b9
	x ^= x >> 31
	x *= 0x94d049bb133111eb
	x ^= x >> 29
	return int(x % uint64(m))
}
