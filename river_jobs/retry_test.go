package riverjobs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// What a run published before it failed is its own: the next attempt recognises it.
func TestWhenTheSuccessCannotBeCommitted(t *testing.T) {
	for name, c := range map[string]struct {
		mode     transfer.Mode
		strategy transfer.Strategy
		method   transfer.Method
	}{
		"copy":      {transfer.Copy, transfer.Direct, transfer.Copied},
		"copy many": {transfer.Copy, transfer.ZipFirst, transfer.Archive},
		"move":      {transfer.Move, transfer.Direct, transfer.Copied},
		"rename":    {transfer.Move, transfer.Auto, transfer.Rename},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.tree("take", 3)
			mend := b.breaks("jobs", "UPDATE", "NEW.status = 'success'")
			b.start("w1")
			submitted := b.submit(b.spec("take", c.mode, c.strategy))
			b.awaitEvent(submitted.ID, transfer.EventRetryScheduled, 1)
			f, err := b.store.Follow(t.Context(), submitted.ID, 0, db.AllEvents)
			must(t, err)
			job, events := f.Job, f.Events
			if job.Status == transfer.Success || job.FinishedAt != nil || job.FilesCopied != 0 || slices.Contains(kinds(events), transfer.EventFinished) {
				t.Errorf("the job is %s with %v", job.Status, kinds(events))
			}
			if r := b.river(job); r.Finished {
				t.Errorf("River's job is %+v", r)
			}
			b.wantTree("take", 3)
			mend()
			job, events = b.await(submitted.ID, transfer.Success)
			if job.Attempts < 2 || job.FilesCopied != 3 || job.BytesCopied != 300 || *job.Method != c.method {
				t.Errorf("%d attempts, %d files, %d bytes by %s", job.Attempts, job.FilesCopied, job.BytesCopied, *job.Method)
			}
			if events[len(events)-1].Kind != transfer.EventFinished || count(events, transfer.EventFinished) != 1 {
				t.Errorf("events %v", kinds(events))
			}
			again := events[slices.Index(kinds(events), transfer.EventRetryScheduled):]
			if at := slices.Index(kinds(again), transfer.EventPublished); at < 0 || !strings.Contains(again[at].Message, "already") {
				t.Errorf("the publish was not recognised: %v", kinds(events))
			}
			if r := b.river(job); r.State != "completed" {
				t.Errorf("River's job is %+v", r)
			}
			b.wantTree("take", 3)
			if c.mode == transfer.Move {
				b.wantGone(filepath.Join(b.from, "take"))
			}
			b.wantSwept()
		})
	}
}

func TestATransientFailureIsTriedAgain(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	mend := b.breaks("job_events", "INSERT", "NEW.kind = 'verified'")
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitEvent(submitted.ID, transfer.EventRetryScheduled, 1)
	b.awaitRiver(submitted, "retryable", "available", "running")
	b.wantGone(filepath.Join(b.to, "take")) // nothing half done is left to be seen
	mend()
	job, events := b.await(submitted.ID, transfer.Success)
	if job.Attempts < 2 || job.ErrorCode != nil {
		t.Errorf("%d attempts, error %v", job.Attempts, job.ErrorCode)
	}
	retry := events[slices.Index(kinds(events), transfer.EventRetryScheduled)]
	if !strings.Contains(retry.Message, "Trying again in 2s (attempt 2 of 8)") || !strings.Contains(string(retry.Payload), `"retry_seconds": 2`) {
		t.Errorf("the event says %q %s", retry.Message, retry.Payload)
	}
	b.wantTree("take", 2)
	b.wantSwept()
}

// A transient failure is final at the last attempt.
func TestTheLastAttempt(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	b.breaks("job_events", "INSERT", "NEW.kind = 'verified'")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	exec(t, b.store, "UPDATE jobs SET attempts = 7")
	b.start("w1")
	job, _ := b.await(submitted.ID, transfer.Failed)
	if job.Attempts != 8 || text(job.ErrorMessage) == "" {
		t.Errorf("%d attempts, message %q", job.Attempts, text(job.ErrorMessage))
	}
	b.awaitRiver(job, "cancelled")
	b.wantGone(filepath.Join(b.to, "take"))
}

// A shutdown gives the job back, whether nothing is published yet or all, and another worker finishes it.
func TestShutdownGivesTheJobBack(t *testing.T) {
	for _, at := range []transfer.EventKind{transfer.EventStrategyDecision, transfer.EventVerified, transfer.EventPublished,
		transfer.EventSourceRemoved} {
		t.Run(string(at), func(t *testing.T) {
			b := setup(t)
			b.tree("take", 3)
			release := b.hold(at)
			stop := b.start("w1")
			submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
			b.awaitHeld()
			stop()

			job, events := b.await(submitted.ID, transfer.Pending)
			last := events[len(events)-1]
			if job.Attempts != 0 || last.Kind != transfer.EventRetryScheduled || !strings.Contains(string(last.Payload), `"shutdown"`) {
				t.Errorf("%d attempts; the last event is %s %s", job.Attempts, last.Kind, last.Payload)
			}
			if n := scan[int](t, b.store, "SELECT count(*) FROM job_runs"); n != 0 {
				t.Error("the run is not ended")
			}
			if r := b.river(job); r.State != "available" && r.State != "retryable" || r.Finished || r.Attempt != 0 {
				t.Errorf("River's job is %+v", r)
			}
			if at == transfer.EventStrategyDecision || at == transfer.EventVerified {
				b.wantGone(filepath.Join(b.to, "take"))
			}

			release()
			b.start("w2")
			job, events = b.await(submitted.ID, transfer.Success)
			if resumed := count(events, transfer.EventRecovered) == 1; resumed != (at == transfer.EventVerified) {
				t.Errorf("what was proven is used: %v", resumed)
			}
			if job.Attempts != 1 || job.FilesCopied != 3 || count(events, transfer.EventFinished) != 1 {
				t.Errorf("%d attempts, %d files, events %v", job.Attempts, job.FilesCopied, kinds(events))
			}
			if r := b.river(job); r.State != "completed" {
				t.Errorf("River's job is %+v", r)
			}
			b.wantTree("take", 3)
			b.wantGone(filepath.Join(b.from, "take"))
			b.wantSwept()
		})
	}
}

// A River job that is not the row's own, or whose row has ended, touches nothing.
func TestAStrayRiverJobTouchesNothing(t *testing.T) {
	for name, change := range map[string]string{
		"another River job":   "UPDATE jobs SET river_job_id = river_job_id + 1000",
		"no River job":        "UPDATE jobs SET river_job_id = NULL",
		"the job has ended":   "UPDATE jobs SET status = 'cancelled', finished_at = now()",
		"the job is gone":     "DELETE FROM jobs",
		"another's, and runs": "UPDATE jobs SET river_job_id = river_job_id + 1000, status = 'running', started_at = now(), attempts = 1",
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.tree("take", 2)
			submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
			exec(t, b.store, change)
			const whole = "SELECT coalesce(string_agg(jobs::text, ''), '') FROM jobs"
			before := scan[string](t, b.store, whole)
			b.start("w1")
			b.awaitRiver(submitted, "cancelled")
			if after := scan[string](t, b.store, whole); after != before {
				t.Errorf("the row was %s and is %s", before, after)
			}
			if n := scan[int](t, b.store, "SELECT count(*) FROM job_events WHERE kind <> 'created'"); n != 0 {
				t.Errorf("%d events were written", n)
			}
			b.wantGone(filepath.Join(b.to, "take"))
		})
	}
}

// A run that ended without a word holds its job until its lease expires.
func TestAnAbandonedJobIsTakenOver(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	exec(t, b.store, "UPDATE jobs SET status = 'running', started_at = now(), attempts = 1")
	_, err := db.New(b.store.Pool()).StartRun(t.Context(), db.StartRunParams{JobID: submitted.ID, Worker: "dead", Lease: time.Hour})
	must(t, err)
	b.start("w1")
	eventually(t, "River's job was tried and put off", func() bool {
		return scan[bool](t, b.store, "SELECT coalesce((metadata->>'snoozes')::int, 0) > 0 FROM river_job")
	})
	if _, events := b.await(submitted.ID, transfer.Running); len(events) != 1 {
		t.Errorf("events %v", kinds(events))
	}
	exec(t, b.store, "UPDATE job_runs SET lease_expires_at = now()")
	job, events := b.await(submitted.ID, transfer.Success)
	if job.Attempts != 2 || !slices.Equal(kinds(events)[:3], []transfer.EventKind{transfer.EventCreated, transfer.EventRecovered, transfer.EventStarted}) {
		t.Errorf("%d attempts, events %v", job.Attempts, kinds(events))
	}
	b.wantTree("take", 2)
}

// A run that loses its token stops and writes nothing more.
func TestARunThatLosesItsTokenStops(t *testing.T) {
	b := setup(t)
	b.lease = 3 * time.Second
	b.tree("take", 2)
	release := b.hold(transfer.EventVerified)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitHeld()
	exec(t, b.store, "DELETE FROM job_runs")
	eventually(t, "the run stops", func() bool { return b.held() == 0 })
	b.wantGone(filepath.Join(b.to, "take"))
	if n := scan[int](t, b.store, "SELECT count(*) FROM job_events WHERE kind IN ('error', 'retry_scheduled', 'verified')"); n != 0 {
		t.Errorf("%d events were written", n)
	}
	release()
	job, events := b.await(submitted.ID, transfer.Success)
	// It is recovered from its run, and then from what that run had proven.
	if job.Attempts != 2 || count(events, transfer.EventRecovered) != 2 || count(events, transfer.EventPublished) != 1 {
		t.Errorf("%d attempts, events %v", job.Attempts, kinds(events))
	}
	b.wantTree("take", 2)
	b.wantSwept()
}

// A cancel through River ends the run as cancelled and leaves the destination as it was.
func TestACancelThroughRiver(t *testing.T) {
	b := setup(t)
	b.tree("take", 500) // so that the cancel, once it is let through, comes before the publish
	release := b.hold(transfer.EventStrategyDecision)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	b.awaitHeld()
	client, err := river.NewClient[pgx.Tx](riverpgxv5.New(b.store.Pool()), &river.Config{})
	must(t, err)
	_, err = client.JobCancel(t.Context(), *submitted.RiverJobID)
	must(t, err)
	b.awaitWaiting(1)
	release()
	job, events := b.await(submitted.ID, transfer.Cancelled)
	if last := events[len(events)-1]; last.Kind != transfer.EventCancelled || job.FinishedAt == nil {
		t.Errorf("the last event is %s", last.Kind)
	}
	b.awaitRiver(job, "cancelled")
	b.wantGone(filepath.Join(b.to, "take"))
	b.wantSwept()
	if _, err := os.Stat(filepath.Join(b.from, "take")); err != nil {
		t.Error(err)
	}
}

// The point of no return: a cancel that was requested before it stops the run, without a change.
func TestACancelRequestStopsThePublish(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Auto))
	exec(t, b.store, "UPDATE jobs SET cancel_requested_at = now()")
	b.start("w1")
	job, _ := b.await(submitted.ID, transfer.Cancelled)
	b.awaitRiver(job, "cancelled")
	b.wantGone(filepath.Join(b.to, "take"))
	if _, err := os.Stat(filepath.Join(b.from, "take")); err != nil {
		t.Error(err)
	}
}

// Progress of a run is in its row while it lasts.
func TestARunTellsItsProgress(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	release := b.hold(transfer.EventVerified)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitHeld()
	lease := "SELECT lease_expires_at::text FROM job_runs"
	first := scan[string](t, b.store, lease)
	eventually(t, "the lease is renewed", func() bool { return scan[string](t, b.store, lease) != first })
	eventually(t, "the progress is recorded", func() bool {
		return scan[bool](t, b.store, fmt.Sprintf("SELECT phase <> '' AND worker = 'w1' FROM job_runs WHERE job_id = %d", submitted.ID))
	})
	release()
	b.await(submitted.ID, transfer.Success)
}
