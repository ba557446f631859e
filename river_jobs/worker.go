package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/transfer"
)

// WorkerOptions say how a worker works.
type WorkerOptions struct {
	Name         string // stands in job_runs, events and the heartbeat
	Installation string // marks this installation's staging folders
	Engine       *engine.Engine
	Queues       []string      // whose jobs it runs
	Concurrency  int           // jobs at once, of each queue
	SoftStop     time.Duration // how long running jobs may go on after a stop was asked for
	Lease        time.Duration // how long a run that no longer renews still owns its job
	Beat         time.Duration // how often the leases are renewed and progress is recorded; well below Lease
	MaxTakeovers int           // how often a job may lose its worker before it fails
	KeepJobs     time.Duration // how long ended jobs are kept; 0: for ever
	KeepEvents   time.Duration // how long the events of ended jobs are kept; 0: as long as the jobs
	Meter        Meter         // counts what it does; nil: nobody does
}

func (o WorkerOptions) validate() error {
	switch {
	case o.Name == "" || o.Installation == "" || o.Engine == nil:
		return errors.New("a worker needs a name, an installation and an engine")
	case len(o.Queues) == 0:
		return errors.New("a worker needs a queue whose jobs it runs")
	case o.MaxTakeovers < 0 || o.KeepJobs < 0 || o.KeepEvents < 0:
		return errors.New("a worker's takeovers and times to keep things can't be negative")
	case o.Concurrency < 1:
		return fmt.Errorf("a worker runs at least 1 job at once, not %d", o.Concurrency)
	case o.SoftStop <= 0:
		return errors.New("a worker needs a soft stop above 0, else River cuts jobs off")
	case o.Beat <= 0 || o.Lease < 3*o.Beat:
		return errors.New("a worker's lease must last at least three beats")
	}
	return nil
}

// transferWorker works River jobs of kind "transfer".
type transferWorker struct {
	river.WorkerDefaults[TransferArgs]
	WorkerOptions
	client *Client
	keeper *keeper

	working   context.Context // ends when the time of a soft stop is over
	interrupt context.CancelFunc

	unreachable atomic.Int64 // when the database last did not answer a chore, by the keeper's clock; 0: never
}

// Timeout is none: see NewWorker.
func (w *transferWorker) Timeout(*river.Job[TransferArgs]) time.Duration { return -1 }

// NextRetry is 2, 4, 8 … seconds after this attempt, at most 5 minutes: River's own grows to hours.
func (w *transferWorker) NextRetry(job *river.Job[TransferArgs]) time.Time {
	return time.Now().Add(retryDelay(job.Attempt))
}

// longestDelay is between two attempts at most.
const longestDelay = 5 * time.Minute

func retryDelay(attempt int) time.Duration {
	if attempt > 8 {
		return longestDelay
	}
	return min(longestDelay, time.Second<<max(attempt, 1))
}

// Work runs one job. It returns nil only when the job's success is committed.
func (w *transferWorker) Work(ctx context.Context, riverJob *river.Job[TransferArgs]) error {
	r, err := w.claim(ctx, riverJob)
	if err != nil {
		return err
	}
	r.riverCtx = ctx
	// What ends River's context is not what ends the run: see heed. The lease outlives both, for a run that was stopped sweeps
	// and records, and nobody else may begin meanwhile.
	leased, lose := context.WithCancel(context.WithoutCancel(ctx))
	defer lose()
	runCtx, stop := context.WithCancelCause(leased)
	defer stop(nil)
	defer w.keeper.hold(r.lease(stop, lose), r.asked)()

	r.countStart()
	r.logger.Info().Str("source", r.spec.Source).Str("destination", r.spec.Destination).Int32("attempt", r.job.Attempts).Msg("job started")
	result, err := r.transfer(runCtx, stop)
	r.logger.Debug().Msg("transfer ended") // from here on the run touches no file, save to sweep; recording its end may take a while
	if err != nil {
		return r.fail(runCtx, err)
	}
	if err := r.succeed(leased, result); err != nil {
		return err
	}
	r.worker.Meter.RunSucceeded(r.strategy, result)
	r.logger.Info().Str("strategy", string(r.strategy)).Str("method", string(result.Method)).Int64("files", result.Files).Int64("bytes", result.Bytes).
		Float64("seconds", seconds(result.Elapsed)).Msg("job finished")
	w.cleanUp(r.spec)
	return nil
}

// transfer plans and moves the bytes, while heed watches River's context.
func (r *run) transfer(ctx context.Context, stop context.CancelCauseFunc) (transfer.Result, error) {
	heedCtx, done := context.WithCancel(ctx)
	var heeding sync.WaitGroup
	heeding.Go(func() { r.heed(heedCtx, stop) })
	defer heeding.Wait()
	defer done()

	r.spec.Resumes = func(err error) bool { return r.fateAfter(ctx, withCause(ctx, err)).goesOn() }
	result, err := r.planAndRun(ctx)
	return result, withCause(ctx, err)
}

// withCause adds why the context ended, which decides what becomes of the job.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

func (r *run) planAndRun(ctx context.Context) (transfer.Result, error) {
	r.Progress(transfer.Progress{Phase: transfer.Scanning})
	plan, err := r.worker.Engine.Plan(ctx, r.spec)
	if err != nil {
		return transfer.Result{}, err
	}
	r.strategy = plan.Strategy
	if err := r.decided(ctx, plan); err != nil {
		return transfer.Result{}, err
	}
	if plan.Strategy == transfer.ZipFirst {
		return r.worker.Engine.RunTransferZipFirst(ctx, plan, r)
	}
	return r.worker.Engine.RunTransfer(ctx, plan, r)
}
