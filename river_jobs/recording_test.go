package riverjobs_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// A database that is slow to take the success costs nothing: what was published is the job's, and is told as soon as it can be.
func TestASuccessIsRecordedForAsLongAsTheLeaseHolds(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	release := b.hold(transfer.EventFinished)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	b.awaitHeld()
	first := b.holder()
	eventually(t, "a second attempt, since the first took too long", func() bool { is := b.holder(); return is != 0 && is != first })
	release()
	job, events := b.await(submitted.ID, transfer.Success)
	if job.FilesCopied != 2 || job.Attempts != 1 || count(events, transfer.EventRetryScheduled) != 0 {
		t.Errorf("%d files, %d attempts, events %v", job.FilesCopied, job.Attempts, kinds(events))
	}
	b.wantTree("take", 2)
}

// A success that the database refuses is tried again, however often: the job is complete, and must not be told as failed.
func TestACompleteJobNeverFails(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	mend := b.breaks("jobs", "UPDATE", "NEW.status = 'success'")
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	exec(t, b.store, "UPDATE jobs SET attempts = 7")
	b.start("w1")
	b.awaitEvent(submitted.ID, transfer.EventRetryScheduled, 1)
	mend()
	b.await(submitted.ID, transfer.Success)
	b.wantTree("take", 2)
	b.wantGone(filepath.Join(b.from, "take"))
}

// A run that learns only with its success that it has lost its job, which has succeeded, did not do that itself.
func TestAnotherRunsSuccessIsNotOnesOwn(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	b.hold(transfer.EventFinished)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitHeld()
	tx, err := b.store.Pool().Begin(t.Context())
	must(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }() // of no consequence after the commit
	q, locked := db.New(tx), make(chan error, 1)
	go func() {
		_, err := q.LockJob(t.Context(), submitted.ID)
		locked <- err
	}()
	b.awaitWaiting(1) // for the row, which the run has until it loses its connection
	exec(t, b.store, "SELECT pg_terminate_backend($1)", b.holder())
	must(t, <-locked)
	b.awaitWaiting(1) // now it is the run that waits, to try again
	for _, takeover := range []string{"DELETE FROM job_runs", "UPDATE jobs SET river_job_id = river_job_id + 1"} {
		_, err = tx.Exec(t.Context(), takeover)
		must(t, err)
	}
	method := transfer.Copied
	must(t, q.SucceedJob(t.Context(), db.SucceedJobParams{ID: submitted.ID, Method: &method, FilesCopied: 2}))
	must(t, tx.Commit(t.Context()))
	if is := b.awaitRiver(submitted, "completed", "cancelled"); is.State == "completed" {
		t.Error("the run says that it has finished the job")
	}
}

// A worker that is frozen within a transaction keeps its rows only as long as the server lets an idle one.
func TestAnIdleTransactionIsEnded(t *testing.T) {
	b := setup(t)
	err := b.store.InTx(t.Context(), func(tx pgx.Tx, _ *db.Queries) error {
		var limit time.Duration
		if err := tx.QueryRow(t.Context(), "SELECT current_setting('idle_in_transaction_session_timeout')::interval").Scan(&limit); err != nil {
			return err
		}
		if limit <= 0 || limit > 10*time.Second {
			t.Errorf("an idle transaction may last %v", limit)
		}
		return nil
	})
	must(t, err)
}

// When not even the failure can be recorded, the job is found again once its lease has expired.
func TestWhenTheEndCannotBeRecorded(t *testing.T) {
	b := setup(t)
	b.lease = 3 * time.Second
	b.tree("take", 2)
	mend := b.breaks("job_events", "INSERT", "NEW.kind IN ('finished', 'retry_scheduled', 'error')")
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitEvent(submitted.ID, transfer.EventPublished, 1)
	b.awaitEvent(submitted.ID, transfer.EventRecovered, 1)
	mend()
	job, events := b.await(submitted.ID, transfer.Success)
	if job.Attempts < 2 || !slices.Contains(kinds(events), transfer.EventRecovered) || job.FilesCopied != 2 {
		t.Errorf("%d attempts, %d files, events %v", job.Attempts, job.FilesCopied, kinds(events))
	}
	b.wantTree("take", 2)
	b.wantSwept()
}
