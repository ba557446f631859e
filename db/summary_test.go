package db_test

import (
	"maps"
	"math"
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// ended gives a job that has ended its size and how long it ran.
func ended(t *testing.T, store *db.Store, id int64, strategy transfer.Strategy, files, bytes int64, seconds float64) {
	t.Helper()
	exec(t, store, `UPDATE jobs SET strategy = $2, files_copied = $3, bytes_copied = $4, finished_at = started_at + $5 * interval '1 s' WHERE id = $1`,
		id, strategy, files, bytes, seconds)
}

func TestASummaryHasAGroupForEachStrategyModeAndPairOfPortals(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	lab, far := createPortal(t, store, "LAB"), createPortal(t, store, "FAR")
	for i, seconds := range []float64{4, 1, 2, 3} {
		ended(t, store, createBetween(t, store, &lab, &far, transfer.Success), transfer.Direct, int64(i), 1e6, seconds)
	}
	for _, status := range []transfer.Status{transfer.Failed, transfer.Failed, transfer.Cancelled, transfer.Running} {
		createBetween(t, store, &lab, &far, status)
	}
	exec(t, store, "UPDATE jobs SET error_code = 'verify_mismatch' WHERE id = (SELECT min(id) FROM jobs WHERE status = 'failed')")
	ended(t, store, createBetween(t, store, &lab, &far, transfer.Success), transfer.ZipFirst, 5, 5e6, 10)
	createBetween(t, store, nil, &far, transfer.Pending)
	createBetween(t, store, nil, &far, transfer.Pending)
	create(t, store, transfer.Move)

	groups, err := store.Summary(t.Context(), db.SummaryFilter{})
	must(t, err)
	if len(groups) != 4 {
		t.Fatalf("%d groups: %+v", len(groups), groups)
	}
	direct := groups[0]
	if *direct.Strategy != transfer.Direct || direct.Mode != transfer.Copy || *direct.SourcePortal != "LAB" || *direct.DestinationPortal != "FAR" ||
		direct.Jobs() != 8 || direct.Succeeded != 4 || direct.Failed != 2 || direct.Cancelled != 1 || direct.Unfinished != 1 ||
		direct.Files != 6 || direct.Bytes != 4e6 ||
		!maps.Equal(direct.Failures, map[failure.Code]int64{failure.IOError: 1, failure.VerifyMismatch: 1}) {
		t.Errorf("%+v", direct)
	}
	// Of 1, 2, 3 and 4 s: halfway between the two in the middle; 95 % of the way from the first to the last.
	for what, figure := range map[string]struct{ got, want float64 }{
		"median": {*direct.MedianSeconds, 2.5}, "p95": {*direct.P95Seconds, 3.85},
		"MB/s": {*direct.MBPerSecond, 0.4}, "files/s": {*direct.FilesPerSecond, 0.6},
	} {
		if math.Abs(figure.got-figure.want) > 1e-6 {
			t.Errorf("%s is %v, want %v", what, figure.got, figure.want)
		}
	}
	waiting := groups[1]
	if waiting.Strategy != nil || waiting.SourcePortal != nil || waiting.Jobs() != 2 || waiting.Unfinished != 2 || waiting.MedianSeconds != nil ||
		waiting.P95Seconds != nil || waiting.MBPerSecond != nil || waiting.FilesPerSecond != nil || len(waiting.Failures) != 0 {
		t.Errorf("%+v", waiting)
	}
	wantGroups(t, store, db.SummaryFilter{Mode: new(transfer.Move)}, 1)
	wantGroups(t, store, db.SummaryFilter{Strategy: new(transfer.ZipFirst)}, 1)
	wantGroups(t, store, db.SummaryFilter{Portal: new("LAB")}, 8, 1)
	wantGroups(t, store, db.SummaryFilter{Portal: new("NEVER")})
	wantGroups(t, store, db.SummaryFilter{Since: new(time.Now().Add(time.Hour))})
	wantGroups(t, store, db.SummaryFilter{Until: new(time.Now().Add(-time.Hour))})
}

// wantGroups compares how many jobs the groups have.
func wantGroups(t *testing.T, store *db.Store, filter db.SummaryFilter, want ...int64) {
	t.Helper()
	groups, err := store.Summary(t.Context(), filter)
	must(t, err)
	if len(groups) != len(want) {
		t.Fatalf("%+v: %d groups, want %d", filter, len(groups), len(want))
	}
	for i, group := range groups {
		if group.Jobs() != want[i] {
			t.Errorf("%+v: group %d has %d jobs, want %d", filter, i, group.Jobs(), want[i])
		}
	}
}

// A portal that was deleted and made again is the same one to those who read names.
func TestASummaryGoesByNames(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	for range 2 {
		lab := createPortal(t, store, "LAB")
		ended(t, store, createBetween(t, store, &lab, nil, transfer.Success), transfer.Direct, 1, 1, 1)
		must(t, store.DeletePortal(t.Context(), lab.ID))
	}
	wantGroups(t, store, db.SummaryFilter{}, 2)
}

func TestAClockThatWasSetBackMakesNoDurationNegative(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	ended(t, store, createAs(t, store, transfer.Copy, transfer.Success), transfer.Direct, 1, 1, -60)
	groups, err := store.Summary(t.Context(), db.SummaryFilter{})
	must(t, err)
	if len(groups) != 1 || *groups[0].MedianSeconds != 0 || groups[0].MBPerSecond != nil {
		t.Errorf("%+v", groups)
	}
}
