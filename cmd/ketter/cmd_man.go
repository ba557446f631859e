package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/infra/manpage"
)

// newManCommand is for who packages Ketter, and so not among those that --help lists.
func newManCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "man --dir DIR", Short: "Write manual pages, one for each command", Hidden: true,
		Long: "Writes a manual page of section 1 for each command into DIR, as /usr/local/share/man/man1. The same ketter always writes the same pages.",
		Example: `  1. For everybody on this host, then read one:
     ketter man --dir /usr/local/share/man/man1
     man ketter-jobs-create`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usageError(cmd, errors.New("--dir is missing: name the folder that receives the pages"))
			}
			pages, err := manpage.Write(dir, cmd.Root(), version)
			if err != nil {
				return usageError(cmd, fmt.Errorf("the pages can't be written: %w", err))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s to %s\n", countText(int64(pages), "page"), printable(dir))
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder that receives the pages; made when missing")
	return cmd
}
