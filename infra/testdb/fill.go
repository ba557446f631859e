package testdb

import (
	"context"
	_ "embed"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
)

// fill makes jobs and events; fill.sql says what they are like.
//
//go:embed fill.sql
var fill string

// ScaleJobs is how many jobs the tests of large tables make: enough for PostgreSQL to choose its plans, or what
// KETTER_SCALE_JOBS says, up to 1,000,000 in about a minute.
func ScaleJobs(t *testing.T) int {
	t.Helper()
	given := os.Getenv("KETTER_SCALE_JOBS")
	if given == "" {
		return 20_000
	}
	jobs, err := strconv.Atoi(given)
	if err != nil || jobs < 20_000 {
		t.Fatalf("KETTER_SCALE_JOBS is %q; it must be a number from 20000", given)
	}
	return jobs
}

// Fill makes so many jobs, each with 8 events, in a database that has none.
func Fill(t *testing.T, store *db.Store, jobs int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	// Text replaced by hand: a script of several statements takes no parameters.
	script := os.Expand(fill, func(string) string { return strconv.Itoa(jobs) })
	if _, err := store.Pool().Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("filling the tables: %v", err)
	}
	// As autovacuum does in time; it can't be in a script's one transaction.
	for _, table := range []string{"jobs", "job_events", "job_runs", "job_stagings", "idempotency_keys", "river_job"} {
		if _, err := store.Pool().Exec(ctx, "VACUUM (ANALYZE) "+table); err != nil {
			t.Fatal(err)
		}
	}
}
