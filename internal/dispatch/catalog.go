package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// snapshot is what the upstreams offered at one moment. It is immutable.
type snapshot struct {
	version uint64
	names   []string
	servers map[string]*server
	catalog *autoclave.Catalog
}

type server struct {
	name      string
	info      upstream.Info
	pending   bool
	err       error
	list      []upstream.Tool
	toolNames []string
	tools     map[string]*upstream.Tool
}

// snapshot returns the current one, made anew when an upstream has come up or
// failed since the last.
func (d *Dispatcher) snapshot() *snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	// The version first: what changes between is in the next one.
	if v := d.set.Version(); d.snap == nil || d.snap.version != v {
		d.snap = newSnapshot(v, d.set.Members())
	}
	return d.snap
}

func newSnapshot(version uint64, members []upstream.Member) *snapshot {
	s := &snapshot{version: version, servers: make(map[string]*server, len(members))}
	var entries []autoclave.CatalogEntry
	for _, m := range members {
		srv := &server{name: m.Name, info: m.Info, pending: m.Pending, err: m.Err, list: m.Tools, tools: map[string]*upstream.Tool{}}
		for i := range m.Tools {
			t := &m.Tools[i]
			if _, twice := srv.tools[t.Name]; !twice {
				srv.tools[t.Name] = t
				srv.toolNames = append(srv.toolNames, t.Name)
			}
		}
		s.names = append(s.names, m.Name)
		s.servers[m.Name] = srv
		entries = append(entries, autoclave.CatalogEntry{Server: m.Name, Tools: srv.toolNames})
	}
	s.catalog = autoclave.NewCatalog(entries)
	return s
}

// Catalog returns the names of all servers and of their tools. It implements
// autoclave.CatalogHost.
func (d *Dispatcher) Catalog() *autoclave.Catalog { return d.snapshot().catalog }

type serverEntry struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Tools       int    `json:"tools"`
}

// CatalogServers answers an array of {name, description, tools}. It implements
// autoclave.CatalogHost.
func (d *Dispatcher) CatalogServers(context.Context) (json.RawMessage, error) {
	snap := d.snapshot()
	out := make([]serverEntry, 0, len(snap.names))
	for _, n := range snap.names {
		srv := snap.servers[n]
		out = append(out, serverEntry{Name: n, Description: srv.describe(), Tools: len(srv.toolNames)})
	}
	return marshal(out)
}

// describe is a line about a server. Why one is missing is said here in few
// words; the log has the rest.
func (s *server) describe() string {
	switch {
	case s.pending:
		return "still starting"
	case s.err != nil:
		return "not available"
	}
	return oneLine(cmp.Or(s.info.Instructions, s.info.Title, s.info.Name), 300)
}

type searchHit struct {
	Server      string `json:"server"`
	Tool        string `json:"tool"`
	Description string `json:"description"`
	Types       string `json:"types"`
}

// The number of hits that CatalogSearch answers where none is asked for, and
// at most.
const (
	defaultHits = 10
	maxHits     = 50
)

// CatalogSearch answers an array of {server, tool, description, types}, the
// best first: tools whose names and descriptions hold the words of query, or
// all of them where query is empty. It implements autoclave.CatalogHost.
func (d *Dispatcher) CatalogSearch(_ context.Context, query, serverName string, limit int) (json.RawMessage, error) {
	snap := d.snapshot()
	if serverName != "" && snap.servers[serverName] == nil {
		return nil, hostError(snap.serverNotFound(hostCall{kind: kindResource, server: serverName}), hostCall{server: serverName}, nil)
	}
	if limit <= 0 {
		limit = defaultHits
	}
	limit = min(limit, maxHits)
	type scored struct {
		server *server
		tool   *upstream.Tool
		score  int
	}
	words := tokens(query)
	var hits []scored
	for _, n := range snap.names {
		if serverName != "" && n != serverName {
			continue
		}
		srv := snap.servers[n]
		for _, toolName := range srv.toolNames {
			t := srv.tools[toolName]
			if score := match(words, n, t); score > 0 || len(words) == 0 {
				hits = append(hits, scored{srv, t, score})
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b scored) int { return b.score - a.score })
	out := make([]searchHit, 0, min(limit, len(hits)))
	for _, h := range hits[:min(limit, len(hits))] {
		out = append(out, searchHit{
			Server: h.server.name, Tool: h.tool.Name,
			Description: oneLine(h.tool.Description, 300),
			Types:       toolDeclaration(h.tool),
		})
	}
	return marshal(out)
}

// match scores a tool for the words of a query: a word in the tool's name
// counts more than one in the server's, and that more than one in the text.
func match(words []string, serverName string, t *upstream.Tool) int {
	score := 0
	nameTokens, serverTokens, textTokens := tokens(t.Name), tokens(serverName), tokens(t.Title+" "+t.Description)
	for _, w := range words {
		switch {
		case sharedTokens([]string{w}, nameTokens) > 0:
			score += 10
		case len(w) > 2 && strings.Contains(strings.ToLower(t.Name), w):
			score += 6
		}
		if sharedTokens([]string{w}, serverTokens) > 0 {
			score += 4
		}
		if sharedTokens([]string{w}, textTokens) > 0 {
			score += 3
		}
	}
	return score
}

// CatalogTypes returns the TypeScript declarations of a server's tools, or of
// one. It implements autoclave.CatalogHost.
func (d *Dispatcher) CatalogTypes(_ context.Context, serverName, tool string) (string, error) {
	snap := d.snapshot()
	c := hostCall{kind: kindTool, server: serverName, name: tool}
	srv := snap.servers[serverName]
	if srv == nil {
		return "", hostError(snap.serverNotFound(hostCall{kind: kindResource, server: serverName}), hostCall{server: serverName}, nil)
	}
	if tool != "" && srv.tools[tool] == nil {
		return "", hostError(snap.toolNotFound(c), c, nil)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "declare const tools: {\n  %s: {\n", propertyName(serverName))
	for _, n := range srv.toolNames {
		if tool == "" || n == tool {
			for line := range strings.Lines(toolDeclaration(srv.tools[n])) {
				b.WriteString("    " + line)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("  };\n};\n")
	return b.String(), nil
}

type resourceEntry struct {
	Server      string `json:"server"`
	URI         string `json:"uri"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	MIMEType    string `json:"mimeType,omitempty"`
}

func marshalResources(serverName string, list []upstream.Resource) (json.RawMessage, error) {
	out := make([]resourceEntry, len(list))
	for i, r := range list {
		out[i] = resourceEntry{serverName, r.URI, r.Name, r.Description, r.MIMEType}
	}
	return marshal(out)
}

// ReadResource reads a resource of an upstream. It implements
// autoclave.ResourceHost.
func (d *Dispatcher) ReadResource(ctx context.Context, serverName, uri string) (json.RawMessage, error) {
	return d.do(ctx, hostCall{kind: kindResource, server: serverName, name: uri})
}

// ListResources answers an array of {server, uri, name, description?,
// mimeType?}. Of all servers it lists those that answer: one that is down does
// not hide the others. It implements autoclave.ResourceHost.
func (d *Dispatcher) ListResources(ctx context.Context, serverName string) (json.RawMessage, error) {
	if serverName != "" {
		return d.do(ctx, hostCall{kind: kindResourceList, server: serverName})
	}
	names := d.snapshot().names
	lists := make([][]json.RawMessage, len(names))
	var all sync.WaitGroup
	for i, n := range names {
		all.Go(func() {
			raw, err := d.do(ctx, hostCall{kind: kindResourceList, server: n})
			if err != nil {
				d.log.Warn("listing the resources of an upstream", "server", n, "err", err)
				return
			}
			if err := json.Unmarshal(raw, &lists[i]); err != nil {
				d.log.Error("reading our own list of resources", "err", err)
			}
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, autoclave.Errorf(autoclave.Cancelled, "listing resources: %w", context.Cause(ctx))
	}
	return marshal(append([]json.RawMessage{}, slices.Concat(lists...)...))
}

func marshal(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, autoclave.Errorf(autoclave.Internal, "marshalling an answer of the catalog: %w", err)
	}
	return b, nil
}

// oneLine makes a server's text one line of at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
