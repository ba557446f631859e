package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/db"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

func newMigrateRestoredCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restored",
		Short: "Say that the database was restored from a backup, before anything is started on it",
		Long: `Run it once after the database that DB_URL names was restored from a backup, by whatever means, and before an API or a worker is
started on it. The database doesn't know which numbers it had given to jobs and portals after the backup; this leaves out a
million of each, so that none is given twice: whoever was told one must not take another job for his own, and no run takes what
another job has left in a destination for its own. Nothing else is altered, and asking twice does no harm.`,
		Example: `  1. After pg_restore:
     DB_URL=postgres://ketter@db/ketter ketter migrate restored`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), func(ctx context.Context, store *db.Store, _ string) error {
				state, err := riverjobs.Schema(ctx, store)
				if err == nil {
					err = state.Check()
				}
				if err != nil {
					return err
				}
				job, portal, err := store.SkipIDs(ctx)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The next new job is %d, the next new portal %d.\n", job, portal)
				return err
			})
		},
	}
}
