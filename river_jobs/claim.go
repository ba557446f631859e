package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

var (
	// errNotOurs says that a River job woke us for a job that is not its to run: the row has ended, or another River job has
	// been made for it. Nothing was touched.
	errNotOurs = errors.New("the job is not this River job's to run")
	// errHeld says that somebody has the job still: a run that could not record its end, or who sweeps after the one before.
	errHeld = errors.New("the job is still held")
)

// claim makes a pending job a running one, with a fresh token and lease. The event says who runs it.
func (w *transferWorker) claim(ctx context.Context, riverJob *river.Job[TransferArgs]) (*run, error) {
	id, asked := riverJob.Args.JobID, w.keeper.clock()
	if w.keeper.holds(id) { // a run that has lost the job hangs here still: another one would only join it
		return nil, river.JobSnooze(w.Beat)
	}
	var t *jobTx
	var token string
	err := w.client.store.InTx(ctx, func(tx pgx.Tx, q *db.Queries) (err error) {
		t = &jobTx{tx: tx, q: q}
		if t.job, token, err = w.take(ctx, q, id, riverJob.ID); err != nil {
			return err
		}
		return t.event(ctx, w.startedEvent(t.job, token))
	})
	switch {
	case errors.Is(err, errHeld):
		return nil, river.JobSnooze(w.Beat)
	case errors.Is(err, errNotOurs):
		w.client.logger.Info().Int64("job_id", id).Int64("river_job_id", riverJob.ID).Msg("left alone: " + err.Error())
		return nil, river.JobCancel(err)
	case err != nil:
		return nil, fmt.Errorf("claiming job %d: %w", id, err)
	}
	w.client.tell(t)
	return w.newRun(t.job, token, riverJob, asked)
}

func (w *transferWorker) take(ctx context.Context, q *db.Queries, id, riverJobID int64) (job db.Job, token string, err error) {
	job, err = q.ClaimJob(ctx, db.ClaimJobParams{ID: id, RiverJobID: &riverJobID})
	if errors.Is(err, pgx.ErrNoRows) {
		return job, "", whyNot(ctx, q, id, riverJobID)
	} else if err != nil {
		return job, "", err
	}
	token, err = q.StartRun(ctx, db.StartRunParams{JobID: id, Worker: w.Name, Lease: w.Lease})
	if errors.Is(err, pgx.ErrNoRows) {
		return job, "", errHeld
	} else if err != nil {
		return job, "", err
	}
	return job, token, q.MayLeaveStaging(ctx, id)
}

// whyNot tells a job whose run ended without a word, which the reaper will give back, from one that others have.
func whyNot(ctx context.Context, q *db.Queries, id, riverJobID int64) error {
	job, err := q.GetJob(ctx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errNotOurs
	case err != nil:
		return err
	case job.Status == transfer.Running && job.RiverJobID != nil && *job.RiverJobID == riverJobID:
		return errHeld
	}
	return errNotOurs
}

func (w *transferWorker) startedEvent(job db.Job, token string) transfer.Event {
	queued := job.StartedAt.Sub(job.QueuedAt)
	return transfer.Event{
		Kind:    transfer.EventStarted,
		Message: fmt.Sprintf("Started by %s (attempt %d)", w.Name, job.Attempts),
		Figures: transfer.Figures{"worker": w.Name, "run": token, "attempt": job.Attempts, "queued_seconds": seconds(queued)},
	}
}

func (w *transferWorker) newRun(job db.Job, token string, riverJob *river.Job[TransferArgs], asked time.Duration) (*run, error) {
	r := &run{
		worker: w, job: job, token: token, riverJob: riverJob, asked: asked,
		logger: w.client.logger.With().Int64("job_id", job.ID).Str("run", token).Logger(),
		spec:   specOf(job, w.Installation, token),
	}
	if len(job.PublishIntent) > 0 {
		r.spec.Intent = new(transfer.Intent)
		if err := json.Unmarshal(job.PublishIntent, r.spec.Intent); err != nil {
			return nil, fmt.Errorf("job %d: reading its publish intent: %w", job.ID, err)
		}
	}
	return r, nil
}

func specOf(job db.Job, installation, token string) transfer.Spec {
	return transfer.Spec{
		Source: job.SourcePath, Destination: job.DestinationPath, Mode: job.Mode,
		SourcePortal: orZero(job.SourcePortal), DestinationPortal: orZero(job.DestinationPortal),
		Strategy: job.RequestedStrategy, Verify: job.Verify,
		Run: transfer.Run{Installation: installation, Job: job.ID, Token: token},
	}
}

// seconds rounds to what an operator wants to read, microseconds.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
