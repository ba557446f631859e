package riverjobs

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// lastSweep is after how many vain sweeps a destination that isn't there counts as gone for good: half a day.
const lastSweep = 11

// sweepTime bounds each sweep: on a storage that hangs it must not keep a worker, or the job, for ever.
const sweepTime = 10 * time.Minute

// cleanUp removes what a job that succeeded has left, unless the worker has to end. Nothing can run the job any more, so nobody
// is kept out.
func (w *transferWorker) cleanUp(spec transfer.Spec) {
	ctx, cancel := context.WithTimeout(w.working, sweepTime)
	defer cancel()
	left, err := w.Engine.Sweep(ctx, spec, true)
	if err == nil && left == "" {
		ctx, cancel := context.WithTimeout(ctx, choreTime)
		defer cancel()
		err = w.client.store.Swept(ctx, spec.Run.Job)
	}
	if err != nil {
		w.client.logger.Warn().Err(err).Int64("job_id", spec.Run.Job).Str("run", spec.Run.Token).
			Msg("the job's staging folder could not be removed yet; a worker tries again")
	}
}

// sweepEnded sweeps after jobs whose own worker did not come to it.
func (w *transferWorker) sweepEnded(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	jobs, err := w.client.store.UnsweptJobs(bounded, db.UnsweptJobsParams{Queues: w.Queues, Grace: w.Lease})
	for _, job := range jobs {
		if ctx.Err() != nil {
			return nil
		}
		w.sweep(ctx, job.JobID, job.Sweeps >= lastSweep)
	}
	return err
}

// sweepOwn sweeps after a run of this worker, unless that has to end. A destination that isn't there had not been made yet, or
// is removed again.
func (w *transferWorker) sweepOwn(id int64) { w.sweep(w.working, id, true) }

// sweep removes what an ended job has left, under a lease of its own: an operator may queue the job again meanwhile, and
// that run must wait. What a destination holds that isn't there is gone, or just not mounted, as unseenIsGone says.
func (w *transferWorker) sweep(ctx context.Context, id int64, unseenIsGone bool) {
	logger := w.client.logger.With().Int64("job_id", id).Logger()
	asked := w.keeper.clock()
	job, token, err := w.takeToSweep(ctx, id)
	if err != nil || token == "" {
		if err != nil {
			logger.Warn().Err(err).Msg("could not look for what the job has left; a worker tries again")
		}
		return
	}
	logger = logger.With().Str("run", token).Logger()
	sweepCtx, stop := context.WithTimeout(ctx, sweepTime)
	defer stop()
	letGo := w.keeper.hold(&lease{jobID: id, token: token, cancel: func() {}, lost: stop}, asked)
	defer letGo()
	defer context.AfterFunc(sweepCtx, letGo)() // also when the sweep itself hangs

	left, err := w.Engine.Sweep(sweepCtx, specOf(job, w.Installation, token), job.Status == transfer.Success)
	if failure.CodeOf(err) == failure.PortalNotFound {
		logger.Warn().Err(err).Msg("what the job has left stays: its portal was deleted")
		err = nil
	}
	if err != nil && failure.CodeOf(err) != failure.PathNotAllowed { // which other workers may be allowed
		logger.Warn().Err(err).Msg("what the job has left could not be removed yet; a worker tries again")
	}
	nothingLeft := err == nil && (left == "" || left == engine.LeftUnseen && unseenIsGone)
	if err := w.swept(context.WithoutCancel(ctx), id, token, nothingLeft); err != nil {
		logger.Warn().Err(err).Msg("the sweep could not be recorded; a worker sweeps again")
	}
}

// takeToSweep takes the lease of an ended job; without one, somebody else has it, or the job has not ended any more.
func (w *transferWorker) takeToSweep(ctx context.Context, id int64) (job db.Job, token string, err error) {
	ctx, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	err = w.client.store.InTx(ctx, func(_ pgx.Tx, q *db.Queries) (err error) {
		token = ""
		if job, err = q.LockJobUnlessBusy(ctx, id); err == nil && job.Status.Final() {
			token, err = q.StartRun(ctx, db.StartRunParams{JobID: id, Worker: w.Name, Lease: w.Lease})
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return job, token, err
}

// swept lets go of the lease, and records that nothing is left, or when to look again.
func (w *transferWorker) swept(ctx context.Context, id int64, token string, nothingLeft bool) error {
	ctx, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	return w.client.store.InRun(ctx, id, token, func(_ pgx.Tx, q *db.Queries, _ db.Job) error {
		if err := q.EndRun(ctx, db.EndRunParams{JobID: id, RunToken: token}); err != nil {
			return err
		}
		if nothingLeft {
			return q.Swept(ctx, id)
		}
		return q.SweepLater(ctx, id)
	})
}
