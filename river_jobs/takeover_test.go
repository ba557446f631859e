package riverjobs_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// dead makes a job's run one of a worker that died a while ago.
func (b *bench) dead(job db.Job) {
	b.Helper()
	exec(b.T, b.store, "UPDATE jobs SET status = 'running', started_at = now(), attempts = attempts + 1 WHERE id = $1", job.ID)
	_, err := db.New(b.store.Pool()).StartRun(b.Context(), db.StartRunParams{JobID: job.ID, Worker: "dead", Lease: -time.Second})
	must(b.T, err)
}

// age makes the last change of every job an hour old.
func (b *bench) age() {
	b.Helper()
	exec(b.T, b.store, "ALTER TABLE jobs DISABLE TRIGGER jobs_guard_status")
	exec(b.T, b.store, "UPDATE jobs SET updated_at = now() - interval '1 h', finished_at = finished_at - interval '1 h'")
	exec(b.T, b.store, "ALTER TABLE jobs ENABLE TRIGGER jobs_guard_status")
}

// The River job of a worker that died is left behind, and the event tells who it was and for how long nobody heard of it.
func TestATakeoverTellsWhoAndHowLong(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	exec(t, b.store, "UPDATE river_job SET state = 'running', attempted_at = now()") // by the dead one
	b.dead(submitted)
	exec(t, b.store, "UPDATE job_runs SET renewed_at = now() - interval '12 s'")
	b.start("w1")
	job, events := b.await(submitted.ID, transfer.Success)
	if job.Takeovers != 1 || *job.RiverJobID == *submitted.RiverJobID {
		t.Errorf("%d takeovers, River job %d", job.Takeovers, *job.RiverJobID)
	}
	recovered := events[slices.Index(kinds(events), transfer.EventRecovered)]
	for _, part := range []string{`"worker": "dead"`, `"by": "w1"`, `"silent_seconds": 12`, `"blamed": true`, `"run": "`} {
		if !strings.Contains(string(recovered.Payload), part) {
			t.Errorf("the event has no %s: %s", part, recovered.Payload)
		}
	}
	if !strings.HasPrefix(recovered.Message, "Worker dead was not heard of for 12") {
		t.Errorf("the event says %q", recovered.Message)
	}
	if !scan[bool](t, b.store, "SELECT metadata ? 'cancel_attempted_at' FROM river_job WHERE id = $1", *submitted.RiverJobID) {
		t.Error("the old River job goes on")
	}
}

// A job that kills its workers again and again fails, and says so.
func TestAJobThatKillsItsWorkersFails(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	exec(t, b.store, "UPDATE jobs SET takeovers = 5")
	b.dead(submitted)
	b.start("w1")
	job, events := b.await(submitted.ID, transfer.Failed)
	if *job.ErrorCode != failure.Internal || !strings.Contains(text(job.ErrorMessage), "lost its worker 6 times") ||
		!strings.Contains(text(job.ErrorHint), "retry the job") {
		t.Errorf("code %s, message %q, hint %q", *job.ErrorCode, text(job.ErrorMessage), text(job.ErrorHint))
	}
	if last := events[len(events)-1]; last.Kind != transfer.EventError {
		t.Errorf("the last event is %s", last.Kind)
	}
	b.awaitRiver(submitted, "cancelled")
	b.wantGone(filepath.Join(b.to, "take"))

	retried, err := b.client.Retry(t.Context(), job.ID, "") // which forgives
	must(t, err)
	if retried.Takeovers != 0 {
		t.Errorf("%d takeovers after a retry", retried.Takeovers)
	}
	b.await(job.ID, transfer.Success)
}

// Whatever River and we disagree about, the job ends as it should.
func TestReconciliation(t *testing.T) {
	for name, change := range map[string]string{
		"River's job is gone":              "DELETE FROM river_job",
		"River's job is completed":         "UPDATE river_job SET state = 'completed', finalized_at = now()",
		"River's job is cancelled":         "UPDATE river_job SET state = 'cancelled', finalized_at = now()",
		"River's job is discarded":         "UPDATE river_job SET state = 'discarded', finalized_at = now()",
		"fetched and never claimed":        "UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 h'",
		"put off by a clock that is ahead": "UPDATE river_job SET state = 'retryable', scheduled_at = now() + interval '1 h'",
		"no River job at all":              "UPDATE jobs SET river_job_id = NULL",
		"running without a run":            "UPDATE jobs SET status = 'running', started_at = now(), attempts = 1",
		"running without a run or a River": "UPDATE jobs SET status = 'running', started_at = now(), river_job_id = NULL",
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.tree("take", 2)
			submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
			exec(t, b.store, change)
			b.age()
			b.start("w1")
			job, events := b.await(submitted.ID, transfer.Success)
			if count(events, transfer.EventRecovered) != 1 || count(events, transfer.EventStarted) != 1 {
				t.Errorf("events %v", kinds(events))
			}
			if r := b.river(job); r.State != "completed" {
				t.Errorf("River's job is %+v", r)
			}
			b.wantTree("take", 2)
			b.wantSwept()
		})
	}
}

// A job that was changed a moment ago is about to right itself.
func TestReconciliationWaitsALease(t *testing.T) {
	b := setup(t)
	b.lease = 2 * time.Second
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	exec(t, b.store, "DELETE FROM river_job")
	exec(t, b.store, `CREATE FUNCTION forever() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN NEW.updated_at := now() + interval '1 h'; RETURN NEW; END $$;
		CREATE TRIGGER z_forever BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION forever(); UPDATE jobs SET priority = 1`)
	b.start("w1")
	other := b.submit(b.spec("none", transfer.Copy, transfer.Auto))
	b.await(other.ID, transfer.Failed) // by then w1 works
	exec(t, b.store, "DROP TRIGGER z_forever ON jobs")
	if _, events := b.await(submitted.ID, transfer.Pending); len(events) != 1 {
		t.Errorf("events %v", kinds(events))
	}
	b.age()
	b.await(submitted.ID, transfer.Success)
}

// The reverse: River's job goes on although the job has ended.
func TestARiverJobThatOutlivesItsJobIsEnded(t *testing.T) {
	b := setup(t)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	exec(t, b.store, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
	exec(t, b.store, "UPDATE river_job SET state = 'retryable', scheduled_at = now() + interval '1 h'")
	b.age()
	b.start("w1")
	b.awaitRiver(submitted, "cancelled")
}

// What a job that has ended left at its destination is swept by whoever can, and not while another run has the job.
func TestOrphanedStagingIsSwept(t *testing.T) {
	b := setup(t)
	b.lease = time.Second
	installation, err := b.store.Installation(t.Context())
	must(t, err)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	other := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	staging := func(job db.Job) string {
		return filepath.Join(b.to, fmt.Sprintf(".ketter-%s-%d-%s.partial", installation, job.ID, "0a1b"))
	}
	for _, job := range []db.Job{submitted, other} {
		b.mkdir(filepath.Join(staging(job), "data", "take"))
		exec(t, b.store, "INSERT INTO job_stagings (job_id) VALUES ($1)", job.ID)
	}
	exec(t, b.store, "DELETE FROM river_job")
	exec(t, b.store, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
	b.age()
	_, err = db.New(b.store.Pool()).StartRun(t.Context(), db.StartRunParams{JobID: other.ID, Worker: "busy", Lease: time.Hour})
	must(t, err)
	b.start("w1")
	eventually(t, "the first is swept", func() bool {
		return scan[int](t, b.store, "SELECT count(*) FROM job_stagings") == 1
	})
	b.wantGone(staging(submitted))
	if !exists(staging(other)) {
		t.Error("another's was swept")
	}
	exec(t, b.store, "UPDATE job_runs SET lease_expires_at = now()") // it died over the sweep
	b.wantSwept()
	eventually(t, "nothing is left to do", func() bool {
		return scan[int](t, b.store, "SELECT (SELECT count(*) FROM job_stagings) + (SELECT count(*) FROM job_runs)") == 0
	})
}

// A destination that isn't there may only be not mounted: it is looked at again.
func TestAnUnseenDestinationIsLookedAtAgain(t *testing.T) {
	b := setup(t)
	b.lease = time.Second
	spec := b.spec("take", transfer.Copy, transfer.Auto)
	spec.Destination = filepath.Join(b.to, "unmounted")
	job := b.submit(spec)
	exec(t, b.store, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
	exec(t, b.store, "INSERT INTO job_stagings (job_id) VALUES ($1)", job.ID)
	b.age()
	b.start("w1")
	eventually(t, "it is put off", func() bool {
		return scan[bool](t, b.store, "SELECT sweeps = 1 AND sweep_after > now() FROM job_stagings")
	})
	exec(t, b.store, "UPDATE job_stagings SET sweeps = 11, sweep_after = now()")
	eventually(t, "it counts as gone", func() bool { return scan[int](t, b.store, "SELECT count(*) FROM job_stagings") == 0 })
}

// Retention deletes what ended long ago, and nothing that may still be needed.
func TestRetention(t *testing.T) {
	b := setup(t)
	b.lease = time.Hour // no sweep meanwhile
	b.keepJobs, b.keepEvents = 48*time.Hour, 24*time.Hour
	old, older, unswept, fresh := b.submit(b.spec("a", transfer.Copy, transfer.Auto)), b.submit(b.spec("b", transfer.Copy, transfer.Auto)),
		b.submit(b.spec("c", transfer.Copy, transfer.Auto)), b.submit(b.spec("d", transfer.Copy, transfer.Auto))
	pending := b.submit(b.spec("e", transfer.Copy, transfer.Auto))
	exec(t, b.store, "UPDATE river_job SET state = 'cancelled', finalized_at = now()")
	for job, hours := range map[int64]int{old.ID: 30, older.ID: 60, unswept.ID: 60, fresh.ID: 1} {
		exec(t, b.store, "UPDATE jobs SET status = 'cancelled', finished_at = now() - make_interval(hours => $2) WHERE id = $1", job, hours)
	}
	exec(t, b.store, "INSERT INTO job_stagings (job_id, sweep_after) VALUES ($1, now() + interval '1 h')", unswept.ID)
	exec(t, b.store, "INSERT INTO idempotency_keys (key, request_sha256, job_id, created_at) VALUES ('k', sha256(''), $1, now() - interval '25 h')", fresh.ID)
	b.start("w1")
	eventually(t, "the oldest is gone", func() bool {
		return scan[string](t, b.store, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM jobs") ==
			fmt.Sprintf("%d %d %d %d", old.ID, unswept.ID, fresh.ID, pending.ID)
	})
	if got, want := scan[string](t, b.store, "SELECT string_agg(DISTINCT job_id::text, ' ') FROM job_events"),
		fmt.Sprintf("%d %d", fresh.ID, pending.ID); got != want {
		t.Errorf("events of %s, want %s", got, want)
	}
	if n := scan[int](t, b.store, "SELECT count(*) FROM idempotency_keys"); n != 0 {
		t.Errorf("%d keys", n)
	}
}
