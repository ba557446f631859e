package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	riverCtx context.Context // River's, of this run; see heed
	spec     transfer.Spec
	strategy transfer.Strategy // empty until it is decided
	logger   zerolog.Logger

	mu       sync.Mutex
	progress transfer.Progress
}

var _ transfer.Observer = (*run)(nil)

// lease is the run's. Its loss stops the run, and ends what the run may still record.
func (r *run) lease(stop context.CancelCauseFunc, lose context.CancelFunc) *lease {
	return &lease{
		jobID: r.job.ID, token: r.token, progress: r.latest,
		cancel: func() { stop(errCancelled) },
		lost:   func() { stop(errLeaseLost); lose() },
	}
}

// heed stops the run when the worker has to end, or somebody has cancelled the River job; so it watches River's context, which
// ends for both. It returns when ctx ends, too.
func (r *run) heed(ctx context.Context, stop context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-r.riverCtx.Done():
	}
	if errors.Is(context.Cause(r.riverCtx), river.ErrJobCancelledRemotely) {
		if cause := r.cancelledBy(ctx); cause != nil {
			stop(cause)
			return
		}
		select { // it goes on, and only the worker's end can stop it now
		case <-ctx.Done():
			return
		case <-r.worker.working.Done():
		}
	}
	stop(errInterrupted)
}

// cancelledBy finds out what the cancel of the River job means for the run; nil: nothing, it came too late.
func (r *run) cancelledBy(ctx context.Context) (cause error) {
	for {
		err := r.cancelledThroughRiver(ctx)
		switch {
		case err == nil:
			return errCancelled
		case errors.Is(err, db.ErrRunLost): // who took the job over cancelled its River job
			return errLeaseLost
		case failure.CodeOf(err) == failure.JobState:
			r.logger.Warn().Msg("the River job was cancelled past the point of no return; the job finishes")
			return nil
		case ctx.Err() != nil:
			return nil
		}
		r.logger.Warn().Err(err).Msg("a cancel of the River job could not be noted; trying again")
		pause(ctx)
	}
}

// pause is between attempts to reach the database.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}

// cancelledThroughRiver makes a cancel of the River job one of the job's, if it isn't that already.
func (r *run) cancelledThroughRiver(ctx context.Context) error {
	return r.record(ctx, func(ctx context.Context, t *jobTx) error {
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
func (r *run) record(ctx context.Context, fn func(ctx context.Context, t *jobTx) error) error {
	for {
		err := r.recordOnce(ctx, fn)
		if err == nil || ctx.Err() != nil || !db.Unreachable(err) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		r.logger.Warn().Err(err).Msg("the database can't be reached; trying again")
		pause(ctx)
	}
}

// recordOnce is bounded, for a connection may fall silent.
func (r *run) recordOnce(ctx context.Context, fn func(ctx context.Context, t *jobTx) error) error {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	var t *jobTx
	err := r.worker.client.store.InRun(ctx, r.job.ID, r.token, func(tx pgx.Tx, q *db.Queries, job db.Job) error {
		t = &jobTx{tx: tx, q: q, job: job}
		return fn(ctx, t)
	})
	if err == nil {
		r.worker.client.tell(t)
	}
	return err
}

// Event records a step.
func (r *run) Event(ctx context.Context, event transfer.Event) error {
	err := r.record(ctx, func(ctx context.Context, t *jobTx) error { return t.event(ctx, event) })
	if err == nil {
		r.measure(event)
	}
	return err
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
	return r.record(ctx, func(ctx context.Context, t *jobTx) error {
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
	return r.record(ctx, func(ctx context.Context, t *jobTx) error { return t.q.ClearPublishIntent(ctx, r.job.ID) })
}

// BeforeInherit asks whether the token holds still: a run that was stopped for a while must not take from its successor.
func (r *run) BeforeInherit(ctx context.Context) error {
	return r.record(ctx, func(context.Context, *jobTx) error { return nil })
}

// decided records the planner's verdict.
func (r *run) decided(ctx context.Context, plan planner.Plan) error {
	return r.record(ctx, func(ctx context.Context, t *jobTx) error {
		if err := r.sourceStays(ctx, t.q); err != nil {
			return err
		}
		if err := t.q.SetStrategy(ctx, db.SetStrategyParams{ID: r.job.ID, Strategy: &plan.Strategy}); err != nil {
			return err
		}
		return t.event(ctx, plan.Event())
	})
}

// sourceStays refuses a source that another job's move is removing: what is left of it must not be told as the whole. One that
// begins to do so later is noticed by the engine, which then reads less than was planned.
func (r *run) sourceStays(ctx context.Context, q *db.Queries) error {
	moves, err := q.RemovingSources(ctx, r.job.ID)
	if err != nil {
		return err
	}
	for _, move := range moves {
		samePortal := orZero(move.SourcePortal) == orZero(r.job.SourcePortal) // else the paths can't be compared
		if samePortal && (within(r.job.SourcePath, move.SourcePath) || within(move.SourcePath, r.job.SourcePath)) {
			f := failure.New(failure.SourceChanged, r.spec.Source,
				fmt.Sprintf("Job %d moves this source to %s and is removing it: %s", move.ID, move.DestinationPath, r.spec.Source))
			f.Hint = "Wait for that job to end, then transfer from where it has moved it."
			return f
		}
	}
	return nil
}

// within reports whether a path is a folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}
