package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// lastWords is how long a run that ends may take to record so; its own context may be over by then.
const lastWords = 5 * time.Second

// succeed records the success, for as long as the lease holds (ctx): what was published is worth it, whoever stops the
// worker meanwhile. When it can't be recorded nothing else is said of the job than that it isn't yet: the next run recognises
// what this one has published.
func (r *run) succeed(ctx context.Context, result transfer.Result) error {
	err := r.recordSuccess(ctx, result)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, db.ErrRunLost) && r.hasSucceeded(ctx):
		return nil // the answer of the commit was lost
	case errors.Is(err, db.ErrRunLost), ctx.Err() != nil:
		r.countEnd(transfer.Pending, failure.LeaseLost, nil)
		r.logger.Warn().Err(err).Msg("lease_lost: the job goes on elsewhere")
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return r.finally(ctx, failureOf(err).Code, err, func(ctx context.Context) (transfer.Status, error) { return r.retryLater(ctx, failureOf(err)) })
}

// hasSucceeded reports whether it is this run that has finished the job, and not one that had taken it over: then it would be
// another River job's.
func (r *run) hasSucceeded(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	found, err := r.worker.client.store.JobWithProgress(ctx, r.job.ID)
	return err == nil && found.Job.Status == transfer.Success && found.Job.RiverJobID != nil && *found.Job.RiverJobID == r.riverJob.ID
}

// recordSuccess commits the row, the last event and River's completion together.
func (r *run) recordSuccess(ctx context.Context, result transfer.Result) error {
	event := transfer.Event{
		Kind:    transfer.EventFinished,
		Message: fmt.Sprintf("Finished: %d files, %d bytes by %s", result.Files, result.Bytes, result.Method),
		Figures: transfer.Figures{
			"method": result.Method, "files": result.Files, "bytes": result.Bytes, "seconds": seconds(result.Elapsed),
		},
	}
	return r.record(ctx, func(ctx context.Context, t *jobTx) error {
		err := t.q.SucceedJob(ctx, db.SucceedJobParams{
			ID: r.job.ID, Method: &result.Method, FilesCopied: result.Files, BytesCopied: result.Bytes,
		})
		if err != nil {
			return err
		}
		if err := t.event(ctx, event); err != nil {
			return err
		}
		if err := t.q.EndRun(ctx, db.EndRunParams{JobID: r.job.ID, RunToken: r.token}); err != nil {
			return err
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, t.tx, r.riverJob)
		if errors.Is(err, rivertype.ErrNotFound) {
			return nil // somebody ended or deleted it; what became of the job is not for River to say
		}
		return err
	})
}

// fate is what becomes of a job whose run ended without success.
type fate int

const (
	fails       fate = iota // for good
	isCancelled             // by an operator
	goesOnElsewhere
	isInterrupted // by a shutdown: it goes back without spending an attempt
	isTriedAgain
)

// goesOn reports whether another run will follow, for which what is proven stays.
func (f fate) goesOn() bool { return f == goesOnElsewhere || f == isInterrupted || f == isTriedAgain }

// fateAfter decides by the error and by why ctx, the run's own, ended.
func (r *run) fateAfter(ctx context.Context, err error) fate {
	f, cause := failureOf(err), context.Cause(ctx)
	switch {
	case errors.Is(err, db.ErrRunLost) || errors.Is(cause, errLeaseLost):
		return goesOnElsewhere
	case errors.Is(cause, errCancelled), f.Code == failure.Cancelled && cause == nil:
		return isCancelled
	case cause != nil:
		return isInterrupted
	case f.Code.Class() == failure.Permanent || r.job.Attempts-r.job.Takeovers >= attemptsAt(f.Code):
		return fails
	default:
		return isTriedAgain
	}
}

// fail records what becomes of the job after an error and returns what River shall make of its own job.
func (r *run) fail(ctx context.Context, err error) error {
	fate, code := r.fateAfter(ctx, err), failureOf(err).Code
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	switch fate {
	case goesOnElsewhere:
		return r.loseLease(ctx, err)
	case isCancelled:
		return r.finally(ctx, code, river.JobCancel(err), r.cancelled)
	case isInterrupted:
		// River spends no attempt on an error that wraps context.Canceled, and neither do we.
		return r.finally(ctx, "", fmt.Errorf("interrupted: %w", context.Canceled), func(ctx context.Context) (transfer.Status, error) {
			return r.interrupted(ctx, "shutdown")
		})
	case isTriedAgain:
		return r.finally(ctx, code, err, func(ctx context.Context) (transfer.Status, error) { return r.retryLater(ctx, failureOf(err)) })
	default:
		return r.finally(ctx, code, river.JobCancel(err), func(ctx context.Context) (transfer.Status, error) { return r.failed(ctx, failureOf(err)) })
	}
}

// failureOf is failure.From, save that a context's end without a code is no cancel: a time limit of our own (on the
// database, say) passed. When the run's own context ends, fail asks that first.
func failureOf(err error) *failure.Error {
	var f *failure.Error
	if errors.As(err, &f) {
		return f
	}
	return &failure.Error{Code: failure.Internal, Err: err}
}

// finally records the end and returns what River shall see; when our own row could not be written, an error that River
// retries: the reaper gives the job back when the lease has expired. The code is why, for who counts; none: the worker stops.
func (r *run) finally(ctx context.Context, code failure.Code, forRiver error, record func(ctx context.Context) (transfer.Status, error)) error {
	status, err := record(ctx)
	r.countEnd(status, code, err)
	if errors.Is(err, db.ErrRunLost) {
		r.logger.Warn().Err(withoutRiver(forRiver)).Msg("lease_lost: the job goes on elsewhere")
		return err
	}
	if err != nil {
		r.logger.Error().AnErr("cause", withoutRiver(forRiver)).Err(err).Msg("the job's end could not be recorded")
		return err
	}
	r.logger.Warn().Err(withoutRiver(forRiver)).Str("status", string(status)).Str("code", string(code)).Msg("job ended without success")
	if status.Final() {
		r.worker.sweepOwn(r.job.ID)
	}
	return forRiver
}

// withoutRiver is the error itself, without what tells River to let its job be.
func withoutRiver(forRiver error) error {
	var cancel *river.JobCancelError
	if errors.As(forRiver, &cancel) {
		return cancel.Unwrap()
	}
	return forRiver
}

// loseLease gives the job back if it is ours still: the database could not be reached for a while, but nobody has taken the
// job over. Else there is nothing to record.
func (r *run) loseLease(ctx context.Context, err error) error {
	r.countEnd(transfer.Pending, failure.LeaseLost, nil)
	r.logger.Warn().Err(err).Msg("lease_lost: the job goes on elsewhere")
	if errors.Is(err, db.ErrRunLost) {
		return err
	}
	_, recording := r.interrupted(ctx, "the database could not be reached")
	if recording != nil && !errors.Is(recording, db.ErrRunLost) {
		r.logger.Warn().Err(recording).Msg("the job could not be given back; it is taken over when its lease has expired")
	}
	return fmt.Errorf("lease lost: %w", err)
}

func (r *run) failed(ctx context.Context, f *failure.Error) (transfer.Status, error) {
	return r.end(ctx, transfer.Failed, errorEvent(f), func(q *db.Queries) (int64, error) { return q.FailJob(ctx, failedRow(r.job.ID, f)) })
}

// failedRow is what a failed job's row tells.
func failedRow(id int64, f *failure.Error) db.FailJobParams {
	code, message, path, hint := f.Code, printable(f.Sentence()), printable(f.Path), f.Advice()
	return db.FailJobParams{ID: id, ErrorCode: &code, ErrorMessage: &message, ErrorPath: &path, ErrorHint: &hint}
}

func (r *run) cancelled(ctx context.Context) (transfer.Status, error) {
	return r.end(ctx, transfer.Cancelled, cancelledEvent(), func(q *db.Queries) (int64, error) { return q.CancelJob(ctx, r.job.ID) })
}

// interrupted gives the job back through no fault of its own.
func (r *run) interrupted(ctx context.Context, reason string) (transfer.Status, error) {
	event := transfer.Event{
		Kind:    transfer.EventRetryScheduled,
		Message: fmt.Sprintf("%s had to stop (%s); the next worker goes on", r.worker.Name, reason),
		Figures: transfer.Figures{"reason": reason, "worker": r.worker.Name},
	}
	return r.end(ctx, transfer.Pending, event, func(q *db.Queries) (int64, error) {
		return q.ReleaseJob(ctx, db.ReleaseJobParams{ID: r.job.ID, AttemptCounts: false})
	})
}

func (r *run) retryLater(ctx context.Context, f *failure.Error) (transfer.Status, error) {
	delay := retryDelay(r.riverJob.Attempt)
	event := errorEvent(f)
	event.Kind = transfer.EventRetryScheduled
	event.Message = fmt.Sprintf("%s. Trying again in %s (attempt %d of %d)", event.Message, delay, r.job.Attempts+1, attemptsAt(f.Code)+r.job.Takeovers)
	event.Figures["reason"] = "failure"
	event.Figures["retry_seconds"] = delay.Seconds()
	event.Figures["retry_at"] = time.Now().Add(delay).UTC().Format(time.RFC3339)
	return r.end(ctx, transfer.Pending, event, func(q *db.Queries) (int64, error) {
		return q.ReleaseJob(ctx, db.ReleaseJobParams{ID: r.job.ID, AttemptCounts: true})
	})
}

// end writes a run's last event, its job's new status, and drops the token. A job of which a cancel was requested meanwhile
// is cancelled, whatever else would have become of it. It returns the status.
func (r *run) end(ctx context.Context, status transfer.Status, event transfer.Event,
	update func(q *db.Queries) (int64, error)) (transfer.Status, error) {
	err := r.record(ctx, func(ctx context.Context, t *jobTx) error {
		if t.job.CancelRequestedAt != nil {
			status, event = transfer.Cancelled, cancelledEvent()
			update = func(q *db.Queries) (int64, error) { return q.CancelJob(ctx, r.job.ID) }
		}
		if err := t.event(ctx, event); err != nil {
			return err
		}
		rows, err := update(t.q)
		if err == nil && rows == 0 {
			err = db.ErrRunLost
		}
		if err != nil {
			return err
		}
		return t.q.EndRun(ctx, db.EndRunParams{JobID: r.job.ID, RunToken: r.token})
	})
	return status, err
}

func errorEvent(f *failure.Error) transfer.Event {
	return transfer.Event{
		Kind:    transfer.EventError,
		Message: printable(f.Sentence()),
		Figures: transfer.Figures{"code": f.Code, "path": printable(f.Path), "hint": f.Advice()},
	}
}
