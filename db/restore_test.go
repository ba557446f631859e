package db_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// A backup knows nothing of the restores that there were after it: all of them begin from the same numbers.
func TestTheSameBackupRestoredAgainGivesNoNumberTwice(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	var backup sequences
	must(t, store.Pool().QueryRow(t.Context(), "SELECT (SELECT last_value FROM jobs_id_seq), (SELECT last_value FROM portals_id_seq)").
		Scan(&backup.job, &backup.portal))
	var last sequences
	for range 3 {
		backup.restore(t, store)
		waitPast(t, store, max(last.job, last.portal))
		firstJob, firstPortal, err := store.SkipIDs(t.Context())
		must(t, err)
		job, portal := create(t, store, transfer.Copy), createPortal(t, store, fmt.Sprintf("portal-%d", firstPortal)).ID
		if job != firstJob || portal != firstPortal {
			t.Errorf("the first new numbers are %d and %d, told as %d and %d", job, portal, firstJob, firstPortal)
		}
		if job <= last.job || portal <= last.portal {
			t.Errorf("job %d and portal %d after %v", job, portal, last)
		}
		const exact = 1 << 53 // past it, JavaScript rounds
		if job >= exact || portal >= exact {
			t.Errorf("job %d and portal %d are too large for some clients", job, portal)
		}
		last = sequences{create(t, store, transfer.Copy), portal}
	}
}

// A clock that was set back: the backup has numbers that are past it.
func TestARestoredDatabaseGivesNoNumberTwiceWhateverItsClock(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	const lost = 1_000_000
	was := sequences{job: 1 << 50, portal: 1 << 51}
	was.restore(t, store)
	firstJob, firstPortal, err := store.SkipIDs(t.Context())
	must(t, err)
	if firstJob <= was.job+lost || firstPortal <= was.portal+lost {
		t.Errorf("job %d and portal %d after %v", firstJob, firstPortal, was)
	}
}

// sequences are the last numbers that were given.
type sequences struct{ job, portal int64 }

// restore does what pg_restore does to them.
func (s sequences) restore(t *testing.T, store *db.Store) {
	t.Helper()
	_, err := store.Pool().Exec(t.Context(), "SELECT setval('jobs_id_seq', $1), setval('portals_id_seq', $2)", s.job, s.portal)
	must(t, err)
}

// waitPast waits until the milliseconds of the database's clock are past a number, as they are after any restore.
func waitPast(t *testing.T, store *db.Store, number int64) {
	t.Helper()
	for {
		now, err := store.Clock(t.Context())
		must(t, err)
		if now.UnixMilli() > number {
			return
		}
	}
}

func TestOtherSessionsAreThoseOnThisDatabase(t *testing.T) {
	t.Parallel()
	store, url := testdb.New(t)
	elsewhere, _ := testdb.New(t)
	must(t, elsewhere.Ping(t.Context()))
	none, err := store.OtherSessions(t.Context())
	must(t, err)
	if len(none) > 0 {
		t.Errorf("alone, with %v", none)
	}
	worker, err := db.Open(t.Context(), url, 1)
	must(t, err)
	defer worker.Close()
	must(t, worker.Ping(t.Context()))
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { must(t, conn.Close(t.Context())) }()
	others, err := store.OtherSessions(t.Context())
	must(t, err)
	if want := []string{"a program without a name", "ketter"}; !slices.Equal(others, want) {
		t.Errorf("%v, want %v", others, want)
	}
}

func TestThePlaceOfADatabaseShowsNoPassword(t *testing.T) {
	t.Parallel()
	store, err := db.Open(t.Context(), "postgres://ketter:n33dle@db.example:5433/ketter_restored", 1)
	must(t, err)
	defer store.Close()
	if place := store.Place(); place != "ketter_restored on db.example:5433" {
		t.Error(place)
	}
}
