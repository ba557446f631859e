package db_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// What a statement may read of a large table doesn't depend on the table's size. Times are no matter here: see
// docs/scale.md.

// large are the tables that grow with the history.
var large = []string{"jobs", "job_events"}

// within fails the test where a plan reads a large table whole, or more rows than it may, or sorts more.
func within(t *testing.T, what string, plans []testdb.Plan, rows float64) {
	t.Helper()
	for _, plan := range plans {
		for _, table := range large {
			if plan.ReadsWhole(table) || plan.Read(table) > rows {
				t.Errorf("%s reads %.0f rows of %s, and may read %.0f: %s", what, plan.Read(table), table, rows, plan)
			}
		}
		if plan.Sorted() > rows {
			t.Errorf("%s sorts %.0f rows, and may sort %.0f: %s", what, plan.Sorted(), rows, plan)
		}
	}
}

// explained runs fn with plans for the parameters at hand, and with general ones.
func explained(t *testing.T, url string, fn func(*testing.T, *testdb.Explainer)) {
	t.Run("plans for the parameters", func(t *testing.T) { fn(t, testdb.Explain(t, url, false)) })
	t.Run("general plans", func(t *testing.T) { fn(t, testdb.Explain(t, url, true)) })
}

// filters are all there are, of every combination.
func filters() (all []db.JobFilter) {
	for _, status := range orAny(transfer.Statuses()...) {
		for _, mode := range orAny(transfer.Copy, transfer.Move) {
			for _, strategy := range orAny(transfer.Direct, transfer.ZipFirst) {
				all = append(all, db.JobFilter{Status: status, Mode: mode, Strategy: strategy})
			}
		}
	}
	return all
}

func orAny[T any](values ...T) []*T {
	all := []*T{nil}
	for _, value := range values {
		all = append(all, &value)
	}
	return all
}

func told(f db.JobFilter) string {
	text := "jobs"
	if f.Status != nil {
		text += " " + string(*f.Status)
	}
	if f.Mode != nil {
		text += " " + string(*f.Mode)
	}
	if f.Strategy != nil {
		text += " " + string(*f.Strategy)
	}
	if f.Before != nil {
		text += fmt.Sprintf(" before %d", *f.Before)
	}
	return text
}

// naively lists by a condition that anybody believes.
func naively(t *testing.T, store *db.Store, f db.JobFilter) []int64 {
	t.Helper()
	rows, _ := store.Pool().Query(t.Context(), `SELECT id FROM jobs WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR mode = $2)
		AND ($3::text IS NULL OR strategy = $3) AND ($4::bigint IS NULL OR id < $4) ORDER BY id DESC LIMIT $5`,
		f.Status, f.Mode, f.Strategy, f.Before, f.Limit)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	must(t, err)
	return ids
}

func TestWhatIsReadDoesNotGrowWithTheTables(t *testing.T) {
	t.Parallel()
	store, url := testdb.New(t)
	jobs := testdb.ScaleJobs(t)
	testdb.Fill(t, store, jobs)
	t.Run("lists", func(t *testing.T) { listsReadTheirPage(t, store, url, jobs) })
	t.Run("one job", func(t *testing.T) { oneJobReadsItsRows(t, url, int64(jobs/2)) })
	t.Run("figures", func(t *testing.T) { figuresReadNoHistory(t, url, jobs) })
	t.Run("nothing to do", func(t *testing.T) { choresWithNothingToDoReadNothing(t, store, url) })
}

// Every filter, alone and together, reads its page and nothing else, however rare and old what it asks for is.
func listsReadTheirPage(t *testing.T, store *db.Store, url string, jobs int) {
	const page = 51
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		for _, before := range []*int64{nil, new(int64(jobs / 2)), new(int64(jobs / 500))} {
			for _, filter := range filters() {
				filter.Before, filter.Limit = before, page
				explainer.Plans = nil
				listed, err := db.New(explainer).Jobs(t.Context(), filter)
				must(t, err)
				// A page for each combination that fits the filter, as ids, and the page itself.
				within(t, told(filter), explainer.Plans, float64(combinations(filter)+1)*page)
				var ids []int64
				for _, job := range listed {
					ids = append(ids, job.ID)
				}
				if want := naively(t, store, filter); !slices.Equal(ids, want) {
					t.Errorf("%s: %v, want %v", told(filter), ids, want)
				}
			}
		}
	})
}

// combinations of status, mode and strategy (or none yet) that fit a filter.
func combinations(f db.JobFilter) int {
	n := 1
	if f.Status == nil {
		n *= len(transfer.Statuses())
	}
	if f.Mode == nil {
		n *= 2
	}
	if f.Strategy == nil {
		n *= 3
	}
	return n
}

func oneJobReadsItsRows(t *testing.T, url string, id int64) {
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		q := db.New(explainer)
		row, err := q.GetJobWithProgress(t.Context(), id)
		must(t, err)
		events, err := q.ListEventsBetween(t.Context(), db.ListEventsBetweenParams{JobID: id, UpTo: row.Job.EventSeq, RowLimit: db.AllEvents})
		must(t, err)
		if len(events) != 8 || row.Job.ID != id {
			t.Fatalf("job %d has %d events", row.Job.ID, len(events))
		}
		_, err = q.LockJob(t.Context(), id)
		must(t, err)
		must(t, q.SetStrategy(t.Context(), db.SetStrategyParams{ID: id, Strategy: new(transfer.Direct)}))
		within(t, "one job", explainer.Plans, 8)
	})
}

// Workers do these every few seconds, or every hour, and mostly in vain. What is old enough was dealt with before.
func choresWithNothingToDoReadNothing(t *testing.T, store *db.Store, url string) {
	const month = 30 * 24 * time.Hour
	exec(t, store, "UPDATE installation SET events_deleted_until = (SELECT max(finished_at) FROM jobs WHERE finished_at < now() - $1::interval)", 6*month)
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		q := db.New(explainer)
		nothing := func(rows int64, err error) {
			t.Helper()
			if err != nil || rows != 0 {
				t.Errorf("%d rows, %v", rows, err)
			}
		}
		expired, err := q.ExpiredRuns(t.Context())
		nothing(int64(len(expired)), err)
		unswept, err := q.UnsweptJobs(t.Context(), db.UnsweptJobsParams{Queues: []string{"default"}, Grace: time.Hour})
		nothing(int64(len(unswept)), err)
		nothing(q.DeleteOldKeys(t.Context(), 24*time.Hour))
		nothing(q.DeleteOldJobs(t.Context(), db.DeleteOldJobsParams{OlderThan: 13 * month, RowLimit: 1000}))
		within(t, "a chore", explainer.Plans, 100) // of the jobs that run
		tellTimes(t, explainer.Plans)
		explainer.Plans = nil
		nothing(q.DeleteOldEvents(t.Context(), db.DeleteOldEventsParams{OlderThan: 6*month + time.Second, RowLimit: 1000}))
		within(t, "the deletion of events", explainer.Plans, 16)
		tellTimes(t, explainer.Plans)
	})
}

func tellTimes(t *testing.T, plans []testdb.Plan) {
	for _, plan := range plans {
		name, _, _ := strings.Cut(plan.SQL, "\n") // sqlc's comment
		t.Logf("%.3f ms %s", plan.Milliseconds, name)
	}
}
