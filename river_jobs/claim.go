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

// errNotOurs says that a River job woke us for a job that is not its to run: the row has ended, or another River job has
// been made for it. Nothing was touched.
var errNotOurs = errors.New("the job is not this River job's to run")

// claim makes a pending job a running one, with a fresh token and lease. The event says who runs it.
func (w *transferWorker) claim(ctx context.Context, riverJob *river.Job[TransferArgs]) (*run, error) {
	id := riverJob.Args.JobID
	var job db.Job
	var token string
	var seq int64
	err := w.client.store.InTx(ctx, func(_ pgx.Tx, q *db.Queries) (err error) {
		if err := releaseAbandoned(ctx, q, id, riverJob.ID); err != nil {
			return err
		}
		job, err = q.ClaimJob(ctx, db.ClaimJobParams{ID: id, RiverJobID: &riverJob.ID})
		if errors.Is(err, pgx.ErrNoRows) {
			return errNotOurs
		} else if err != nil {
			return err
		}
		if token, err = q.StartRun(ctx, db.StartRunParams{JobID: id, Worker: w.Name, Lease: w.Lease}); err != nil {
			return err
		}
		seq, err = addEvent(ctx, q, id, w.startedEvent(job))
		return err
	})
	var held *heldError
	switch {
	case errors.As(err, &held):
		return nil, river.JobSnooze(w.Beat)
	case errors.Is(err, errNotOurs):
		w.client.logger.Warn().Int64("job_id", id).Int64("river_job_id", riverJob.ID).Msg("left alone: " + err.Error())
		return nil, river.JobCancel(err)
	case err != nil:
		return nil, fmt.Errorf("claiming job %d: %w", id, err)
	}
	w.client.published(id, seq, transfer.EventStarted)
	return w.newRun(job, token, riverJob)
}

// heldError says that a run that may still be alive owns the job.
type heldError struct{ jobID int64 }

func (e *heldError) Error() string {
	return fmt.Sprintf("job %d is still held by another run", e.jobID)
}

// releaseAbandoned gives back a running job whose run ended without a word (its last transaction could not be written),
// once its lease has expired.
func releaseAbandoned(ctx context.Context, q *db.Queries, id, riverJobID int64) error {
	row, err := q.LockJob(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNotOurs
	} else if err != nil {
		return err
	}
	if row.Status != transfer.Running || row.RiverJobID == nil || *row.RiverJobID != riverJobID {
		return nil
	}
	expired, err := q.LeaseExpired(ctx, id)
	if err != nil {
		return err
	}
	if !expired {
		return &heldError{jobID: id}
	}
	if err := q.ForgetRun(ctx, id); err != nil {
		return err
	}
	if _, err := q.ReleaseJob(ctx, db.ReleaseJobParams{ID: id, AttemptCounts: true}); err != nil {
		return err
	}
	_, err = addEvent(ctx, q, id, transfer.Event{
		Kind: transfer.EventRecovered, Message: "The run before ended without a word; its lease has expired",
	})
	return err
}

func (w *transferWorker) startedEvent(job db.Job) transfer.Event {
	queued := job.StartedAt.Sub(job.CreatedAt)
	return transfer.Event{
		Kind:    transfer.EventStarted,
		Message: fmt.Sprintf("Started by %s (attempt %d)", w.Name, job.Attempts),
		Figures: transfer.Figures{"worker": w.Name, "attempt": job.Attempts, "queued_seconds": seconds(queued)},
	}
}

func (w *transferWorker) newRun(job db.Job, token string, riverJob *river.Job[TransferArgs]) (*run, error) {
	r := &run{
		worker: w, job: job, token: token, riverJob: riverJob,
		logger: w.client.logger.With().Int64("job_id", job.ID).Str("run", token).Logger(),
		spec: transfer.Spec{
			Source: job.SourcePath, Destination: job.DestinationPath, Mode: job.Mode,
			Strategy: job.RequestedStrategy, Verify: job.Verify,
			Run: transfer.Run{Installation: w.Installation, Job: job.ID, Token: token},
		},
	}
	if len(job.PublishIntent) > 0 {
		r.spec.Intent = new(transfer.Intent)
		if err := json.Unmarshal(job.PublishIntent, r.spec.Intent); err != nil {
			return nil, fmt.Errorf("job %d: reading its publish intent: %w", job.ID, err)
		}
	}
	return r, nil
}

// seconds rounds to what an operator wants to read, microseconds.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
