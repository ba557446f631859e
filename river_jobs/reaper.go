package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// chores are what a worker does for the jobs of all workers, so that one worker is enough to mend what another's death has
// broken: every beat it looks for runs whose worker is not heard of any more, every lease for jobs that River and we disagree
// about, and for what ended jobs have left. It also tells what it holds itself. Each chore has a goroutine of its own, for a sweep may take long.
func (w *transferWorker) chores() map[string]chore {
	return map[string]chore{
		"takeover":       {w.Beat, w.takeOverExpired},
		"reconciliation": {w.Lease, w.reconcile},
		"sweep":          {w.Lease, w.sweepEnded},
		"retention":      {time.Hour, w.retain},
		"figures":        {w.Lease, w.tellFigures},
	}
}

type chore struct {
	every time.Duration
	do    func(ctx context.Context) error
}

// run does the chore at once and then at every interval, until ctx ends. What fails is logged and done again in its turn.
func (c chore) run(ctx context.Context, logger zerolog.Logger) {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		if err := c.do(ctx); err != nil && ctx.Err() == nil {
			logger.Warn().Err(err).Msg("a chore could not be done; it is tried again")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// choreTime bounds each transaction of a chore.
const choreTime = 10 * time.Second

// takeOverExpired takes over every run whose lease has expired.
func (w *transferWorker) takeOverExpired(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	expired, err := w.client.store.ExpiredRuns(bounded)
	if err != nil {
		w.unreachable.Store(int64(w.keeper.clock()))
	}
	for _, run := range expired {
		err = errors.Join(err, w.takeOver(ctx, run))
	}
	return err
}

// takeOver ends an expired run, and gives its job to whoever is free. A job that loses its worker again and again fails: it
// may well be what kills them.
func (w *transferWorker) takeOver(ctx context.Context, run db.ExpiredRunsRow) error {
	mended, err := w.mend(ctx, run.JobID, run.RunToken, func(ctx context.Context, t *jobTx) error {
		ended, err := t.q.EndExpiredRun(ctx, db.EndExpiredRunParams(run))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // renewed, ended or taken over meanwhile
		}
		if err != nil || t.job.Status != transfer.Running { // who died was sweeping after it
			return err
		}
		silent := time.Duration(ended.SilentSeconds * float64(time.Second)).Round(100 * time.Millisecond)
		blamed := w.keeper.clock()-time.Duration(w.unreachable.Load()) > silent
		return w.requeue(ctx, t, blamed, transfer.Event{
			Kind:    transfer.EventRecovered,
			Message: fmt.Sprintf("Worker %s was not heard of for %s; %s gave the job back to the queue", ended.Worker, silent, w.Name),
			Figures: transfer.Figures{"worker": ended.Worker, "run": run.RunToken, "silent_seconds": silent.Seconds(),
				"by": w.Name},
		})
	})
	if mended {
		w.Meter.TakenOver()
	}
	return err
}

// requeue decides what becomes of a running job without a run. Blamed is a job that may be what ended its worker: not one whose
// worker could not reach the database, which we couldn't either.
func (w *transferWorker) requeue(ctx context.Context, t *jobTx, blamed bool, recovered transfer.Event) error {
	if err := w.client.cancelRiver(ctx, t); err != nil {
		return err
	}
	switch {
	case t.job.CancelRequestedAt != nil:
		return t.cancelJob(ctx)
	case blamed && t.job.Takeovers >= int32(w.MaxTakeovers):
		return giveUp(ctx, t)
	}
	if _, err := t.q.TakeOverJob(ctx, db.TakeOverJobParams{ID: t.job.ID, Blamed: blamed}); err != nil {
		return err
	}
	recovered.Figures["blamed"] = blamed
	if err := t.event(ctx, recovered); err != nil {
		return err
	}
	return w.client.wake(ctx, t)
}

// giveUp fails a job that has lost its worker too often.
func giveUp(ctx context.Context, t *jobTx) error {
	f := failure.New(failure.Internal, "",
		fmt.Sprintf("The job has lost its worker %d times; it may be what ends them", t.job.Takeovers+1))
	f.Hint = "Its events name the workers; their logs, or the system's, tell how they ended (out of memory? a storage that " +
		"hangs?). Then retry the job: it goes on with what is proven."
	if _, err := t.q.FailJob(ctx, failedRow(t.job.ID, f)); err != nil {
		return err
	}
	return t.event(ctx, errorEvent(f))
}

// mend changes a job under its lock, and reports whether there was anything to change. One that somebody else has locked is left
// for the next round. The run is the one that had the job; empty: none.
func (w *transferWorker) mend(ctx context.Context, id int64, run string, change func(ctx context.Context, t *jobTx) error) (mended bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	var t *jobTx
	err = w.client.store.InTx(ctx, func(tx pgx.Tx, q *db.Queries) (err error) {
		t = &jobTx{tx: tx, q: q}
		if t.job, err = q.LockJobUnlessBusy(ctx, id); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		return change(ctx, t)
	})
	if err != nil {
		return false, fmt.Errorf("job %d: %w", id, err)
	}
	w.client.tell(t)
	logger := w.client.logger.With().Int64("job_id", id).Logger()
	if run != "" {
		logger = logger.With().Str("run", run).Logger()
	}
	for _, event := range t.recorded {
		logger.Warn().Str("event", string(event.kind)).Msg("a job that nobody ran was looked after")
	}
	return len(t.recorded) > 0, nil
}
