package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave/internal/demo"
	"github.com/autoclave-run/autoclave/internal/upstream"
)

// newDemoServer is the built-in upstream's other end: an MCP server over
// standard input and output.
func newDemoServer(*global) *cobra.Command {
	return &cobra.Command{
		Use:   "demo-server NAME",
		Short: "Be one of the demo's MCP servers, over standard input and output",
		Long: `Be one of the demo's MCP servers, over standard input and output. The servers
are ` + strings.Join(demo.Names(), ", ") + `. Any MCP client can use them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(demo.Names(), args[0]) {
				return fmt.Errorf("there is no demo server %q: the servers are %s", args[0], strings.Join(demo.Names(), ", "))
			}
			return demo.Serve(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// demoUpstreams are the demo's servers as upstreams: this executable, started
// again.
func demoUpstreams() ([]upstream.Config, error) {
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if self, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding this executable for the demo servers: %w", err)
		}
	}
	var cfgs []upstream.Config
	for _, name := range demo.Names() {
		cfgs = append(cfgs, upstream.Config{Name: name, Command: []string{self, "demo-server", name}})
	}
	return cfgs, nil
}
