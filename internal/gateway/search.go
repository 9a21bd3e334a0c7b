package gateway

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

// found is the structured content of a search.
type found struct {
	Tools   []catalog.Hit        `json:"tools"`
	Total   int                  `json:"total,omitempty"`
	Servers []catalog.ServerInfo `json:"servers,omitempty"`
	Missing []catalog.ServerInfo `json:"missing,omitempty"`
}

func (g *Gateway) search(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	args := readArguments("search", req.Params.Arguments)
	query := catalog.Query{
		Text: args.text("query"), Server: args.text("server"),
		Limit: int(min(args.whole("limit"), 100)), Detail: args.flag("detail"),
	}
	if args.err != nil {
		return failure(args.err), nil
	}
	g.ready(ctx)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("search: %w", context.Cause(ctx))
	}
	hits := g.cfg.Catalog().Search(query)
	// Declarations can be long: rather fewer than more than a model can read.
	text := catalog.RenderHits(hits, query.Detail)
	for len(text) > g.cfg.MaxText && len(hits.Tools) > 1 {
		hits.Tools = hits.Tools[:len(hits.Tools)/2]
		text = catalog.RenderHits(hits, query.Detail)
	}
	if len(text) > g.cfg.MaxText {
		text = clip(text, g.cfg.MaxText) + "\nThe rest was cut. catalog.types(server, tool) has it, from inside a program.\n"
		for i := range hits.Tools {
			hits.Tools[i].Types = clip(hits.Tools[i].Types, g.cfg.MaxText/2)
		}
	}
	structured, err := json.Marshal(found{Tools: hits.Tools, Total: hits.Total, Servers: hits.Servers, Missing: hits.Missing})
	if err != nil {
		return nil, fmt.Errorf("search: marshalling the hits: %w", err)
	}
	return &mcp.CallToolResult{
		Content:           []mcp.Content{&mcp.TextContent{Text: text}},
		StructuredContent: json.RawMessage(structured),
		IsError:           hits.NotFound != nil,
	}, nil
}
