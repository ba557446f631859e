package db_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// naively lists by a condition that anybody believes.
func naively(t *testing.T, store *db.Store, f db.JobFilter) []int64 {
	t.Helper()
	rows, _ := store.Pool().Query(t.Context(), `SELECT id FROM jobs WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR mode = $2)
		AND ($3::text IS NULL OR strategy = $3) AND ($4::bigint IS NULL OR id < $4) AND ($6::text IS NULL OR error_code = $6)
		AND ($7::text IS NULL OR source_portal_name = $7 OR destination_portal_name = $7 OR source_portal::text = $7 OR destination_portal::text = $7)
		AND ($8::timestamptz IS NULL OR created_at >= $8) AND ($9::timestamptz IS NULL OR created_at < $9) ORDER BY id DESC LIMIT $5`,
		f.Status, f.Mode, f.Strategy, f.Before, f.Limit, f.Code, f.Portal, f.Since, f.Until)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	must(t, err)
	return ids
}

func idsOf(jobs []db.Job) (ids []int64) {
	for _, job := range jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

// told is a filter for people.
func told(f db.JobFilter) string {
	text := "jobs"
	add := func(format string, given bool, value func() any) {
		if given {
			text += fmt.Sprintf(format, value())
		}
	}
	add(" %s", f.Status != nil, func() any { return *f.Status })
	add(" %s", f.Mode != nil, func() any { return *f.Mode })
	add(" %s", f.Strategy != nil, func() any { return *f.Strategy })
	add(" with %s", f.Code != nil, func() any { return *f.Code })
	add(" of %s", f.Portal != nil, func() any { return *f.Portal })
	add(" since %s", f.Since != nil, func() any { return *f.Since })
	add(" until %s", f.Until != nil, func() any { return *f.Until })
	add(" before %d", f.Before != nil, func() any { return *f.Before })
	return text
}

// createBetween makes a job of a status between two portals, nil for none.
func createBetween(t *testing.T, store *db.Store, source, destination *db.Portal, status transfer.Status) int64 {
	t.Helper()
	id, err := createOf(t.Context(), db.New(store.Pool()), source, destination)
	must(t, err)
	if status != transfer.Pending {
		exec(t, store, become, id, transfer.Running)
	}
	if status.Final() {
		exec(t, store, become, id, status)
	}
	return id
}

func wantListed(t *testing.T, store *db.Store, filter db.JobFilter, want ...int64) {
	t.Helper()
	filter.Limit = 500
	listed, err := store.Jobs(t.Context(), filter)
	must(t, err)
	want = slices.SortedFunc(slices.Values(want), func(a, b int64) int { return cmp.Compare(b, a) })
	if got := idsOf(listed); !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", told(filter), got, want)
	}
}

// Since is part of a time, until isn't; to the microsecond, and whatever shares an hour with them.
func TestATimeBeginsWithSinceAndEndsBeforeUntil(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	var ids []int64
	for _, offset := range []time.Duration{-time.Hour, -time.Microsecond, 0, time.Microsecond, time.Hour} {
		id := create(t, store, transfer.Copy)
		exec(t, store, "UPDATE jobs SET created_at = $2 WHERE id = $1", id, at.Add(offset))
		ids = append(ids, id)
	}
	wantListed(t, store, db.JobFilter{Since: &at}, ids[2:]...)
	wantListed(t, store, db.JobFilter{Until: &at}, ids[:2]...)
	wantListed(t, store, db.JobFilter{Since: &at, Until: new(at.Add(time.Microsecond))}, ids[2])
	wantListed(t, store, db.JobFilter{Since: &at, Until: &at})
	wantListed(t, store, db.JobFilter{Since: new(at.Add(time.Hour)), Until: &at})
	wantListed(t, store, db.JobFilter{Since: new(at.AddDate(50, 0, 0))})
	wantListed(t, store, db.JobFilter{Until: new(at.AddDate(-50, 0, 0))})
	wantListed(t, store, db.JobFilter{Mode: new(transfer.Copy), Since: &at}, ids[2:]...)
}

// A clock that was set back by years, and numbers that a restore has left out, lose no job.
func TestATimeFindsJobsWhoseIDsAreOutOfItsOrder(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	insert := func(created time.Time) int64 {
		return scan[int64](t, store, `INSERT INTO jobs (mode, source_path, destination_path, created_at) VALUES ('copy', '/a', '/b', $1) RETURNING id`, created)
	}
	early := insert(at)
	for range 250 {
		insert(at.AddDate(5, 0, 0))
	}
	_, _, err := store.SkipIDs(t.Context())
	must(t, err)
	late := insert(at.Add(time.Minute))
	for _, filter := range []db.JobFilter{{}, {Mode: new(transfer.Copy)}, {Status: new(transfer.Pending)}} {
		filter.Since, filter.Until = &at, new(at.AddDate(1, 0, 0))
		wantListed(t, store, filter, early, late)
	}
	groups, err := store.Summary(t.Context(), db.SummaryFilter{Since: &at, Until: new(at.AddDate(1, 0, 0))})
	must(t, err)
	if len(groups) != 1 || groups[0].Jobs() != 2 {
		t.Errorf("summed up: %+v", groups)
	}
}

func TestAPortalIsFoundOnEitherSideByItsNameThenAndItsID(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	lab, far, other := createPortal(t, store, "LAB"), createPortal(t, store, "FAR"), createPortal(t, store, "OTHER")
	from := createBetween(t, store, &lab, &far, transfer.Success)
	to := createBetween(t, store, &far, &lab, transfer.Failed)
	both := createBetween(t, store, &lab, &lab, transfer.Pending)
	plain := createBetween(t, store, nil, &other, transfer.Success)
	createBetween(t, store, nil, nil, transfer.Success)

	renamed, err := store.ChangePortal(t.Context(), lab.ID, func(p db.Portal) (db.Portal, error) { p.Name = "LAB2"; return p, nil })
	must(t, err)
	after := createBetween(t, store, nil, &renamed, transfer.Success)
	wantListed(t, store, db.JobFilter{Portal: new("LAB")}, from, to, both)
	wantListed(t, store, db.JobFilter{Portal: new("LAB2")}, after)
	wantListed(t, store, db.JobFilter{Portal: new(fmt.Sprint(lab.ID))}, from, to, both, after)
	wantListed(t, store, db.JobFilter{Portal: new("LAB"), Status: new(transfer.Failed)}, to)
	wantListed(t, store, db.JobFilter{Portal: new("LAB"), Code: new(failure.IOError)}, to)
	wantListed(t, store, db.JobFilter{Portal: new("OTHER"), Code: new(failure.IOError)})
	wantListed(t, store, db.JobFilter{Portal: new("lab")})
	wantListed(t, store, db.JobFilter{Portal: new("NEVER")})

	must(t, store.DeletePortal(t.Context(), other.ID))
	wantListed(t, store, db.JobFilter{Portal: new("OTHER")}, plain)
	again := createPortal(t, store, "OTHER")
	second := createBetween(t, store, &again, nil, transfer.Success)
	wantListed(t, store, db.JobFilter{Portal: new("OTHER")}, plain, second)
	wantListed(t, store, db.JobFilter{Portal: new(fmt.Sprint(again.ID))}, second)
}

func TestACodeFindsWhatFailedWithItAndNothingThatGoesOn(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id := createAs(t, store, transfer.Copy, transfer.Failed)
	createAs(t, store, transfer.Copy, transfer.Success)
	code := db.JobFilter{Code: new(failure.IOError)}
	wantListed(t, store, code, id)
	wantListed(t, store, db.JobFilter{Code: code.Code, Status: new(transfer.Failed), Strategy: new(transfer.Direct), Mode: new(transfer.Copy)}, id)
	wantListed(t, store, db.JobFilter{Code: code.Code, Status: new(transfer.Success)})
	wantListed(t, store, db.JobFilter{Code: code.Code, Mode: new(transfer.Move)})
	wantListed(t, store, db.JobFilter{Code: new(failure.VerifyMismatch)})
	exec(t, store, "UPDATE jobs SET status = 'pending', finished_at = NULL, error_code = NULL WHERE id = $1", id)
	wantListed(t, store, code)
}

// Pages are small here, so that a portal that is seldom needs the wider looks too.
func TestPagesNeitherRepeatNorSkipWhileJobsAreSubmitted(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	lab, far := createPortal(t, store, "LAB"), createPortal(t, store, "FAR")
	insert := func(source db.Portal, jobs int) {
		exec(t, store, `INSERT INTO jobs (mode, source_path, destination_path, source_portal, source_portal_name)
			SELECT CASE n % 3 WHEN 0 THEN 'move' ELSE 'copy' END, '/a', '/b', $1, $2 FROM generate_series(1, $3::int) AS n`, source.ID, source.Name, jobs)
	}
	insert(lab, 30)
	insert(far, 1000)
	insert(lab, 7)
	since := time.Now().Add(-time.Hour)
	for _, filter := range []db.JobFilter{{Portal: new("LAB")}, {Portal: new("LAB"), Mode: new(transfer.Move)}, {Portal: new("LAB"), Since: &since}, {Since: &since, Until: new(since.AddDate(1, 0, 0))}} {
		filter.Limit = 100_000
		want := naively(t, store, filter)
		filter.Limit = 3
		var got []int64
		for {
			page, err := store.Jobs(t.Context(), filter)
			must(t, err)
			if len(page) == 0 {
				break
			}
			got = append(got, idsOf(page)...)
			filter.Before = &page[len(page)-1].ID
			insert(lab, 1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", told(filter), got, want)
		}
	}
}

// The first jobs of a route and of an hour come at once, as after a restart.
func TestJobsThatAreSubmittedAtOnceShareTheirRoute(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	lab := createPortal(t, store, "LAB")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				if _, err := createOf(t.Context(), db.New(store.Pool()), &lab, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := scan[int](t, store, "SELECT count(*) FROM routes"); n != 1 {
		t.Errorf("%d routes", n)
	}
	if n := scan[int](t, store, "SELECT count(*) FROM jobs JOIN routes r ON r.id = route AND r.source_portal_name = 'LAB'"); n != 40 {
		t.Errorf("%d of 40 jobs have it", n)
	}
}
