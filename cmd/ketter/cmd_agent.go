package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/endpoint/agent"
	"github.com/ketter/ketter/engine/failure"
)

func newAgentCommand() *cobra.Command {
	var roots []string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Serve this host's files to a Ketter elsewhere, over standard input and output",
		Long: `A worker starts this on a portal's host over SSH. It speaks Ketter's own protocol on its standard input and output, needs no
configuration and no database, and ends with the connection: what it had locked is free then.

It may do what its user may do, below the folders that the worker names; with --root only below those, whatever the worker
names. An account that can do nothing else has this in ~/.ssh/authorized_keys:

  command="ketter agent --root /srv/media",restrict ssh-ed25519 AAAA…

` + exitStatuses(failure.InvalidRequest, failure.Internal),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, root := range roots {
				if !filepath.IsAbs(root) {
					return usageError(cmd, fmt.Errorf("--root %s: a root is an absolute path", root))
				}
			}
			return runAgent(cmd, roots)
		},
	}
	cmd.Flags().StringArrayVar(&roots, "root", nil, "serve only below this folder (may be given several times)")
	cmd.Flags().Bool("stdio", true, "standard input and output: there is no other way")
	_ = cmd.Flags().MarkHidden("stdio") // there is such a flag
	return cmd
}

func runAgent(cmd *cobra.Command, roots []string) error {
	clean := make([]string, 0, len(roots))
	for _, root := range roots {
		clean = append(clean, filepath.Clean(root))
	}
	return agent.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), agent.ServeOptions{Roots: clean, Version: version})
}
