package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/amacneil/dbmate/v2/pkg/dbmate"
	_ "github.com/amacneil/dbmate/v2/pkg/driver/postgres" // registers the driver with dbmate
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations/*.sql
var migrations embed.FS

// MigrateUp applies every migration that is missing. The caller holds the migration lock: concurrent runs would race.
func MigrateUp(databaseURL string) error {
	m, err := migrator(databaseURL)
	if err != nil {
		return err
	}
	if err := m.Migrate(); err != nil {
		return fmt.Errorf("migrating up: %w", err)
	}
	return nil
}

// MigrateDown reverts the newest migration, and with it the data that it had made room for.
func MigrateDown(databaseURL string) error {
	m, err := migrator(databaseURL)
	if err != nil {
		return err
	}
	if err := m.Rollback(); err != nil {
		return fmt.Errorf("migrating down: %w", err)
	}
	return nil
}

// KnownMigrations are the versions this binary brings, oldest first.
func KnownMigrations() []string {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // embedded: can't fail
	}
	versions := make([]string, 0, len(entries))
	for _, entry := range entries {
		version, _, _ := strings.Cut(entry.Name(), "_")
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return versions
}

// AppliedMigrations are the versions the database has, oldest first; none if it was never migrated.
func (s *Store) AppliedMigrations(ctx context.Context) ([]string, error) {
	rows, _ := s.pool.Query(ctx, "SELECT version FROM schema_migrations ORDER BY version") // CollectRows has the error too
	versions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	const undefinedTable = "42P01"
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == undefinedTable {
		return nil, nil
	}
	return versions, err
}

func migrator(databaseURL string) (*dbmate.DB, error) {
	u, err := libpqURL(databaseURL)
	if err != nil {
		return nil, err
	}
	m := dbmate.New(u)
	m.FS = migrations
	m.MigrationsDir = []string{"migrations"}
	m.AutoDumpSchema = false
	m.Log = io.Discard
	return m, nil
}

// libpqURL makes a URL that dbmate's driver (lib/pq) understands: an explicit sslmode, and none of pgx's own parameters.
func libpqURL(databaseURL string) (*url.URL, error) {
	u, err := url.Parse(databaseURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("DB_URL is not a PostgreSQL URL; it looks like postgres://user:password@host:5432/database")
	}
	query := u.Query()
	for name := range query {
		if strings.HasPrefix(name, "pool_") || strings.HasPrefix(name, "default_query_exec") || strings.Contains(name, "_cache_capacity") {
			query.Del(name)
		}
	}
	if query.Get("sslmode") == "" {
		query.Set("sslmode", "prefer") // what pgx does when nothing is said
	}
	u.RawQuery = query.Encode()
	return u, nil
}
