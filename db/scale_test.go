package db_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
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

func TestWhatIsReadDoesNotGrowWithTheTables(t *testing.T) {
	t.Parallel()
	store, url := testdb.New(t)
	jobs := testdb.ScaleJobs(t)
	testdb.Fill(t, store, jobs)
	t.Run("lists", func(t *testing.T) { listsReadTheirPage(t, store, url, jobs) })
	t.Run("lists of portals, codes and times", func(t *testing.T) { narrowListsReadLittle(t, store, url, jobs) })
	t.Run("summaries", func(t *testing.T) { summariesReadWhatTheySumUp(t, url, jobs) })
	t.Run("estimates", func(t *testing.T) { estimatesReadTheLatest(t, url) })
	t.Run("one job", func(t *testing.T) { oneJobReadsItsRows(t, url, int64(jobs/2)) })
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
				if ids, want := idsOf(listed), naively(t, store, filter); !slices.Equal(ids, want) {
					t.Errorf("%s: %v, want %v", told(filter), ids, want)
				}
			}
		}
	})
}

// edges are how many of a year's jobs share a hundred of ids or an hour with the ends of a time.
func edges(jobs int) float64 { return 2 * (100 + float64(jobs)/(365*24) + 1) }

// narrowFilters name portals, codes and times, alone and together: common and rare ones, of all of the time and of a part.
func narrowFilters() (all []db.JobFilter) {
	year, now := time.Now().AddDate(-1, 0, 0), time.Now()
	for _, time := range []struct{ since, until *time.Time }{
		{}, {new(now.AddDate(0, 0, -2)), nil}, {nil, new(year.AddDate(0, 0, 3))}, {new(year.AddDate(0, 2, 0)), new(year.AddDate(0, 5, 0))},
	} {
		for _, portal := range orAny("NEXIS", "portal-7", "ATTIC", "1012", "NOWHERE") {
			for _, code := range orAny(failure.IOError, failure.VerifyMismatch, failure.ArchiveError) {
				all = append(all, db.JobFilter{Portal: portal, Code: code, Since: time.since, Until: time.until})
			}
		}
		all = append(all,
			db.JobFilter{Mode: new(transfer.Move), Since: time.since, Until: time.until},
			db.JobFilter{Status: new(transfer.Failed), Strategy: new(transfer.ZipFirst), Mode: new(transfer.Move), Since: time.since, Until: time.until},
			db.JobFilter{Status: new(transfer.Cancelled), Portal: new("SRVTRF"), Strategy: new(transfer.Direct), Since: time.since, Until: time.until})
	}
	return all
}

// What is common is found among the newest ids, and of what is rare there is little: some pages are read, however many ranges fit.
func narrowListsReadLittle(t *testing.T, store *db.Store, url string, inAll int) {
	const page = 51
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		took := map[float64]string{}
		for _, filter := range narrowFilters() {
			filter.Limit = page
			explainer.Plans = nil
			listed, err := db.New(explainer).Jobs(t.Context(), filter)
			must(t, err)
			within(t, told(filter), explainer.Plans, float64(combinations(filter)+1)*page+edges(inAll))
			took[milliseconds(explainer.Plans)] = told(filter)
			if ids, want := idsOf(listed), naively(t, store, filter); !slices.Equal(ids, want) {
				t.Errorf("%s: %v, want %v", told(filter), ids, want)
			}
		}
		tellSlowest(t, took)
	})
}

// tellSlowest tells how long the one in the middle took, and the slowest.
func tellSlowest(t *testing.T, took map[float64]string) {
	times := slices.Sorted(maps.Keys(took))
	slowest := times[len(times)-1]
	t.Logf("%d lists: %.3f ms is the median, %.3f ms the slowest: %s", len(times), times[len(times)/2], slowest, took[slowest])
}

func milliseconds(plans []testdb.Plan) (sum float64) {
	for _, plan := range plans {
		sum += plan.Milliseconds
	}
	return sum
}

// A summary reads the jobs of its time, each once.
func summariesReadWhatTheySumUp(t *testing.T, url string, inAll int) {
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		month := db.SummaryFilter{Since: new(time.Now().AddDate(0, -3, 0)), Until: new(time.Now().AddDate(0, -2, 0))}
		for _, filter := range []db.SummaryFilter{{}, month, {Portal: new("ATTIC")}} {
			explainer.Plans = nil
			groups, err := db.New(explainer).Summary(t.Context(), filter)
			must(t, err)
			var jobs float64
			for _, group := range groups {
				jobs += float64(group.Jobs())
			}
			if jobs == 0 {
				t.Errorf("%+v: no jobs", filter)
			}
			for _, plan := range explainer.Plans {
				if plan.ReadsWhole("jobs") || plan.Read("jobs") > jobs+edges(inAll) {
					t.Errorf("%+v reads %.0f rows for %.0f jobs: %s", filter, plan.Read("jobs"), jobs, plan)
				}
			}
			tellTimes(t, explainer.Plans)
		}
	})
}

func estimatesReadTheLatest(t *testing.T, url string) {
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		for _, pair := range [][2]*int64{{nil, nil}, {new(int64(1001)), new(int64(1002))}} {
			explainer.Plans = nil
			got, err := db.New(explainer).Estimate(t.Context(), db.EstimateOf{
				Mode: transfer.Copy, Strategy: transfer.Direct, SourcePortal: pair[0], DestinationPortal: pair[1], Files: 100, Bytes: 1e9,
			})
			must(t, err)
			if got.Jobs != 20 {
				t.Errorf("it rests on %d jobs", got.Jobs)
			}
			within(t, "an estimate", explainer.Plans, 16*200)
			tellTimes(t, explainer.Plans)
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
