package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/dispatch"
)

func newSearch(g *global) *cobra.Command {
	var from configFlags
	var query catalog.Query
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "search [QUERY]",
		Short: "Search the tools of the configured servers, as a model does",
		Long: `Search the tools of the configured servers, and print what a model would see.
Without a query the servers are listed.

Exit status: 0 something was found, 1 nothing was, 2 it could not be searched.`,
		Example: `  autoclave search
  autoclave search "create an issue"
  autoclave search --server github --detail "create an issue"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			query.Text = strings.Join(args, " ")
			if query.Limit < 0 {
				return fmt.Errorf("--limit is %d: it must be at least 1", query.Limit)
			}
			c, closeAll, err := connected(cmd, g, &from)
			if err != nil {
				return err
			}
			defer closeAll()
			hits := c.Search(query)
			if err := printHits(cmd, hits, query.Detail, asJSON); err != nil {
				return err
			}
			if hits.NotFound != nil || len(hits.Tools) == 0 && hits.Servers == nil {
				return statusError(exitProgram)
			}
			return nil
		},
	}
	from.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&query.Server, "server", "", "search only this server; without a query, list its tools")
	fs.IntVar(&query.Limit, "limit", 0, "at most so many tools (default 8)")
	fs.BoolVar(&query.Detail, "detail", false, "show declarations, with what the arguments mean")
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printHits(cmd *cobra.Command, hits catalog.Hits, detail, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprint(cmd.OutOrStdout(), catalog.RenderHits(hits, detail))
		return err
	}
	if hits.NotFound != nil {
		return hits.NotFound
	}
	out := json.NewEncoder(cmd.OutOrStdout())
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Tools   []catalog.Hit        `json:"tools"`
		Total   int                  `json:"total"`
		Servers []catalog.ServerInfo `json:"servers,omitempty"`
		Missing []catalog.ServerInfo `json:"missing,omitempty"`
	}{hits.Tools, hits.Total, hits.Servers, hits.Missing})
}

// connected returns the catalog of the configured servers when all have come up
// or have failed.
func connected(cmd *cobra.Command, g *global, from *configFlags) (c *catalog.Catalog, closeAll func(), err error) {
	logger := g.logger(cmd.ErrOrStderr())
	cfg, err := from.load(logger)
	if err != nil {
		return nil, nil, err
	}
	if !g.verbose {
		// Why a server is missing is in the catalog; the rest does not matter
		// to who is gone in a moment.
		logger = slog.New(slog.DiscardHandler)
	}
	ups, err := openUpstreams(cmd.Context(), cfg, logger)
	if err != nil {
		return nil, nil, err
	}
	closeAll = func() { closeWithin(ups.set.Close, serversTime) }
	ups.ready(cmd.Context())
	if cmd.Context().Err() != nil {
		closeAll()
		return nil, nil, errors.New("interrupted while the servers were being connected")
	}
	rules, err := governed(cfg, secretsOf(cfg), nil, logger)
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	dispatcher, err := dispatch.New(dispatch.Config{Upstreams: ups.set, Describe: descriptions(cfg), Rules: rules, Logger: logger})
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return dispatcher.Index(), closeAll, nil
}
