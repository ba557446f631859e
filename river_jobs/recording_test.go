package riverjobs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// A database that is too slow to take the success is not a cancel: what was published is the job's, and is told later.
func TestASlowDatabaseIsNotACancel(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	release := b.hold(transfer.EventFinished)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	b.awaitHeld()
	b.awaitEvent(submitted.ID, transfer.EventRetryScheduled, 1) // when recording the success took too long
	release()
	job, _ := b.await(submitted.ID, transfer.Success)
	if job.FilesCopied != 2 || job.Attempts < 2 {
		t.Errorf("%d files, %d attempts", job.FilesCopied, job.Attempts)
	}
	b.wantTree("take", 2)
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
