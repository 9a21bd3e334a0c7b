package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/autoclave-run/autoclave/internal/config"
)

func newInit(*global) *cobra.Command {
	var from, output string
	var force, schema bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented autoclave.toml",
		Long: `Write a commented autoclave.toml into the working directory: every key with its
default, and the servers of another client's configuration where one is given.`,
		Example: `  autoclave init
  autoclave init --from .mcp.json
  autoclave init --from ~/.cursor/mcp.json --output - | less`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if schema {
				_, err := cmd.OutOrStdout().Write(config.Schema())
				return err
			}
			var data []byte
			var err error
			if from != "" {
				if data, err = os.ReadFile(from); err != nil {
					return fmt.Errorf("reading the servers: %w", err)
				}
				if data == nil {
					data = []byte{}
				}
			}
			text, warnings, err := config.Init(from, data)
			if err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if output == "-" {
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			if err := writeNew(output, text, force); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s; look at it, then: autoclave doctor\n", output)
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&from, "from", "", "take the servers from this file: .mcp.json, claude_desktop_config.json, …")
	fs.StringVarP(&output, "output", "o", config.FileName, "write to this file, or - for standard output")
	fs.BoolVar(&schema, "schema", false, "print a JSON Schema of autoclave.toml, for editors, and write nothing")
	fs.BoolVar(&force, "force", false, "replace a file that is there")
	_ = cmd.MarkFlagFilename("from", "json")
	_ = cmd.MarkFlagFilename("output", "toml")
	return cmd
}

// writeNew writes a file that must not be there, for its owner alone: it may
// have secrets in it.
func writeNew(path string, text []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: --force replaces it, --output names another file", path)
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
