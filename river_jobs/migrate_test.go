package riverjobs_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// checkSays wants Check to name what is wrong, "" for nothing.
func checkSays(t *testing.T, store *db.Store, want string) {
	t.Helper()
	state, err := riverjobs.Schema(t.Context(), store)
	must(t, err)
	err = state.Check()
	switch {
	case want == "" && err != nil:
		t.Fatalf("the schema does not fit: %v", err)
	case want != "" && (!errors.Is(err, riverjobs.ErrSchema) || !strings.Contains(err.Error(), want)):
		t.Fatalf("Check says %v, want %q", err, want)
	}
}

const older, newer = "Run `ketter migrate up`", "made by a newer ketter"

func TestMigrateUpAndDown(t *testing.T) {
	t.Parallel()
	store, url := testdb.Empty(t)
	checkSays(t, store, older)
	must(t, riverjobs.MigrateUp(t.Context(), store, url))
	checkSays(t, store, "")
	installation, err := store.Installation(t.Context())
	must(t, err)
	must(t, riverjobs.MigrateUp(t.Context(), store, url)) // again changes nothing
	if again, err := store.Installation(t.Context()); err != nil || again != installation {
		t.Fatalf("installation %q became %q: %v", installation, again, err)
	}

	for range db.KnownMigrations() {
		must(t, riverjobs.MigrateDown(t.Context(), store, url))
		checkSays(t, store, older)
	}
	if n := scan[int](t, store, "SELECT count(*) FROM pg_class WHERE relname IN ('jobs', 'job_runs', 'job_events', 'portals')"); n != 0 {
		t.Errorf("%d of our tables are left", n)
	}
	must(t, riverjobs.MigrateUp(t.Context(), store, url)) // River's are still there
	checkSays(t, store, "")

	for range len(db.KnownMigrations()) + 1 {
		must(t, riverjobs.MigrateDown(t.Context(), store, url))
	}
	if n := scan[int](t, store, "SELECT count(*) FROM pg_class WHERE relname LIKE 'river_%'"); n != 0 {
		t.Errorf("%d of River's tables are left", n)
	}
	checkSays(t, store, older)
	must(t, riverjobs.MigrateUp(t.Context(), store, url))
	checkSays(t, store, "")
}

func TestANewerSchemaIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"ours":    "INSERT INTO schema_migrations (version) VALUES ('20991231000001')",
		"River's": "INSERT INTO river_migration (line, version) VALUES ('main', 999)",
		// Newer and older at once is a newer one: going up would mix the two.
		"both": "DELETE FROM schema_migrations; INSERT INTO river_migration (line, version) VALUES ('main', 999)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, url := testdb.New(t)
			exec(t, store, sql)
			checkSays(t, store, newer)
			if err := riverjobs.MigrateUp(t.Context(), store, url); !errors.Is(err, riverjobs.ErrSchema) {
				t.Errorf("MigrateUp: %v", err)
			}
			checkSays(t, store, newer)
		})
	}
}

func TestMigrationsTakeTurns(t *testing.T) {
	t.Parallel()
	store, url := testdb.Empty(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			own, err := db.Open(t.Context(), url, 2)
			if err != nil {
				t.Error(err)
				return
			}
			defer own.Close()
			if err := riverjobs.MigrateUp(t.Context(), own, url); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	checkSays(t, store, "")
	if n := scan[int](t, store, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

// pgx understands parameters that the migrations' driver does not, and needs no sslmode.
func TestMigrateUpWithTheURLOfAPool(t *testing.T) {
	t.Parallel()
	_, made := testdb.Empty(t)
	u, err := url.Parse(made)
	must(t, err)
	u.RawQuery = "pool_max_conns=5&pool_max_conn_lifetime=1h&default_query_exec_mode=cache_describe&statement_cache_capacity=10"
	store, err := db.Open(t.Context(), u.String(), 2)
	must(t, err)
	t.Cleanup(store.Close)
	must(t, riverjobs.MigrateUp(t.Context(), store, u.String()))
	checkSays(t, store, "")
	for range db.KnownMigrations() {
		must(t, riverjobs.MigrateDown(t.Context(), store, u.String()))
	}
	checkSays(t, store, older)
}
