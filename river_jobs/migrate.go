package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/ketter/ketter/db"
)

// SchemaState is what a database has, against what this binary brings. River's migrations come first, then ours.
type SchemaState struct {
	River, RiverKnown     []int
	Applied, AppliedKnown []string
}

// ErrSchema says that the database's schema is not this binary's.
var ErrSchema = errors.New("the database's schema does not fit this ketter")

// Check returns nil when the schema is this binary's, else an ErrSchema that says which command mends it.
func (s SchemaState) Check() error {
	switch {
	case s.newer():
		return fmt.Errorf("%w: it was made by a newer ketter. Install that version here too, "+
			"or revert with its own `ketter migrate down` (data of the newer version is lost)", ErrSchema)
	case s.older():
		return fmt.Errorf("%w: it is older, or was never made. Run `ketter migrate up`", ErrSchema)
	}
	return nil
}

func (s SchemaState) newer() bool {
	return slices.ContainsFunc(s.River, func(v int) bool { return !slices.Contains(s.RiverKnown, v) }) ||
		slices.ContainsFunc(s.Applied, func(v string) bool { return !slices.Contains(s.AppliedKnown, v) })
}

func (s SchemaState) older() bool {
	return len(s.River) < len(s.RiverKnown) || len(s.Applied) < len(s.AppliedKnown)
}

// Schema reads the state of the database's schema.
func Schema(ctx context.Context, store *db.Store) (SchemaState, error) {
	migrator, err := riverMigrator(store)
	if err != nil {
		return SchemaState{}, err
	}
	state := SchemaState{AppliedKnown: db.KnownMigrations()}
	for _, m := range migrator.AllVersions() {
		state.RiverKnown = append(state.RiverKnown, m.Version)
	}
	if state.River, err = riverVersions(ctx, store); err != nil {
		return SchemaState{}, fmt.Errorf("reading River's migrations: %w", err)
	}
	if state.Applied, err = store.AppliedMigrations(ctx); err != nil {
		return SchemaState{}, fmt.Errorf("reading Ketter's migrations: %w", err)
	}
	return state, nil
}

// riverVersions are those of River's migrations that the database has, none if it was never migrated. River's own
// ExistingVersions fails on a version that it doesn't know, which is the very thing to be told. Before River's version 5
// its table had no lines.
func riverVersions(ctx context.Context, store *db.Store) ([]int, error) {
	rows, _ := store.Pool().Query(ctx, `SELECT version FROM river_migration AS m
		WHERE coalesce(to_jsonb(m)->>'line', 'main') = 'main' ORDER BY version`) // CollectRows has the error too
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int])
	const undefinedTable = "42P01"
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == undefinedTable {
		return nil, nil
	}
	return versions, err
}

// MigrateUp brings the schema to this binary's: River's migrations, then ours. It does nothing to a newer one but say so.
func MigrateUp(ctx context.Context, store *db.Store, databaseURL string) error {
	return withMigrationLock(ctx, store, func() error {
		state, err := Schema(ctx, store)
		if err != nil {
			return err
		}
		if state.newer() || !state.older() {
			return state.Check()
		}
		migrator, err := riverMigrator(store)
		if err != nil {
			return err
		}
		if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return fmt.Errorf("migrating River's tables up: %w", err)
		}
		return db.MigrateUp(databaseURL)
	})
}

// MigrateDown reverts the newest of our migrations; when none is left, all of River's.
func MigrateDown(ctx context.Context, store *db.Store, databaseURL string) error {
	return withMigrationLock(ctx, store, func() error {
		state, err := Schema(ctx, store)
		if err != nil {
			return err
		}
		if len(state.Applied) > 0 {
			return db.MigrateDown(databaseURL)
		}
		migrator, err := riverMigrator(store)
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
		return err
	})
}

func riverMigrator(store *db.Store) (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(store.Pool()), &rivermigrate.Config{
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// withMigrationLock runs fn while no other process migrates this database. The lock is polled: a session that blocks on
// it would hold a snapshot, and CREATE INDEX CONCURRENTLY waits for all of those.
func withMigrationLock(ctx context.Context, store *db.Store, fn func() error) error {
	const lockID = 0x6b65747465720001 // "ketter", 1
	conn, err := store.Pool().Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for locked := false; ; {
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(lockID)).Scan(&locked); err != nil {
			return err
		}
		if locked {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for another migration to end: %w", ctx.Err())
		case <-ticker.C:
		}
	}
	defer func() {
		unlockCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		// Closing a session frees its locks too, whatever became of this statement.
		if _, err := conn.Exec(unlockCtx, "SELECT pg_advisory_unlock($1)", int64(lockID)); err != nil {
			_ = conn.Conn().Close(unlockCtx)
		}
	}()
	return fn()
}
