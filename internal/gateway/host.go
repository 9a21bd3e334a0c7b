package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/stash"
)

// host is the host of one execution, as the Runtime sees it: the configured
// one, with the gateway's catalog, with a stash where it has none, and with an
// ear for what happens.
type host struct {
	inner     autoclave.Host
	resources autoclave.ResourceHost // nil: it has none
	names     autoclave.CatalogHost  // nil: every name is let through
	stash     autoclave.StashHost
	events    autoclave.EventHost
	governor  Governor // nil: everything leaves as it is
	run       *run
}

func newHost(inner autoclave.Host, store *stash.Store, r *run) *host {
	h := &host{inner: inner, run: r}
	h.resources, _ = inner.(autoclave.ResourceHost)
	h.names, _ = inner.(autoclave.CatalogHost)
	h.events, _ = inner.(autoclave.EventHost)
	h.governor, _ = inner.(Governor)
	if own, ok := inner.(autoclave.StashHost); ok {
		h.stash = own
	} else {
		h.stash = stashHost{store}
	}
	return h
}

func (h *host) CallTool(ctx context.Context, call autoclave.ToolCall) (autoclave.Value, error) {
	defer h.run.calling(ctx, call.Server+"."+call.Tool)()
	return h.inner.CallTool(ctx, call)
}

func (h *host) ReadResource(ctx context.Context, server, uri string) (json.RawMessage, error) {
	if h.resources == nil {
		return nil, lacks("resources")
	}
	defer h.run.calling(ctx, server+": "+uri)()
	return h.resources.ReadResource(ctx, server, uri)
}

func (h *host) ListResources(ctx context.Context, server string) (json.RawMessage, error) {
	if h.resources == nil {
		return nil, lacks("resources")
	}
	defer h.run.calling(ctx, "list of resources")()
	return h.resources.ListResources(ctx, server)
}

func (h *host) StashPut(ctx context.Context, key string, value json.RawMessage, ttl float64) error {
	return h.stash.StashPut(ctx, key, value, ttl)
}

func (h *host) StashGet(ctx context.Context, key string) (json.RawMessage, error) {
	return h.stash.StashGet(ctx, key)
}

func (h *host) StashDelete(ctx context.Context, key string) (bool, error) {
	return h.stash.StashDelete(ctx, key)
}

func (h *host) StashKeys(ctx context.Context) ([]string, error) { return h.stash.StashKeys(ctx) }

func (h *host) Catalog() *autoclave.Catalog {
	if h.names == nil {
		return nil
	}
	return h.names.Catalog()
}

// What programs ask of the catalog is answered by the configured host, from what
// the execution began with; where that has none, as a search of the model is.

func (h *host) CatalogServers(ctx context.Context) (json.RawMessage, error) {
	if h.names != nil {
		return h.names.CatalogServers(ctx)
	}
	type entry struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Tools       int    `json:"tools"`
		Problem     string `json:"problem,omitempty"`
	}
	all := []entry{}
	for _, s := range h.run.g.cfg.Catalog().Servers() {
		all = append(all, entry{s.Name, s.Description, s.Tools, s.Problem})
	}
	return marshal(all)
}

func (h *host) CatalogSearch(ctx context.Context, query, server string, limit int) (json.RawMessage, error) {
	if h.names != nil {
		return h.names.CatalogSearch(ctx, query, server, limit)
	}
	hits := h.run.g.cfg.Catalog().Search(catalog.Query{Text: query, Server: server, Limit: max(limit, 0)})
	if hits.NotFound != nil {
		return nil, notFound(hits.NotFound)
	}
	return marshal(hits.Tools)
}

func (h *host) CatalogTypes(ctx context.Context, server, tool string) (string, error) {
	if h.names != nil {
		return h.names.CatalogTypes(ctx, server, tool)
	}
	text, err := h.run.g.cfg.Catalog().Types(server, tool)
	var missing *catalog.NotFound
	if errors.As(err, &missing) {
		return "", notFound(missing)
	}
	return text, err
}

func notFound(e *catalog.NotFound) *autoclave.Error {
	out := &autoclave.Error{Code: autoclave.ServerNotFound, Message: e.Error(), Server: e.Server, Tool: e.Tool}
	switch {
	case e.Problem != "":
		out.Code = autoclave.UpstreamError
	case e.Tool != "":
		out.Code = autoclave.ToolNotFound
	}
	return out
}

func marshal(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, autoclave.Errorf(autoclave.Internal, "marshalling an answer of the catalog: %w", err)
	}
	return b, nil
}

func (h *host) Log(e autoclave.LogEntry) {
	if h.governor != nil {
		e.Text = h.governor.Text(e.Text)
	}
	h.run.relay.log(e)
	if h.events != nil {
		h.events.Log(e)
	}
}

func (h *host) Emit(block json.RawMessage) {
	if h.events != nil {
		h.events.Emit(block)
	}
}

func (h *host) Progress(p autoclave.Progress) {
	if h.governor != nil {
		p.Message = h.governor.Text(p.Message)
	}
	h.run.relay.progress(p)
	if h.events != nil {
		h.events.Progress(p)
	}
}

func lacks(what string) *autoclave.Error {
	return autoclave.Errorf(autoclave.UpstreamError, "this gateway has no host with %s", what)
}

// stashHost is a session's store, for programs without labels.
type stashHost struct{ store *stash.Store }

func (s stashHost) StashPut(_ context.Context, key string, value json.RawMessage, ttl float64) error {
	d := time.Duration(math.MaxInt64)
	if ttl < d.Seconds() { // what is longer is above every bound, or is for ever
		d = time.Duration(ttl * float64(time.Second))
	}
	if ttl > 0 && d == 0 {
		d = 1
	}
	return stashError(s.store.Put(key, value, d, nil))
}

func (s stashHost) StashGet(_ context.Context, key string) (json.RawMessage, error) {
	e, err := s.store.Get(key, nil)
	return e.Value, stashError(err)
}

func (s stashHost) StashDelete(_ context.Context, key string) (bool, error) {
	found, _, err := s.store.Delete(key, nil)
	return found, stashError(err)
}

func (s stashHost) StashKeys(context.Context) ([]string, error) {
	keys, _, err := s.store.Keys()
	return keys, stashError(err)
}

func stashError(err error) error {
	var e *stash.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return &autoclave.Error{Code: autoclave.StashError, Message: e.Message, Suggestion: e.Suggestion}
	}
	return fmt.Errorf("the stash: %w", err)
}
