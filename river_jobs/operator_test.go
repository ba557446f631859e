package riverjobs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// refuses wants an operation to fail with a code.
func (b *bench) refuses(what string, code failure.Code, operate func() (db.Job, error)) {
	b.Helper()
	if _, err := operate(); failure.CodeOf(err) != code {
		b.Errorf("%s: %v, want %s", what, err, code)
	}
}

func (b *bench) cancel(id int64) db.Job {
	b.Helper()
	job, err := b.client.Cancel(b.Context(), id, "")
	must(b.T, err)
	return job
}

// askedFor are the kinds of the events that somebody asked for.
func askedFor(events []db.JobEvent, by string) (kinds []transfer.EventKind) {
	for _, event := range events {
		if event.Actor != nil && *event.Actor == by {
			kinds = append(kinds, event.Kind)
		}
	}
	return kinds
}

func TestAPendingJobIsCancelledAtOnce(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Auto))
	for range 2 { // twice is fine
		if job := b.cancel(submitted.ID); job.Status != transfer.Cancelled || job.FinishedAt == nil {
			t.Errorf("the job is %s", job.Status)
		}
	}
	_, events := b.await(submitted.ID, transfer.Cancelled)
	if len(events) != 2 || events[1].Kind != transfer.EventCancelled {
		t.Errorf("events %v", kinds(events))
	}
	b.awaitRiver(submitted, "cancelled")
	b.start("w1")
	next := b.submit(b.spec("none", transfer.Copy, transfer.Auto))
	b.await(next.ID, transfer.Failed)
	b.wantGone(filepath.Join(b.to, "take"))
	b.refuses("a failed job", failure.JobState, func() (db.Job, error) { return b.client.Cancel(t.Context(), next.ID, "") })
	if _, err := b.client.Cancel(t.Context(), next.ID+1000, ""); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a job that isn't: %v", err)
	}
}

// A running job is cancelled wherever it runs, its staging is swept, and its source is whole.
func TestARunningJobIsCancelled(t *testing.T) {
	for _, mode := range []transfer.Mode{transfer.Copy, transfer.Move} {
		t.Run(string(mode), func(t *testing.T) {
			b := setup(t)
			b.tree("take", 500) // so that the cancel, once it is let through, comes before the publish
			release := b.hold(transfer.EventStrategyDecision)
			b.start("w1")
			submitted := b.submit(b.spec("take", mode, transfer.Direct))
			b.awaitHeld()
			var cancelling sync.WaitGroup
			cancelling.Go(func() {
				if job, err := b.client.Cancel(t.Context(), submitted.ID, "ana"); err != nil || job.Status == transfer.Success {
					t.Errorf("%s, %v", job.Status, err)
				}
			})
			b.awaitWaiting(1)
			release()
			cancelling.Wait()
			b.cancel(submitted.ID) // twice is fine
			_, events := b.await(submitted.ID, transfer.Cancelled)
			if count(events, transfer.EventCancelRequested) != 1 || count(events, transfer.EventCancelled) != 1 ||
				count(events, transfer.EventPublished) != 0 {
				t.Errorf("events %v", kinds(events))
			}
			if got := askedFor(events, "ana"); !slices.Equal(got, []transfer.EventKind{transfer.EventCancelRequested, transfer.EventCancelled}) {
				t.Errorf("ana asked for %v", got) // the worker that carries it out asks for nothing
			}
			b.awaitRiver(submitted, "cancelled")
			b.wantGone(filepath.Join(b.to, "take"))
			b.wantSwept()
			b.wantSource("take", 500)
		})
	}
}

// Past the point of no return a cancel is refused, from us and from River, and the job finishes.
func TestACancelThatComesTooLate(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	b.breaks("job_events", "INSERT", "NEW.kind = 'published'") // so the run ends between publish and success
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	b.awaitEvent(submitted.ID, transfer.EventRetryScheduled, 1)
	b.refuses("published", failure.JobState, func() (db.Job, error) { return b.client.Cancel(t.Context(), submitted.ID, "") })
	exec(t, b.store, "DROP TABLE broken")
	job, events := b.await(submitted.ID, transfer.Success)
	if count(events, transfer.EventCancelRequested) != 0 {
		t.Errorf("events %v", kinds(events))
	}
	b.refuses("success", failure.JobState, func() (db.Job, error) { return b.client.Cancel(t.Context(), job.ID, "") })
	b.refuses("success", failure.JobState, func() (db.Job, error) { return b.client.Retry(t.Context(), job.ID, "") })
	b.wantTree("take", 2)
	b.wantGone(filepath.Join(b.from, "take"))
}

// A publish that did not come to pass leaves the job cancellable.
func TestAPublishThatFailedIsTakenBack(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	release := b.hold(transfer.EventVerified)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitHeld()
	must(t, os.WriteFile(filepath.Join(b.to, "take"), nil, 0o644)) // somebody was faster
	release()
	job, _ := b.await(submitted.ID, transfer.Failed)
	if *job.ErrorCode != failure.DestinationExists || len(job.PublishIntent) > 0 {
		t.Errorf("code %s, intent %s", *job.ErrorCode, job.PublishIntent)
	}
}

func TestAnOperatorsRetry(t *testing.T) {
	b := setup(t)
	b.start("w1")
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	failed, _ := b.await(submitted.ID, transfer.Failed)
	b.awaitRiver(submitted, "cancelled")
	b.tree("take", 3)
	job, err := b.client.Retry(t.Context(), failed.ID, "rui")
	must(t, err)
	if job.Status != transfer.Pending || job.ErrorCode != nil || job.FinishedAt != nil || job.Attempts != 0 ||
		!job.QueuedAt.After(failed.QueuedAt) || job.ID != failed.ID {
		t.Errorf("the job is %+v", job)
	}
	_, events := b.await(job.ID, transfer.Success)
	if count(events, transfer.EventError) != 1 || count(events, transfer.EventRetryScheduled) != 1 || count(events, transfer.EventStarted) != 2 {
		t.Errorf("events %v", kinds(events))
	}
	if got := askedFor(events, "rui"); !slices.Equal(got, []transfer.EventKind{transfer.EventRetryScheduled}) {
		t.Errorf("rui asked for %v", got)
	}
	b.wantTree("take", 3)
	b.wantSwept()

	cancelled := b.submit(b.spec("none", transfer.Copy, transfer.Auto)) // which may have failed already
	if _, err := b.client.Cancel(t.Context(), cancelled.ID, ""); err == nil {
		_, err = b.client.Retry(t.Context(), cancelled.ID, "")
		must(t, err)
	}
	b.await(cancelled.ID, transfer.Failed)
}

// Who had cancelled it before has nothing to do with it.
func TestACancelBySomebodyWithoutANameIsNobodyElses(t *testing.T) {
	b := setup(t)
	job := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	exec(t, b.store, "UPDATE jobs SET status = 'running', started_at = now() WHERE id = $1", job.ID)
	_, err := b.client.Cancel(t.Context(), job.ID, "ana")
	must(t, err)
	exec(t, b.store, "UPDATE jobs SET status = 'cancelled', finished_at = now() WHERE id = $1", job.ID)
	_, err = b.client.Retry(t.Context(), job.ID, "rui")
	must(t, err)
	b.cancel(job.ID)
	f, err := b.store.Follow(t.Context(), job.ID, 0, db.AllEvents)
	must(t, err)
	if got := askedFor(f.Events, "ana"); !slices.Equal(got, []transfer.EventKind{transfer.EventCancelRequested}) {
		t.Errorf("ana asked for %v", got)
	}
}

func TestOnlyAnEndedJobIsRetried(t *testing.T) {
	b := setup(t)
	submitted := b.submit(b.spec("take", transfer.Copy, transfer.Auto))
	retry := func() (db.Job, error) { return b.client.Retry(t.Context(), submitted.ID, "") }
	b.refuses("pending", failure.JobState, retry)
	exec(t, b.store, "UPDATE jobs SET status = 'running', started_at = now()")
	b.refuses("running", failure.JobState, retry)
	if _, err := b.client.Retry(t.Context(), submitted.ID+1000, ""); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a job that isn't: %v", err)
	}
}

// A cancel whose worker died is carried out by who takes over.
func TestACancelOutlivesItsWorker(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	submitted := b.submit(b.spec("take", transfer.Move, transfer.Auto))
	b.dead(submitted)
	if job := b.cancel(submitted.ID); job.Status != transfer.Running || job.CancelRequestedAt == nil {
		t.Errorf("the job is %s", job.Status)
	}
	b.start("w1")
	b.await(submitted.ID, transfer.Cancelled)
	b.wantSource("take", 2)
	b.wantGone(filepath.Join(b.to, "take"))
}

func TestAnIdempotencyKeyStandsForOneJob(t *testing.T) {
	b := setup(t)
	one := submission(b.spec("take", transfer.Copy, transfer.Auto))
	one.IdempotencyKey = "k1"
	var ids sync.Map
	var made sync.WaitGroup
	for range 8 {
		made.Go(func() {
			job, created, err := b.client.Submit(t.Context(), one)
			if err != nil {
				t.Error(err)
			}
			ids.Store(fmt.Sprint(job.ID, created), true)
		})
	}
	made.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 2 || scan[int](t, b.store, "SELECT count(*) FROM jobs") != 1 || scan[int](t, b.store, "SELECT count(*) FROM river_job") != 1 {
		t.Errorf("%d kinds of answers", n)
	}
	other := one
	other.Priority = 1
	if _, _, err := b.client.Submit(t.Context(), other); failure.CodeOf(err) != failure.IdempotencyKeyReused {
		t.Errorf("the key for another submission: %v", err)
	}
	other.IdempotencyKey = "k2"
	if _, created, err := b.client.Submit(t.Context(), other); err != nil || !created {
		t.Errorf("another key: %v, %v", created, err)
	}
	exec(t, b.store, "UPDATE idempotency_keys SET created_at = now() - interval '25 h'")
	if _, created, err := b.client.Submit(t.Context(), one); err != nil || !created {
		t.Errorf("a day later: %v, %v", created, err)
	}
}

// A worker runs the jobs of its queues, urgent ones first.
func TestQueuesAndPriorities(t *testing.T) {
	b := setup(t)
	b.queues, b.concurrency = []string{"lab", "b"}, 1
	var order []int64
	for _, priority := range []int16{4, 2, 3, 1} {
		s := submission(b.spec(fmt.Sprint("none", priority), transfer.Copy, transfer.Auto))
		s.Queue, s.Priority = "lab", priority
		job, _, err := b.client.Submit(t.Context(), s)
		must(t, err)
		order = append(order, job.ID)
	}
	elsewhere := b.submit(b.spec("none", transfer.Copy, transfer.Auto))
	b.start("w1")
	for _, id := range order {
		b.await(id, transfer.Failed)
	}
	want := fmt.Sprint(order[3], " ", order[1], " ", order[2], " ", order[0])
	if got := scan[string](t, b.store, "SELECT string_agg(id::text, ' ' ORDER BY started_at) FROM jobs WHERE queue = 'lab'"); got != want {
		t.Errorf("started in the order %s, want %s", got, want)
	}
	b.await(elsewhere.ID, transfer.Pending)
}

// Two jobs with one destination never mix: one has it, the other fails.
func TestTwoJobsWithOneDestination(t *testing.T) {
	b := setup(t)
	b.tree("take", 3)
	release := b.hold(transfer.EventVerified)
	b.start("w1")
	one := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	two := b.submit(b.spec("take", transfer.Copy, transfer.ZipFirst))
	eventually(t, "both have staged", func() bool { return b.held() == 2 })
	release()
	statuses := map[transfer.Status]int{}
	for _, job := range []db.Job{one, two} {
		eventually(t, "it ends", func() bool {
			f, err := b.store.JobWithProgress(t.Context(), job.ID)
			must(t, err)
			job = f.Job
			return job.Status.Final()
		})
		statuses[job.Status]++
		if job.Status == transfer.Failed && *job.ErrorCode != failure.DestinationExists {
			t.Errorf("it failed with %s", *job.ErrorCode)
		}
	}
	if statuses[transfer.Success] != 1 || statuses[transfer.Failed] != 1 {
		t.Errorf("%v", statuses)
	}
	b.wantTree("take", 3)
	b.wantSwept()
}

func TestAWorkerThatCannotWorkIsRefused(t *testing.T) {
	b := setup(t)
	for name, change := range map[string]func(o *riverjobs.WorkerOptions){
		"":               func(*riverjobs.WorkerOptions) {},
		"no queue":       func(o *riverjobs.WorkerOptions) { o.Queues = nil },
		"no concurrency": func(o *riverjobs.WorkerOptions) { o.Concurrency = 0 },
		"a short lease":  func(o *riverjobs.WorkerOptions) { o.Lease = 2 * o.Beat },
		"no soft stop":   func(o *riverjobs.WorkerOptions) { o.SoftStop = 0 },
		"no takeovers":   func(o *riverjobs.WorkerOptions) { o.MaxTakeovers = -1 },
	} {
		options := riverjobs.WorkerOptions{Name: "w", Installation: "i", Engine: b.engine, Queues: []string{"default"},
			Concurrency: 1, SoftStop: time.Second, Lease: 3 * time.Second, Beat: time.Second}
		change(&options)
		if _, err := riverjobs.NewWorker(b.store, b.events, zerolog.Nop(), options); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What another job's move has begun to remove is not the whole any more.
func TestASourceThatIsBeingRemovedIsLeftAlone(t *testing.T) {
	b := setup(t)
	b.tree("take", 2)
	release := b.hold(transfer.EventSourceRemoved)
	b.start("w1")
	moving := b.submit(b.spec("take", transfer.Move, transfer.Direct))
	b.awaitHeld()
	b.tree("take", 1) // a part of it is still there
	for _, source := range []string{"take", "take/d0", "."} {
		spec := b.spec(source, transfer.Copy, transfer.Auto)
		spec.Source = filepath.Clean(spec.Source)
		spec.Destination = filepath.Join(b.from, "..", "elsewhere")
		job, _ := b.await(b.submit(spec).ID, transfer.Failed)
		if *job.ErrorCode != failure.SourceChanged || !strings.Contains(text(job.ErrorMessage), fmt.Sprintf("Job %d moves", moving.ID)) {
			t.Errorf("%s: %s, %q", source, *job.ErrorCode, text(job.ErrorMessage))
		}
	}
	release()
}
