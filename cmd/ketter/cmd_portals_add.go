package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/httpapi/client"
)

func newPortalsAddCommand(options *portalOptions) *cobra.Command {
	var flags portalFlags
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a portal",
		Long: `Adds a portal. Secrets are read from files or from standard input, never from arguments, which every user of a host can see;
the API encrypts them with its KETTER_SECRET_KEY before it stores them.

A host's key is required, and compared with what the host shows: ` + "`ketter portals scan-key HOST`" + ` shows it, for you to compare with
the host's own.

` + portalExitStatuses(),
		Example: `  1. A folder that the workers with KETTER_WORKER_LABEL=lab see:
     ketter portals add LAB --kind local --root /mnt/nexis --label lab
  2. A folder on another host, with a key:
     ketter portals add SRVTRF --kind sftp --host srvtrf.example --user ketter --root /srv/sessions \
       --host-key srvtrf.pub --key ~/.ssh/ketter_ed25519
  3. With a password from a password manager:
     pass show srvtrf | ketter portals add SRVTRF --kind sftp --host srvtrf.example --user ketter --root /srv/sessions \
       --host-key srvtrf.pub --password-file -`,
		Args: onePortal,
		RunE: func(cmd *cobra.Command, args []string) error {
			fields := client.PortalFields{"name": args[0]}
			if err := flags.apply(cmd, fields); err != nil {
				return err
			}
			return options.tell(cmd, func(asked *client.Client, ctx context.Context) (client.Portal, error) {
				return asked.AddPortal(ctx, fields)
			})
		},
	}
	flags.register(cmd)
	return cmd
}

func newPortalsSetCommand(options *portalOptions) *cobra.Command {
	var flags portalFlags
	cmd := &cobra.Command{
		Use:   "set PORTAL",
		Short: "Change a portal",
		Long: `Changes what is given and leaves the rest as it is; an empty value removes what may be missing. While jobs that have not ended
use the portal, its kind, root, host, port, user and label can't change. A new host, port or user needs the credential given
again, so that a stored one never goes where it wasn't meant for.

` + portalExitStatuses(),
		Example: `  1. A new key of the user's:
     ketter portals set SRVTRF --key ~/.ssh/ketter_new
  2. The host has got a new key, and you have found out why:
     ketter portals scan-key srvtrf.example > srvtrf.pub    # compare, then
     ketter portals set SRVTRF --host-key srvtrf.pub
  3. No label any more, another name:
     ketter portals set SRVTRF --label "" --name SRVTRF2`,
		Args:              onePortal,
		ValidArgsFunction: completeOnePortal(options),
		RunE: func(cmd *cobra.Command, args []string) error {
			return options.tell(cmd, func(asked *client.Client, ctx context.Context) (client.Portal, error) {
				return changePortal(cmd, asked, args[0], flags)
			})
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&flags.name, "name", "", "another name for it")
	cmd.Flags().BoolVar(&flags.noCredential, "no-credential", false, "forget the credential")
	return cmd
}

// changePortal puts the portal as it is, with what the flags change.
func changePortal(cmd *cobra.Command, asked *client.Client, ref string, flags portalFlags) (client.Portal, error) {
	portal, err := asked.Portal(cmd.Context(), ref)
	if err != nil {
		return portal, err
	}
	fields := portal.Fields()
	if err := flags.apply(cmd, fields); err != nil {
		return portal, err
	}
	return asked.ChangePortal(cmd.Context(), ref, fields)
}
