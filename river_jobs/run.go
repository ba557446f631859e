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

// Why a run was stopped from outside; these are causes of its context.
var (
	errInterrupted = fmt.Errorf("interrupted by the worker's end: %w", context.Canceled)
	errCancelled   = failure.New(failure.Cancelled, "", "Cancelled")
	errLeaseLost   = failure.New(failure.LeaseLost, "", "The lease could not be kept")
)

// run is one run of a job: the engine's observer, whose every write is fenced by the run's token.
type run struct {
	worker   *transferWorker
	job      db.Job
	token    string
	asked    time.Duration // when its lease was asked for, by the keeper's clock
	riverJob *river.Job[TransferArgs]
	spec     transfer.Spec
	logger   zerolog.Logger

	mu       sync.Mutex
	progress transfer.Progress
}

var _ transfer.Observer = (*run)(nil)

// lease is the run's, which stop ends.
func (r *run) lease(stop context.CancelCauseFunc) *lease {
	return &lease{
		jobID: r.job.ID, token: r.token, progress: r.latest,
		cancel: func() { stop(errCancelled) },
		lost:   func() { stop(errLeaseLost) },
	}
}

// heed waits until River's context ends, for the worker's shutdown or because the River job was cancelled, and stops the
// run. It returns when ctx ends, too.
func (r *run) heed(ctx context.Context, riverCtx context.Context, stop context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-riverCtx.Done():
	}
	if !errors.Is(context.Cause(riverCtx), river.ErrJobCancelledRemotely) {
		stop(errInterrupted)
		return
	}
	switch err := r.cancelledThroughRiver(ctx); {
	case err == nil:
		stop(errCancelled)
	case errors.Is(err, db.ErrRunLost): // who took the job over cancelled its River job
		stop(errLeaseLost)
	case failure.CodeOf(err) == failure.JobState:
		r.logger.Warn().Msg("the River job was cancelled past the point of no return; the job finishes")
	}
}

// cancelledThroughRiver makes a cancel of the River job one of the job's, if it isn't that already.
func (r *run) cancelledThroughRiver(ctx context.Context) error {
	return r.record(ctx, func(t *jobTx) error {
		switch {
		case t.job.CancelRequestedAt != nil:
			return nil
		case pastReturn(t.job):
			return tooLate(t.job.ID)
		}
		return requestCancel(ctx, t, "Cancel requested, through River")
	})
}

// record runs fn in a fenced transaction and tells listeners after the commit. It tries again while the database can't be
// reached: hours of copying are not thrown away for a failover of seconds. The context bounds it, which ends when the lease
// can't be renewed either.
func (r *run) record(ctx context.Context, fn func(t *jobTx) error) error {
	for {
		var t *jobTx
		err := r.worker.client.store.InRun(ctx, r.job.ID, r.token, func(tx pgx.Tx, q *db.Queries, job db.Job) error {
			t = &jobTx{tx: tx, q: q, job: job}
			return fn(t)
		})
		if err == nil {
			r.worker.client.tell(t)
			return nil
		}
		if !db.Unreachable(err) {
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
	return r.record(ctx, func(t *jobTx) error { return t.event(ctx, event) })
}

// Progress keeps the latest figures for the next beat.
func (r *run) Progress(progress transfer.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = progress
}

func (r *run) latest() transfer.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// BeforePublish is the point of no return: from here on a cancel comes too late.
func (r *run) BeforePublish(ctx context.Context, intent transfer.Intent) error {
	payload, err := json.Marshal(intent)
	if err != nil {
		return err
	}
	return r.record(ctx, func(t *jobTx) error {
		rows, err := t.q.SetPublishIntent(ctx, db.SetPublishIntentParams{ID: r.job.ID, PublishIntent: payload})
		if err == nil && rows == 0 {
			err = errCancelled
		}
		return err
	})
}

// NotPublished lets the job be cancelled again.
func (r *run) NotPublished(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastWords) // what it is called with may have no end
	defer cancel()
	return r.record(ctx, func(t *jobTx) error { return t.q.ClearPublishIntent(ctx, r.job.ID) })
}

// BeforeInherit asks whether the token holds still: a run that was stopped for a while must not take from its successor.
func (r *run) BeforeInherit(ctx context.Context) error {
	return r.record(ctx, func(*jobTx) error { return nil })
}

// decided records the planner's verdict.
func (r *run) decided(ctx context.Context, plan planner.Plan) error {
	return r.record(ctx, func(t *jobTx) error {
		if err := t.q.SetStrategy(ctx, db.SetStrategyParams{ID: r.job.ID, Strategy: &plan.Strategy}); err != nil {
			return err
		}
		return t.event(ctx, plan.Event())
	})
}
