package db_test

import (
	"math"
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

func wantEstimate(t *testing.T, store *db.Store, of db.EstimateOf, seconds float64, jobs int) {
	t.Helper()
	got, err := store.Estimate(t.Context(), of)
	must(t, err)
	if got.Jobs != jobs || math.Abs(got.Seconds-seconds) > seconds/1000 {
		t.Errorf("%+v: %+v, want %v s from %d jobs", of, got, seconds, jobs)
	}
}

func TestAnEstimateRestsOnJobsBetweenTheSamePortals(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	lab, far := createPortal(t, store, "LAB"), createPortal(t, store, "FAR")
	of := db.EstimateOf{Mode: transfer.Copy, Strategy: transfer.Direct, SourcePortal: &lab.ID, DestinationPortal: &far.ID, Files: 100, Bytes: 1e9}
	wantEstimate(t, store, of, 0, 0)
	for _, seconds := range []float64{10, 12, 90} {
		ended(t, store, createBetween(t, store, &lab, &far, transfer.Success), transfer.Direct, 100, 1e9, seconds)
	}
	createBetween(t, store, &lab, &far, transfer.Failed)
	ended(t, store, createBetween(t, store, &far, &lab, transfer.Success), transfer.Direct, 100, 1e9, 1000)
	ended(t, store, createBetween(t, store, nil, nil, transfer.Success), transfer.Direct, 100, 1e9, 1)
	wantEstimate(t, store, of, 12, 3) // one slow day alters little
	of.Bytes = 4e9
	wantEstimate(t, store, of, 48, 3)
	of.Mode = transfer.Move // for want of moves
	wantEstimate(t, store, of, 48, 3)
	of.Strategy = transfer.ZipFirst
	wantEstimate(t, store, of, 0, 0)
	wantEstimate(t, store, db.EstimateOf{Mode: transfer.Copy, Strategy: transfer.Direct, Files: 100, Bytes: 1e9}, 1, 1)
}

func TestAnEstimateRestsOnTheJobsOfMostSimilarSize(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	for i := range 30 {
		files, seconds := int64(1), 1.0
		if i%3 == 0 {
			files, seconds = 5000, 400
		}
		ended(t, store, createAs(t, store, transfer.Copy, transfer.Success), transfer.Direct, files, 1e9, seconds)
	}
	wantEstimate(t, store, db.EstimateOf{Mode: transfer.Copy, Strategy: transfer.Direct, Files: 1, Bytes: 1e9}, 1, 20)
	wantEstimate(t, store, db.EstimateOf{Mode: transfer.Copy, Strategy: transfer.Direct, Files: 1, Bytes: 2e9}, 2, 20)
}

func TestARenameIsNoMeasureOfACopyNorTheOtherWayRound(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	renamed, copied := createAs(t, store, transfer.Move, transfer.Success), createAs(t, store, transfer.Move, transfer.Success)
	ended(t, store, renamed, transfer.Direct, 10, 1e9, 0.1)
	ended(t, store, copied, transfer.Direct, 10, 1e9, 10)
	exec(t, store, "UPDATE jobs SET method = 'rename' WHERE id = $1", renamed)
	of := db.EstimateOf{Mode: transfer.Move, Strategy: transfer.Direct, Files: 10, Bytes: 1e10}
	wantEstimate(t, store, of, 100, 1)
	of.Renames = true
	wantEstimate(t, store, of, 0.1, 1)
}
