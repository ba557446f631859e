package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// lastWords is how long a run that ends may take to record so; its own context may be over by then.
const lastWords = 5 * time.Second

// succeed commits the row, the last event and River's completion together. It does not stop for a shutdown: what was
// published is worth recording.
func (r *run) succeed(ctx context.Context, result transfer.Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	event := transfer.Event{
		Kind:    transfer.EventFinished,
		Message: fmt.Sprintf("Finished: %d files, %d bytes by %s", result.Files, result.Bytes, result.Method),
		Figures: transfer.Figures{
			"method": result.Method, "files": result.Files, "bytes": result.Bytes, "seconds": seconds(result.Elapsed),
		},
	}
	return r.write(ctx, event, func(tx pgx.Tx, q *db.Queries) error {
		err := q.SucceedJob(ctx, db.SucceedJobParams{
			ID: r.job.ID, Method: &result.Method, FilesCopied: result.Files, BytesCopied: result.Bytes,
		})
		if err != nil {
			return err
		}
		if err := q.EndRun(ctx, db.EndRunParams{JobID: r.job.ID, RunToken: r.token}); err != nil {
			return err
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, r.riverJob)
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
	f := failureOf(err)
	switch {
	case errors.Is(err, db.ErrRunLost) || f.Code == failure.LeaseLost:
		return goesOnElsewhere
	case errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely), f.Code == failure.Cancelled && ctx.Err() == nil:
		return isCancelled
	case ctx.Err() != nil:
		return isInterrupted
	case f.Code.Class() == failure.Permanent || r.job.Attempts >= maxAttempts:
		return fails
	default:
		return isTriedAgain
	}
}

// fail records what becomes of the job after an error and returns what River shall make of its own job.
func (r *run) fail(ctx context.Context, err error) error {
	recordCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	switch r.fateAfter(ctx, err) {
	case goesOnElsewhere:
		r.logger.Warn().Err(err).Msg("lease_lost: the job goes on elsewhere")
		return err
	case isCancelled:
		return r.finally(river.JobCancel(err), r.discarding(ctx, r.cancelled(recordCtx)))
	case isInterrupted:
		// River spends no attempt on an error that wraps context.Canceled, and neither do we.
		return r.finally(fmt.Errorf("interrupted: %w", context.Canceled), r.interrupted(recordCtx))
	case isTriedAgain:
		return r.finally(err, r.retryLater(recordCtx, failureOf(err)))
	default:
		return r.finally(river.JobCancel(err), r.discarding(ctx, r.failed(recordCtx, failureOf(err))))
	}
}

// discarding removes what runs of the job have kept for a next one, once it is recorded that there will be none.
func (r *run) discarding(ctx context.Context, recording error) error {
	if recording != nil {
		return recording
	}
	if err := r.worker.Engine.Discard(context.WithoutCancel(ctx), r.spec); err != nil {
		r.logger.Warn().Err(err).Msg("the job's staging folder could not be removed; it can be deleted by hand")
	}
	return nil
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

// finally returns what River shall see; when our own row could not be written, an error that River retries: the next
// attempt finds the row as it is.
func (r *run) finally(forRiver, recording error) error {
	if recording == nil {
		r.logger.Warn().Err(forRiver).Msg("job ended without success")
		return forRiver
	}
	r.logger.Error().AnErr("cause", forRiver).Err(recording).Msg("the job's end could not be recorded")
	return recording
}

func (r *run) failed(ctx context.Context, f *failure.Error) error {
	code, message, path, hint := f.Code, printable(f.Sentence()), printable(f.Path), f.Advice()
	return r.end(ctx, errorEvent(f), func(q *db.Queries) (int64, error) {
		return q.FailJob(ctx, db.FailJobParams{
			ID: r.job.ID, ErrorCode: &code, ErrorMessage: &message, ErrorPath: &path, ErrorHint: &hint,
		})
	})
}

func (r *run) cancelled(ctx context.Context) error {
	event := transfer.Event{Kind: transfer.EventCancelled, Message: "Cancelled"}
	return r.end(ctx, event, func(q *db.Queries) (int64, error) { return q.CancelJob(ctx, r.job.ID) })
}

func (r *run) interrupted(ctx context.Context) error {
	event := transfer.Event{
		Kind:    transfer.EventRetryScheduled,
		Message: r.worker.Name + " is shutting down; the next worker goes on",
		Figures: transfer.Figures{"reason": "shutdown", "worker": r.worker.Name},
	}
	return r.end(ctx, event, func(q *db.Queries) (int64, error) {
		return q.ReleaseJob(ctx, db.ReleaseJobParams{ID: r.job.ID, AttemptCounts: false})
	})
}

func (r *run) retryLater(ctx context.Context, f *failure.Error) error {
	delay := retryDelay(r.riverJob.Attempt)
	event := errorEvent(f)
	event.Kind = transfer.EventRetryScheduled
	event.Message = fmt.Sprintf("%s. Trying again in %s (attempt %d of %d)", event.Message, delay, r.job.Attempts+1, maxAttempts)
	event.Figures["retry_seconds"] = delay.Seconds()
	return r.end(ctx, event, func(q *db.Queries) (int64, error) {
		return q.ReleaseJob(ctx, db.ReleaseJobParams{ID: r.job.ID, AttemptCounts: true})
	})
}

// end writes a run's last event, its job's new status, and drops the token.
func (r *run) end(ctx context.Context, event transfer.Event, update func(q *db.Queries) (int64, error)) error {
	return r.write(ctx, event, func(_ pgx.Tx, q *db.Queries) error {
		rows, err := update(q)
		if err == nil && rows == 0 {
			err = db.ErrRunLost
		}
		if err != nil {
			return err
		}
		return q.EndRun(ctx, db.EndRunParams{JobID: r.job.ID, RunToken: r.token})
	})
}

func errorEvent(f *failure.Error) transfer.Event {
	return transfer.Event{
		Kind:    transfer.EventError,
		Message: printable(f.Sentence()),
		Figures: transfer.Figures{"code": f.Code, "path": printable(f.Path), "hint": f.Advice()},
	}
}

// printable makes any file name fit for a text column: bytes that are not UTF-8 become \xNN.
func printable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
