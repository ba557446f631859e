package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/infra/secret"
)

func newSecretKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "secret-key",
		Short: "Make a key for portals' credentials",
		Long: `Prints a fresh key, and keeps it nowhere. Portals' credentials are encrypted with it before they are stored; give the same key to
every ` + "`ketter up`, `serve` and `worker`" + ` as KETTER_SECRET_KEY, or in a file that KETTER_SECRET_KEY_FILE names and others can't
read. Keep a copy where you keep passwords: without the key, the credentials are lost and must be given again.`,
		Example: `  1. Into a file of one's own:
     (umask 077; ketter secret-key > /etc/ketter/secret.key)
  2. A new key before the old one, then everything encrypted anew:
     (umask 077; { ketter secret-key; cat /etc/ketter/secret.key; } > /etc/ketter/secret.new)
     mv /etc/ketter/secret.new /etc/ketter/secret.key    # on every host; restart the workers, then the APIs
     DB_URL=… KETTER_SECRET_KEY_FILE=/etc/ketter/secret.key ketter portals rekey`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), secret.NewKey())
			return err
		},
	}
}
