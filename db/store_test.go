package db_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// A transaction that rolls back gives its number back, so numbers have no gaps.
func TestEventNumbersHaveNoGaps(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id := create(t, store, transfer.Copy)
	given := errors.New("given up")
	const writers, each = 8, 20
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for i := range each {
				err := store.InTx(t.Context(), func(_ pgx.Tx, q *db.Queries) error {
					_, err := q.AddEvent(t.Context(), db.AddEventParams{
						JobID: id, Kind: transfer.EventVerified, Message: "m", Payload: []byte("{}"),
					})
					if err == nil && i%4 == 3 {
						return given
					}
					return err
				})
				if err != nil && !errors.Is(err, given) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	job, events, err := store.JobWithEvents(t.Context(), id)
	must(t, err)
	if want := writers * each * 3 / 4; len(events) != want || job.EventSeq != int64(want) {
		t.Fatalf("%d events, the last is %d, want %d", len(events), job.EventSeq, want)
	}
	for i, event := range events {
		if event.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, event.Seq)
		}
	}
}

func TestInRunRefusesAStaleToken(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id, token := createRun(t, store)
	write := func(id int64, token string) error {
		return store.InRun(t.Context(), id, token, func(_ pgx.Tx, q *db.Queries, _ db.Job) error {
			_, err := q.AddEvent(t.Context(), db.AddEventParams{
				JobID: id, Kind: transfer.EventVerified, Message: "m", Payload: []byte("{}"),
			})
			return err
		})
	}
	must(t, write(id, token))
	const stranger = "00000000-0000-4000-8000-000000000000"
	other, otherToken := createRun(t, store)
	for what, err := range map[string]error{
		"a token never given": write(id, stranger),
		"another job's token": write(id, otherToken),
		"a job that isn't":    write(other+1000, token),
	} {
		if !errors.Is(err, db.ErrRunLost) {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, db.New(store.Pool()).EndRun(t.Context(), db.EndRunParams{JobID: id, RunToken: token}))
	if err := write(id, token); !errors.Is(err, db.ErrRunLost) {
		t.Errorf("a run that ended: %v", err)
	}
	if n := scan[int](t, store, "SELECT count(*) FROM job_events"); n != 1 {
		t.Errorf("%d events, want the one of the living run", n)
	}
}

// The token is judged after the row lock was got, not as of when it was asked for.
func TestInRunSeesATakeoverThatItWaitedFor(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id, token := createRun(t, store)
	written := make(chan error, 1)
	err := store.InTx(t.Context(), func(_ pgx.Tx, q *db.Queries) error {
		if _, err := q.LockJob(t.Context(), id); err != nil {
			return err
		}
		go func() {
			written <- store.InRun(context.WithoutCancel(t.Context()), id, token, func(pgx.Tx, *db.Queries, db.Job) error {
				t.Error("the stale run writes")
				return nil
			})
		}()
		eventually(t, "InRun waits for the lock", func() bool {
			return scan[bool](t, store, `SELECT EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock')`)
		})
		if err := q.EndRun(t.Context(), db.EndRunParams{JobID: id, RunToken: token}); err != nil {
			return err
		}
		_, err := q.StartRun(t.Context(), db.StartRunParams{JobID: id, Worker: "other", Lease: time.Hour})
		return err
	})
	must(t, err)
	if err := <-written; !errors.Is(err, db.ErrRunLost) {
		t.Errorf("the stale run got %v", err)
	}
}

// One statement renews what is ours, leaves the rest alone, and waits for nobody.
func TestRenewalsAreTheRunsAlone(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	mine, myToken := createRun(t, store)
	lost, lostToken := createRun(t, store)
	locked, lockedToken := createRun(t, store)
	exec(t, store, "UPDATE job_runs SET lease_expires_at = now() - interval '1 s'")
	exec(t, store, "UPDATE job_runs SET run_token = gen_random_uuid() WHERE job_id = $1", lost)
	exec(t, store, "UPDATE jobs SET cancel_requested_at = now() WHERE id = $1", locked)
	renewal := db.RenewRunsParams{Lease: time.Hour, JobIds: []int64{mine, lost, locked}, RunTokens: []string{myToken, lostToken, lockedToken},
		Phases: []string{"copying", "", ""}, FilesDone: []int64{3, 0, 0}, FilesTotal: []int64{0, 0, 0}, BytesDone: []int64{0, 0, 0},
		BytesTotal: []int64{9, 0, 0}, Rates: []float64{1.5, 0, 0}, SecondsLeft: []float64{7, 0, 0}}
	err := store.InTx(t.Context(), func(tx pgx.Tx, _ *db.Queries) error {
		if _, err := tx.Exec(t.Context(), "SELECT FROM job_runs WHERE job_id = $1 FOR UPDATE", locked); err != nil {
			return err
		}
		owning, err := store.RenewRuns(t.Context(), renewal)
		want := map[string]db.RenewRunsRow{
			myToken:     {RunToken: myToken, Renewed: true},
			lockedToken: {RunToken: lockedToken, CancelRequested: true},
		}
		if !maps.Equal(owning, want) {
			t.Errorf("owning %v, want %v", owning, want)
		}
		return err
	})
	must(t, err)
	runs, err := store.ExpiredRuns(t.Context())
	must(t, err)
	if len(runs) != 2 || slices.ContainsFunc(runs, func(r db.ExpiredRunsRow) bool { return r.JobID == mine }) {
		t.Errorf("expired: %v", runs)
	}
	if got := scan[string](t, store, "SELECT concat_ws(' ', phase, files_done, bytes_total, bytes_per_second, seconds_left) FROM job_runs WHERE job_id = $1",
		mine); got != "copying 3 9 1.5 7" {
		t.Errorf("the progress is %s", got)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	pendingCopy := create(t, store, transfer.Copy)
	pendingMove := create(t, store, transfer.Move)
	runningCopy := createAs(t, store, transfer.Copy, transfer.Running) // strategy DIRECT, as all that became something
	failedMove := createAs(t, store, transfer.Move, transfer.Failed)
	zipped := createAs(t, store, transfer.Copy, transfer.Success)
	exec(t, store, "UPDATE jobs SET strategy = 'ZIP_FIRST' WHERE id = $1", zipped)
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		filter db.ListJobsParams
		want   []int64
	}{
		"all":             {db.ListJobsParams{}, []int64{zipped, failedMove, runningCopy, pendingMove, pendingCopy}},
		"status":          {db.ListJobsParams{Status: text("pending")}, []int64{pendingMove, pendingCopy}},
		"mode":            {db.ListJobsParams{Mode: text("move")}, []int64{failedMove, pendingMove}},
		"strategy":        {db.ListJobsParams{Strategy: text("DIRECT")}, []int64{failedMove, runningCopy}},
		"zip":             {db.ListJobsParams{Strategy: text("ZIP_FIRST")}, []int64{zipped}},
		"status and mode": {db.ListJobsParams{Status: text("pending"), Mode: text("move")}, []int64{pendingMove}},
		"before":          {db.ListJobsParams{Before: &runningCopy}, []int64{pendingMove, pendingCopy}},
		"before and mode": {db.ListJobsParams{Before: &failedMove, Mode: text("copy")}, []int64{runningCopy, pendingCopy}},
		"limit":           {db.ListJobsParams{RowLimit: 2}, []int64{zipped, failedMove}},
		"none":            {db.ListJobsParams{Status: text("cancelled")}, nil},
	} {
		if c.filter.RowLimit == 0 {
			c.filter.RowLimit = 100
		}
		jobs, err := store.Jobs(t.Context(), c.filter)
		must(t, err)
		var got []int64
		for _, job := range jobs {
			got = append(got, job.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAJobThatIsNot(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	if _, err := store.Job(t.Context(), 7); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("Job: %v", err)
	}
	if _, _, err := store.JobWithEvents(t.Context(), 7); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("JobWithEvents: %v", err)
	}
}

func TestNoErrorQuotesThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@host:port/db", "mysql://u:hunter2@host/db", "postgres://u:hunter2@%zz"} {
		_, err := db.Open(t.Context(), url, 2)
		if err == nil {
			err = db.MigrateUp(url)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
		if err := db.MigrateUp(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("migrating %s: %v", url, err)
		}
	}
}

func TestEveryDatabaseIsAnInstallationOfItsOwn(t *testing.T) {
	t.Parallel()
	_, urlA := testdb.Empty(t)
	_, urlB := testdb.Empty(t)
	ids := map[string]bool{}
	for _, url := range []string{urlA, urlB} {
		must(t, db.MigrateUp(url))
		store, err := db.Open(t.Context(), url, 2)
		must(t, err)
		t.Cleanup(store.Close)
		id, err := store.Installation(t.Context())
		must(t, err)
		ids[id] = true
	}
	if len(ids) != 2 || ids[""] {
		t.Errorf("installations %v", ids)
	}
}
