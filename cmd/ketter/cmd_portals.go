package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/httpapi/client"
)

// portalOptions are those of every command that asks the API about portals.
type portalOptions struct {
	api  string
	json bool
}

func newPortalsCommand() *cobra.Command {
	portals := &cobra.Command{
		Use:   "portals",
		Short: "Name the places that jobs read from and write to: folders of this host and of others",
		Long: `A portal is a named place: a folder on a host, how to reach it, and with what credential. Jobs name portals and paths inside
them. One of kind local is a folder that workers see themselves; one of kind sftp is reached over SSH. With a label
(--label) it belongs to the host whose workers have that KETTER_WORKER_LABEL: they see its folder as a local path, jobs go
to them first, and all others reach it over SSH.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var options portalOptions
	portals.PersistentFlags().StringVar(&options.api, "api", "", "the API to ask, as http://127.0.0.1:8000 (else the one that KETTER_LISTEN names)")
	portals.PersistentFlags().BoolVar(&options.json, "json", false, "print JSON: docs/cli-json.md")
	portals.AddCommand(newPortalsAddCommand(&options), newPortalsListCommand(&options), newPortalsShowCommand(&options),
		newPortalsTestCommand(&options), newPortalsSetCommand(&options), newPortalsRmCommand(&options), newPortalsRekeyCommand(),
		newPortalsScanKeyCommand(&options, remote.ScanKeys))
	return portals
}

func newPortalsListCommand(options *portalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the portals",
		Long:  "Lists the portals by name.\n\n" + portalExitStatuses(),
		Example: `  1. Those of the Ketter on this host:
     ketter portals list
  2. Names alone:
     ketter portals list --json | jq -r '.[].name'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asked, err := newClient(options.api)
			if err != nil {
				return err
			}
			portals, err := asked.Portals(cmd.Context())
			if err != nil {
				return err
			}
			if options.json {
				return printJSON(cmd.OutOrStdout(), portals)
			}
			return printPortals(cmd.OutOrStdout(), portals)
		},
	}
}

func newPortalsShowCommand(options *portalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "show PORTAL",
		Short: "Show a portal",
		Long:  "Shows a portal, by its name or id. Of its credential it shows the kind and nothing more.\n\n" + portalExitStatuses(),
		Example: `  1. All that is known of SRVTRF:
     ketter portals show SRVTRF`,
		Args:              onePortal,
		ValidArgsFunction: completeOnePortal(options),
		RunE: func(cmd *cobra.Command, args []string) error {
			return options.tell(cmd, func(asked *client.Client, ctx context.Context) (client.Portal, error) {
				return asked.Portal(ctx, args[0])
			})
		},
	}
}

func newPortalsRmCommand(options *portalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "rm PORTAL",
		Short: "Delete a portal",
		Long: `Deletes a portal that no job uses which has not ended. The history of its jobs stays, with its name; they can't be retried.
Nothing is done to the folder itself.

` + portalExitStatuses(),
		Example: `  1. Delete SRVTRF:
     ketter portals rm SRVTRF`,
		Args:              onePortal,
		ValidArgsFunction: completeOnePortal(options),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := newClient(options.api)
			if err != nil {
				return err
			}
			if err := asked.DeletePortal(cmd.Context(), args[0]); err != nil {
				return err
			}
			if options.json {
				return printJSON(cmd.OutOrStdout(), map[string]any{"portal": args[0], "deleted": true})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Portal %s is deleted; its folder is as it was.\n", printable(args[0]))
			return err
		},
	}
}

// tell asks the API for a portal and prints it.
func (o portalOptions) tell(cmd *cobra.Command, ask func(*client.Client, context.Context) (client.Portal, error)) error {
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	portal, err := ask(asked, cmd.Context())
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), portal)
	}
	return printPortal(cmd.OutOrStdout(), portal)
}

func onePortal(cmd *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(cmd, args); err != nil {
		return usageError(cmd, err)
	}
	if args[0] == "" || strings.Trim(args[0], ".") == "" {
		return usageError(cmd, fmt.Errorf("%q is not a portal's name or id", args[0]))
	}
	return nil
}

// portalExitStatuses is exitStatuses for a command that asks the API about portals.
func portalExitStatuses(besides ...failure.Code) string {
	codes := append([]failure.Code{failure.Internal, failure.InvalidRequest, failure.PortalInUse, failure.PortalNotFound,
		failure.PortalExists, failure.Cancelled}, besides...)
	return exitStatuses(codes...) + "   1  api_unreachable, database_unavailable"
}
