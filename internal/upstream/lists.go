package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Tool is a tool as its server describes it. All of it is the server's word.
type Tool struct {
	Name        string          `json:"name"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"inputSchema"`
	// OutputSchema is nil where the server gives none.
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
	Annotations  Annotations     `json:"annotations"`
}

// Annotations are a server's hints about a tool; nil where it gives none.
type Annotations struct {
	Title           string `json:"title,omitempty"`
	ReadOnlyHint    *bool  `json:"readOnlyHint,omitempty"`
	IdempotentHint  *bool  `json:"idempotentHint,omitempty"`
	DestructiveHint *bool  `json:"destructiveHint,omitempty"`
	OpenWorldHint   *bool  `json:"openWorldHint,omitempty"`
}

// Resource is a resource as its server describes it.
type Resource struct {
	URI         string `json:"uri"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	MIMEType    string `json:"mimeType,omitempty"`
}

// ResourceTemplate is a resource template as its server describes it.
type ResourceTemplate struct {
	URITemplate string `json:"uriTemplate"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	MIMEType    string `json:"mimeType,omitempty"`
}

// What one server's lists may hold. A server that has more is broken or means
// harm.
const (
	maxPages     = 1000
	maxTools     = 5000
	maxResources = 20000
	maxListBytes = 64 << 20 // of all pages

	templatePatience = 5 * time.Second
)

// Tools returns the server's tools, of all pages; none where it has none.
func (u *Upstream) Tools(ctx context.Context) ([]Tool, error) {
	if caps := u.session.InitializeResult().Capabilities; caps == nil || caps.Tools == nil {
		return nil, nil
	}
	var all []Tool
	err := u.pages(ctx, "listing tools", `{"tools":[]}`, func(ctx context.Context, cursor string) error {
		_, err := u.session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
		return err
	}, func(raw json.RawMessage) error {
		var page struct {
			Tools json.RawMessage `json:"tools"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		more, err := decodeList[Tool](page.Tools, maxTools-len(all))
		all = append(all, more...)
		return err
	})
	return all, err
}

// ListResources returns the server's resources, of all pages; none where it
// has none.
func (u *Upstream) ListResources(ctx context.Context) ([]Resource, error) {
	if caps := u.session.InitializeResult().Capabilities; caps == nil || caps.Resources == nil {
		return nil, nil
	}
	var all []Resource
	err := u.pages(ctx, "listing resources", `{"resources":[]}`, func(ctx context.Context, cursor string) error {
		_, err := u.session.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor})
		return err
	}, func(raw json.RawMessage) error {
		var page struct {
			Resources json.RawMessage `json:"resources"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		more, err := decodeList[Resource](page.Resources, maxResources-len(all))
		all = append(all, more...)
		return err
	})
	return all, err
}

// ListResourceTemplates returns the server's resource templates, of all pages;
// none where it has no resources, or does not know the request.
func (u *Upstream) ListResourceTemplates(ctx context.Context) ([]ResourceTemplate, error) {
	if caps := u.session.InitializeResult().Capabilities; caps == nil || caps.Resources == nil {
		return nil, nil
	}
	// Servers with resources and no templates are common, and some say nothing
	// to what they do not know.
	ctx, cancel := context.WithTimeout(ctx, templatePatience)
	defer cancel()
	var all []ResourceTemplate
	err := u.pages(ctx, "listing resource templates", `{"resourceTemplates":[]}`, func(ctx context.Context, cursor string) error {
		_, err := u.session.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor})
		return err
	}, func(raw json.RawMessage) error {
		var page struct {
			Templates json.RawMessage `json:"resourceTemplates"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		more, err := decodeList[ResourceTemplate](page.Templates, maxResources-len(all))
		all = append(all, more...)
		return err
	})
	if e, ok := errors.AsType[*Error](err); ok && (e.RPCCode == jsonrpc.CodeMethodNotFound || e.Kind == TimedOut) {
		return nil, nil
	}
	return all, err
}

// pages asks for one page after the other and gives each raw result to add.
func (u *Upstream) pages(ctx context.Context, what, stub string, ask func(context.Context, string) error, add func(json.RawMessage) error) error {
	cursor := ""
	seen := map[string]bool{}
	size := 0
	for range maxPages {
		raw, err := u.request(ctx, what, stub, func(ctx context.Context) error { return ask(ctx, cursor) })
		if err != nil {
			return err
		}
		var next struct {
			Cursor string `json:"nextCursor"`
		}
		if size += len(raw); size > maxListBytes {
			err = fmt.Errorf("the list has more than %d bytes", maxListBytes)
		} else if err = json.Unmarshal(raw, &next); err == nil {
			err = add(raw)
		}
		if err != nil {
			return &Error{Kind: Protocol, Server: u.cfg.Name, Message: what + ": " + err.Error(), err: err}
		}
		if next.Cursor == "" {
			return nil
		}
		if seen[next.Cursor] {
			return &Error{Kind: Protocol, Server: u.cfg.Name, Message: what + ": its pages go round in a circle"}
		}
		seen[next.Cursor] = true
		cursor = next.Cursor
	}
	return &Error{Kind: Protocol, Server: u.cfg.Name, Message: fmt.Sprintf("%s: it has more than %d pages", what, maxPages)}
}

// decodeList decodes a JSON array of at most limit elements. It counts before
// it takes memory: an array of millions of empty elements is small as text.
func decodeList[T any](raw json.RawMessage, limit int) ([]T, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("it is no array")
	}
	var all []T
	for dec.More() {
		if len(all) >= limit {
			return nil, fmt.Errorf("there are more than %d elements", limit)
		}
		var v T
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	_, err := dec.Token()
	return all, err
}
