package db_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

func happen(t *testing.T, q *db.Queries, id int64, kind transfer.EventKind) error {
	t.Helper()
	_, err := q.AddEvent(t.Context(), db.AddEventParams{JobID: id, Kind: kind, Message: "m", Payload: []byte("{}")})
	return err
}

func TestFollowReturnsWhatComesAfterInPages(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id, other := create(t, store, transfer.Copy), create(t, store, transfer.Copy)
	for range 5 {
		must(t, happen(t, db.New(store.Pool()), id, transfer.EventVerified))
	}
	must(t, happen(t, db.New(store.Pool()), other, transfer.EventVerified))
	for _, test := range []struct {
		after, first int64
		most         int32
		events       int
		more         bool
	}{
		{0, 1, db.AllEvents, 5, false}, {0, 1, 2, 2, true}, {2, 3, 2, 2, true}, {3, 4, 2, 2, false}, {4, 5, 2, 1, false},
		{0, 1, 5, 5, false}, {5, 0, 2, 0, false}, {9, 0, 2, 0, false},
	} {
		f, err := store.Follow(t.Context(), id, test.after, test.most)
		if err != nil || f.Job.ID != id || len(f.Events) != test.events || f.More != test.more ||
			test.events > 0 && f.Events[0].Seq != test.first {
			t.Errorf("%+v: %+v, %v", test, f, err)
		}
	}
}

// What is followed as ended lacks nothing: an end and its event are one transaction.
func TestAFollowedJobIsOfOneMoment(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	const rounds = 20
	for range rounds {
		id := createAs(t, store, transfer.Copy, transfer.Running)
		var ending sync.WaitGroup
		ending.Go(func() {
			err := store.InTx(t.Context(), func(tx pgx.Tx, q *db.Queries) error {
				if _, err := tx.Exec(t.Context(), become, id, transfer.Success); err != nil {
					return err
				}
				return happen(t, q, id, transfer.EventFinished)
			})
			if err != nil {
				t.Error(err)
			}
		})
		for {
			f, err := store.Follow(t.Context(), id, 0, db.AllEvents)
			must(t, err)
			if ended := f.Job.Status == transfer.Success; ended != (len(f.Events) == 1) {
				t.Fatalf("a %s job with %d events", f.Job.Status, len(f.Events))
			} else if ended {
				break
			}
		}
		ending.Wait()
	}
}

func TestOnlyARunningJobHasProgress(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id, _ := createRun(t, store)
	exec(t, store, "UPDATE job_runs SET phase = 'copying', files_done = 1, files_total = 2, bytes_done = 3, bytes_total = 4, bytes_per_second = 5.5, seconds_left = 6.5")
	f, err := store.JobWithProgress(t.Context(), id)
	must(t, err)
	if p := f.Progress; p == nil || p.UpdatedAt.IsZero() || *p != (db.RunProgress{Worker: "w", Phase: "copying", FilesDone: 1,
		FilesTotal: 2, BytesDone: 3, BytesTotal: 4, BytesPerSecond: 5.5, SecondsLeft: 6.5, UpdatedAt: p.UpdatedAt}) {
		t.Errorf("%+v", f.Progress)
	}
	exec(t, store, become, id, transfer.Cancelled) // and its worker sweeps
	f, err = store.JobWithProgress(t.Context(), id)
	must(t, err)
	if f.Progress != nil || f.Job.Status != transfer.Cancelled {
		t.Errorf("%+v", f)
	}
}

func TestNobodyFollowsAJobThatIsNone(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	if _, err := store.Follow(t.Context(), 7, 0, db.AllEvents); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("Follow: %v", err)
	}
	if _, err := store.JobWithProgress(t.Context(), 7); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("JobWithProgress: %v", err)
	}
}
