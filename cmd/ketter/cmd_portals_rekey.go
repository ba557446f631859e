package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
)

func newPortalsRekeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rekey",
		Short: "Encrypt all credentials anew, with the first key",
		Long: `Encrypts every portal's credential with the first key of KETTER_SECRET_KEY (or KETTER_SECRET_KEY_FILE), in one transaction. It works
on the database that DB_URL names, else that of the ` + "`ketter up`" + ` that runs on KETTER_STATE_DIR, not through an API. Asking twice does no harm.

To change the key: put the new one before the old one, on every host; restart the workers, then the APIs; rekey; take the old one
out. ` + "`ketter secret-key`" + ` makes one.

` + exitStatuses(failure.Internal, failure.InvalidRequest, failure.PortalAuthFailed),
		Example: `  1. With a new key before the old one:
     DB_URL=postgres://ketter@db/ketter KETTER_SECRET_KEY_FILE=/etc/ketter/secret.key ketter portals rekey`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			credentials, err := newCredentials(c)
			if err != nil {
				return err
			}
			if credentials.keys.Empty() {
				return &failure.Error{Code: failure.InvalidRequest, Message: "There is no key to encrypt with",
					Hint: "Set KETTER_SECRET_KEY or KETTER_SECRET_KEY_FILE: the new key, then the old one."}
			}
			return withStore(cmd.Context(), func(ctx context.Context, store *db.Store, _ string) error {
				done, err := store.ResealCredentials(ctx, credentials.reseal)
				if err != nil {
					return err
				}
				return tellResealed(cmd, done)
			})
		},
	}
}

// tellResealed fails when something is left that needs another key than the first.
func tellResealed(cmd *cobra.Command, done db.Resealed) error {
	err := tellStep(cmd, "rekeyed", fields{"renewed": done.Renewed, "current": done.Current},
		"Encrypted anew: %d. With the first key already: %d.\n", done.Renewed, done.Current)
	if err != nil {
		return err
	}
	switch {
	case len(done.Unreadable) > 0:
		return &failure.Error{
			Code:    failure.PortalAuthFailed,
			Message: fmt.Sprintf("None of the keys opens the credential of %s; it stays as it is", strings.Join(done.Unreadable, ", ")),
			Hint:    "Add the key that it was encrypted with, or give these portals their credentials again with `ketter portals set`.",
		}
	case len(done.Changed) > 0:
		return &failure.Error{
			Code:    failure.Internal,
			Message: fmt.Sprintf("Somebody has changed the credential of %s meanwhile", strings.Join(done.Changed, ", ")),
			Hint:    "Rekey again.",
		}
	}
	return nil
}
