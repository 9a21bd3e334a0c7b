package dispatch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/policy"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// snapshot is what the upstreams offered at one moment. It is immutable.
type snapshot struct {
	version uint64
	names   []string
	servers map[string]bool
	// index is what may be seen: without tools that are denied to everybody,
	// where the rules say so.
	index *catalog.Catalog
	// tools are all that there are, by server and name.
	tools map[string]map[string]*known
	// toolNames are those that may be seen, by server, in its order.
	toolNames map[string][]string
	// listErrors say why a server that is up has no list of resources.
	listErrors map[string]error
	worker     *autoclave.Catalog // the names alone
}

// known is a tool with its schemas, which are read when they are needed.
type known struct {
	tool    catalog.Tool
	schemas schemas
}

// edition is which upstreams, under which rules, a snapshot is of.
type edition struct {
	generation uint64
	rules      *rules
}

// maxEditions is how many snapshots are kept: that of now, and those of
// executions that began before the configuration was changed.
const maxEditions = 4

// snapshot returns what the view has at this moment, made anew when something
// has changed since the last.
func (d *Dispatcher) snapshot(view *upstream.View, r *rules) *snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := edition{view.Generation(), r}
	snap := d.snaps[e]
	// The version first: what changes between is in the next one.
	if v := view.Version(); snap == nil || snap.version != v {
		if snap == nil && len(d.snaps) >= maxEditions {
			clear(d.snaps)
		}
		snap = newSnapshot(v, view.Members(), d.describe, r)
		d.snaps[e] = snap
	}
	return snap
}

// snapshot is that of the execution's own view and rules.
func (h *Host) snapshot() *snapshot { return h.d.snapshot(h.view, h.rules) }

// current is that of the upstreams and rules of now.
func (d *Dispatcher) current() *snapshot {
	r, view := d.began()
	defer view.Release()
	return d.snapshot(view, r)
}

func newSnapshot(version uint64, members []upstream.Member, describe map[string]string, r *rules) *snapshot {
	s := &snapshot{
		version: version, servers: map[string]bool{}, tools: map[string]map[string]*known{},
		toolNames: map[string][]string{}, listErrors: map[string]error{},
	}
	all := make([]catalog.Server, len(members))
	for i, m := range members {
		all[i] = indexed(m, describe[m.Name])
		s.names = append(s.names, m.Name)
		s.servers[m.Name] = true
		if m.ResourcesErr != nil {
			s.listErrors[m.Name] = m.ResourcesErr
		}
	}
	s.index = catalog.New(all)
	hidden := false
	for i, name := range s.names {
		tools, _ := s.index.Tools(name) // it is known
		byName := make(map[string]*known, len(tools))
		var visible []catalog.Tool
		for _, t := range tools {
			byName[t.Name] = &known{tool: t, schemas: schemas{input: schema{raw: t.InputSchema}, output: schema{raw: t.OutputSchema}}}
			if r.HideDenied && r.policy.AlwaysDenied(policy.Request{Server: name, Tool: t.Name, Annotations: annotations(&t)}) {
				hidden = true
				continue
			}
			visible = append(visible, t)
			s.toolNames[name] = append(s.toolNames[name], t.Name)
		}
		s.tools[name] = byName
		all[i].Tools = visible
	}
	changed := hidden
	for i := range all {
		changed = r.tell(&all[i]) || changed
	}
	if changed {
		s.index = catalog.New(all)
	}
	entries := make([]autoclave.CatalogEntry, len(members))
	for i, name := range s.names {
		entries[i] = autoclave.CatalogEntry{Server: name, Tools: s.toolNames[name]}
	}
	// Where the names are too many, a program does without: every name passes
	// then, and is looked up here.
	s.worker, _ = autoclave.NewCatalog(entries)
	return s
}

// tell takes out of what a server says of itself what a model must not see: a
// server may say what it was started with. Names stay, as calls must give them,
// and lists of resources are redacted when they are asked for. It reports
// whether anything was taken out.
func (r *rules) tell(s *catalog.Server) (changed bool) {
	if r.Redact == nil {
		return false
	}
	text := func(s *string) {
		if out := r.Redact.DataText(*s); out != *s {
			*s, changed = out, true
		}
	}
	schema := func(raw *json.RawMessage) {
		if out := r.Redact.JSON(*raw); !bytes.Equal(out, *raw) {
			*raw, changed = out, true
		}
	}
	if out := r.text(s.Problem); out != s.Problem {
		s.Problem, changed = out, true
	}
	text(&s.Description)
	text(&s.Version)
	for i := range s.Tools {
		t := &s.Tools[i]
		text(&t.Title)
		text(&t.Description)
		schema(&t.InputSchema)
		schema(&t.OutputSchema)
	}
	return changed
}

func annotations(t *catalog.Tool) policy.Annotations {
	return policy.Annotations{ReadOnly: t.ReadOnly, Destructive: t.Destructive, OpenWorld: t.OpenWorld}
}

// tool returns the tool of that very name, or nil.
func (s *snapshot) tool(server, name string) *known { return s.tools[server][name] }

// indexed is a member as the catalog takes it. What the catalog is given it
// cleans; a server's stderr is not for models.
func indexed(m upstream.Member, description string) catalog.Server {
	out := catalog.Server{
		Name: m.Name, Version: m.Info.Version,
		Description: cmp.Or(description, m.Info.Instructions, m.Info.Title, m.Info.Name),
	}
	switch own, ok := errors.AsType[*upstream.Error](m.Err); {
	case m.Pending:
		out.Problem = "it is still starting"
	case ok:
		out.Problem = own.Message
	case m.Err != nil:
		out.Problem = m.Err.Error()
	}
	for _, t := range m.Tools {
		out.Tools = append(out.Tools, catalog.Tool{
			Name: t.Name, Title: cmp.Or(t.Title, t.Annotations.Title), Description: t.Description,
			InputSchema: t.InputSchema, OutputSchema: t.OutputSchema,
			ReadOnly: t.Annotations.ReadOnlyHint, Destructive: t.Annotations.DestructiveHint,
			Idempotent: t.Annotations.IdempotentHint, OpenWorld: t.Annotations.OpenWorldHint,
		})
	}
	for _, r := range m.Resources {
		out.Resources = append(out.Resources, catalog.Resource{URI: r.URI, Name: r.Name, Description: r.Description, MimeType: r.MIMEType})
	}
	for _, r := range m.Templates {
		out.Templates = append(out.Templates, catalog.ResourceTemplate{URITemplate: r.URITemplate, Name: r.Name, Description: r.Description, MimeType: r.MIMEType})
	}
	return out
}

// Index returns the catalog of what the upstreams offer at this moment. Servers
// that are missing are in it, with the reason. It does not wait.
func (d *Dispatcher) Index() *catalog.Catalog { return d.current().index }

// Changed returns a channel that is closed when the upstreams offer something
// else, or may. Take it before the Index. New rules do not close it.
func (d *Dispatcher) Changed() <-chan struct{} { return d.set.Changed() }

// Ready waits until each upstream has come up or has failed, or until ctx ends.
func (d *Dispatcher) Ready(ctx context.Context) { _ = d.set.Wait(ctx) }

// Catalog returns the names of all servers and of their tools. It implements
// autoclave.CatalogHost.
func (h *Host) Catalog() *autoclave.Catalog { return h.snapshot().worker }

// CatalogServers answers an array of {name, description, tools, …}. It
// implements autoclave.CatalogHost.
func (h *Host) CatalogServers(context.Context) (json.RawMessage, error) {
	return h.looked("catalog.servers", "", "", func() (json.RawMessage, error) { return marshal(h.snapshot().index.Servers()) })
}

// looked records that the execution has looked into the catalog.
func (h *Host) looked(kind, server, what string, f func() (json.RawMessage, error)) (json.RawMessage, error) {
	start := time.Now()
	rec := audit.Call{Kind: kind, Server: server, Tool: what}
	at := h.enter(rec, start)
	raw, err := f()
	rec.BytesIn = len(raw)
	h.record(at, rec, start, err)
	return raw, err
}

// defaultHits is the number of hits that CatalogSearch answers where none is
// asked for.
const defaultHits = 10

// CatalogSearch answers an array of {server, tool, description, types}, the
// best first; where query is empty the tools as they come. It implements
// autoclave.CatalogHost.
func (h *Host) CatalogSearch(_ context.Context, query, server string, limit int) (json.RawMessage, error) {
	return h.looked("catalog.search", server, query, func() (json.RawMessage, error) { return h.find(query, server, limit) })
}

func (h *Host) find(query, server string, limit int) (json.RawMessage, error) {
	snap := h.snapshot()
	if limit <= 0 {
		limit = defaultHits
	}
	hits := snap.index.Search(catalog.Query{Text: query, Server: server, Limit: limit})
	if hits.NotFound != nil {
		c := hostCall{server: server}
		return nil, h.told(hostError(snap.serverNotFound(c), c, nil))
	}
	found := hits.Tools
	for _, s := range hits.Servers { // the query was empty
		if left := limit - len(found); left > 0 {
			found = append(found, snap.index.Search(catalog.Query{Server: s.Name, Limit: left}).Tools...)
		}
	}
	return marshal(slices.Clip(found))
}

// CatalogTypes returns the TypeScript declarations of a server's tools, or of
// one. It implements autoclave.CatalogHost.
func (h *Host) CatalogTypes(_ context.Context, server, tool string) (string, error) {
	raw, err := h.looked("catalog.types", server, tool, func() (json.RawMessage, error) {
		types, err := h.types(server, tool)
		return json.RawMessage(types), err
	})
	return string(raw), err
}

func (h *Host) types(server, tool string) (string, error) {
	snap := h.snapshot()
	types, err := snap.index.Types(server, tool)
	if err == nil {
		return types, nil
	}
	c := hostCall{server: server}
	if snap.servers[server] {
		c.kind, c.name = kindTool, tool
		return "", h.told(hostError(snap.toolNotFound(c, err), c, nil))
	}
	return "", h.told(hostError(snap.serverNotFound(c), c, nil))
}

// ReadResource reads a resource of an upstream. It answers the MCP
// ReadResourceResult as the server wrote it, and implements
// autoclave.ResourceHost.
func (h *Host) ReadResource(ctx context.Context, server, uri string) (json.RawMessage, error) {
	return h.do(ctx, hostCall{kind: kindResource, server: server, name: uri})
}

// ListResources answers an array of {server, uri, name, description?,
// mimeType?} from the catalog. Of all servers it lists those that are there:
// one that is down does not hide the others. It implements
// autoclave.ResourceHost.
func (h *Host) ListResources(ctx context.Context, server string) (json.RawMessage, error) {
	return h.list(ctx, kindResourceList, server)
}

// ListResourceTemplates answers an array of {server, uriTemplate, name,
// description?, mimeType?}, as ListResources does.
func (h *Host) ListResourceTemplates(ctx context.Context, server string) (json.RawMessage, error) {
	return h.list(ctx, kindTemplateList, server)
}

func (h *Host) list(ctx context.Context, k kind, server string) (json.RawMessage, error) {
	if server != "" {
		return h.do(ctx, hostCall{kind: k, server: server})
	}
	all := []json.RawMessage{}
	for _, m := range h.view.Members() {
		// What a strict group says is listed to whoever asks for it by name: it
		// would bind a program that only looks around.
		if g := h.rules.policy.StrictGroup(m.Name); !m.Up || g != "" && !slices.Contains(h.labels(), g) {
			continue
		}
		// Each on its own: what applies to one server need not to the next.
		raw, err := h.do(ctx, hostCall{kind: k, server: m.Name})
		if err != nil {
			h.d.log.Debug("listing the resources of an upstream", "server", m.Name, "err", err)
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, autoclave.Errorf(autoclave.Internal, "reading our own list of resources: %w", err)
		}
		all = append(all, list...)
	}
	if ctx.Err() != nil {
		return nil, autoclave.Errorf(autoclave.Cancelled, "listing resources: %w", context.Cause(ctx))
	}
	return marshal(all)
}

func marshal(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, autoclave.Errorf(autoclave.Internal, "marshalling an answer of the catalog: %w", err)
	}
	return b, nil
}
