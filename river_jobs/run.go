package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// run is one run of a job: the engine's observer, whose every write is fenced by the run's token.
type run struct {
	worker   *transferWorker
	job      db.Job
	token    string
	riverJob *river.Job[TransferArgs]
	spec     transfer.Spec
	logger   zerolog.Logger

	mu       sync.Mutex
	progress transfer.Progress
}

var _ transfer.Observer = (*run)(nil)

// write runs fn in a fenced transaction, adds the event to it, and tells listeners after the commit.
func (r *run) write(ctx context.Context, event transfer.Event, fn func(tx pgx.Tx, q *db.Queries) error) error {
	var seq int64
	err := r.inRun(ctx, func(tx pgx.Tx, q *db.Queries) (err error) {
		if seq, err = addEvent(ctx, q, r.job.ID, event); err != nil {
			return err
		}
		return fn(tx, q)
	})
	if err != nil {
		return fmt.Errorf("recording %s: %w", event.Kind, err)
	}
	r.worker.client.published(r.job.ID, seq, event.Kind)
	return nil
}

// inRun is Store.InRun, tried again while the database can't be reached: hours of copying are not thrown away for a
// failover of seconds. The context bounds it, which ends when the lease can't be renewed either.
func (r *run) inRun(ctx context.Context, fn func(tx pgx.Tx, q *db.Queries) error) error {
	for {
		err := r.worker.client.store.InRun(ctx, r.job.ID, r.token, fn)
		if err == nil || !db.Unreachable(err) {
			return err
		}
		r.logger.Warn().Err(err).Msg("the database can't be reached; trying again")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Event records a step.
func (r *run) Event(ctx context.Context, event transfer.Event) error {
	return r.write(ctx, event, func(pgx.Tx, *db.Queries) error { return nil })
}

// Progress keeps the latest figures for the next beat.
func (r *run) Progress(progress transfer.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = progress
}

// BeforePublish is the point of no return: from here on a cancel comes too late.
func (r *run) BeforePublish(ctx context.Context, intent transfer.Intent) error {
	payload, err := json.Marshal(intent)
	if err != nil {
		return err
	}
	return r.inRun(ctx, func(_ pgx.Tx, q *db.Queries) error {
		rows, err := q.SetPublishIntent(ctx, db.SetPublishIntentParams{ID: r.job.ID, PublishIntent: payload})
		if err == nil && rows == 0 {
			err = failure.New(failure.Cancelled, "", "A cancel was requested")
		}
		return err
	})
}

// decided records the planner's verdict.
func (r *run) decided(ctx context.Context, plan planner.Plan) error {
	return r.write(ctx, plan.Event(), func(_ pgx.Tx, q *db.Queries) error {
		return q.SetStrategy(ctx, db.SetStrategyParams{ID: r.job.ID, Strategy: &plan.Strategy})
	})
}

// keepLease renews the run's lease until ctx ends. When the lease is lost, or could expire before the next renewal, it
// ends the run: from then on another worker may have the job.
func (r *run) keepLease(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(r.worker.Beat)
	defer ticker.Stop()
	// A beat is left for the I/O under way to end before another worker may begin.
	safe := r.worker.Lease - r.worker.Beat
	safeUntil := time.Now().Add(safe)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-time.After(time.Until(safeUntil)):
		}
		asked := time.Now() // the lease counts from the database's now(), which is not before this
		err := r.renew(ctx, safeUntil)
		switch {
		case err == nil:
			safeUntil = asked.Add(safe)
		case errors.Is(err, db.ErrRunLost), !time.Now().Before(safeUntil):
			end(&failure.Error{Code: failure.LeaseLost, Op: "renew", Err: err})
			return
		default:
			r.logger.Warn().Err(err).Msg("the lease could not be renewed; trying again")
		}
	}
}

func (r *run) renew(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	r.mu.Lock()
	p := r.progress
	r.mu.Unlock()
	return r.worker.client.store.Renew(ctx, db.RenewRunParams{
		JobID: r.job.ID, RunToken: r.token, Lease: r.worker.Lease, Phase: string(p.Phase),
		FilesDone: p.FilesDone, FilesTotal: p.FilesTotal, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal,
	})
}
