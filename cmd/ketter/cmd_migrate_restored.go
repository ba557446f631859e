package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// farewell is how long PostgreSQL may take to notice that others, such as pg_restore, have ended.
const farewell = 5 * time.Second

func newMigrateRestoredCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restored",
		Short: "Say that the database was restored from a backup, before anything is started on it",
		Long: `Run it once after the database that DB_URL names was restored from a backup, by whatever means, and before an API or a worker is
started on it. The database doesn't know which numbers it had given to jobs and portals after the backup; this has new ones begin
with the milliseconds since 1970 by the database's clock, so that none is given twice, even when the same backup is restored
again: whoever was told a number must not take another job for his own, and no run takes what another job has left in a
destination for its own. Nothing else is altered, and asking twice does no harm.

It works on no database that DB_URL doesn't name, and on none that anybody else is connected to.

` + exitStatuses(failure.Internal, failure.InvalidRequest),
		Example: `  1. After pg_restore:
     DB_URL=postgres://ketter@db/ketter ketter migrate restored`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNamedStore(cmd, func(ctx context.Context, store *db.Store, _ string) error {
				job, portal, err := skipIDs(ctx, store)
				if err != nil {
					return err
				}
				return tellStep(cmd, "restored", fields{"next_job": job, "next_portal": portal}, "The next new job is %d, the next new portal %d.\n", job, portal)
			})
		},
	}
}

func skipIDs(ctx context.Context, store *db.Store) (job, portal int64, err error) {
	state, err := riverjobs.Schema(ctx, store)
	if err == nil {
		err = state.Check()
	}
	if err == nil {
		err = alone(ctx, store)
	}
	if err != nil {
		return 0, 0, err
	}
	return store.SkipIDs(ctx)
}

// alone returns once nobody else is connected to the database, or who is. What the tables say of workers is no sign: a backup
// that was taken while they ran says that they do.
func alone(ctx context.Context, store *db.Store) error {
	for deadline := time.Now().Add(farewell); ; {
		others, err := store.OtherSessions(ctx)
		if err != nil || len(others) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return inUse(store.Place(), others)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(farewell / 50):
		}
	}
}

func inUse(place string, others []string) error {
	return &failure.Error{
		Code:    failure.InvalidRequest,
		Message: fmt.Sprintf("Others are connected to %s: %s", place, strings.Join(counted(others), ", ")),
		Hint: "Is it the restored database, and not the one in use? Then stop every API and worker on it, close psql, monitoring and " +
			"connection poolers, and ask again; nothing was changed.",
	}
}

// counted is each of the sorted names once, with how many there are of it.
func counted(names []string) []string {
	var told []string
	for len(names) > 0 {
		n := slices.IndexFunc(names, func(name string) bool { return name != names[0] })
		if n < 0 {
			n = len(names)
		}
		told, names = append(told, fmt.Sprintf("%s (%d)", names[0], n)), names[n:]
	}
	return told
}
