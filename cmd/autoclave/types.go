package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newTypes(g *global) *cobra.Command {
	var from configFlags
	cmd := &cobra.Command{
		Use:   "types SERVER [TOOL]",
		Short: "Print the TypeScript declarations of a server's tools",
		Long: `Print the TypeScript declarations of a server's tools, or of one tool, as programs
and models see them.`,
		Example: `  autoclave types github
  autoclave types github create_issue
  autoclave types github > github.d.ts`,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return errors.New("types needs the name of a server: autoclave search lists them")
			case 1, 2:
				return nil
			}
			return fmt.Errorf("types takes a server and a tool: %q is one too many", args[2])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, closeAll, err := connected(cmd, g, &from)
			if err != nil {
				return err
			}
			defer closeAll()
			tool := ""
			if len(args) == 2 {
				tool = args[1]
			}
			text, err := c.Types(args[0], tool)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	from.add(cmd)
	return cmd
}
