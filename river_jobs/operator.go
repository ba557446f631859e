package riverjobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Cancel ends a job that has not ended: at once if it waits, within moments if it runs. Cancelling a job that is cancelled,
// or about to be, is no error. One that has ended otherwise, or is past the point of no return, is failure.JobState; one
// that doesn't exist is db.ErrNotFound. by is the name of who asks for it, which its events tell; empty: somebody.
func (c *Client) Cancel(ctx context.Context, id int64, by string) (db.Job, error) {
	return c.operate(ctx, id, by, func(t *jobTx) error {
		switch job := t.job; {
		case job.Status == transfer.Cancelled, !job.Status.Final() && job.CancelRequestedAt != nil:
			return nil
		case job.Status.Final():
			return refused(id, "has ended (%s): there is nothing to cancel", job.Status)
		case pastReturn(job):
			return tooLate(id)
		}
		if err := c.cancelRiver(ctx, t); err != nil {
			return err
		}
		if t.job.Status == transfer.Running {
			return requestCancel(ctx, t, "Cancel requested")
		}
		return t.cancelJob(ctx)
	})
}

// pastReturn reports whether a run has announced its publish, and it isn't known that nothing came of it.
func pastReturn(job db.Job) bool { return len(job.PublishIntent) > 0 }

func tooLate(id int64) error {
	return refused(id, "is past the point of no return: what it has staged is complete and is given its final name, so it finishes by itself")
}

// Retry queues a job that failed or was cancelled again, under the same id and with its history. One in another state is
// failure.JobState, one whose portal was deleted failure.PortalNotFound; one that doesn't exist is db.ErrNotFound. by is as for Cancel.
func (c *Client) Retry(ctx context.Context, id int64, by string) (db.Job, error) {
	return c.operate(ctx, id, by, func(t *jobTx) error {
		switch t.job.Status {
		case transfer.Failed, transfer.Cancelled:
		case transfer.Success:
			return refused(id, "has succeeded: there is nothing to try again")
		default:
			return refused(id, "is %s: it has not ended yet", t.job.Status)
		}
		if err := t.placeAgain(); err != nil {
			return err
		}
		if _, err := t.q.RetryJob(ctx, db.RetryJobParams{ID: id, Queue: t.job.Queue}); err != nil {
			return err
		}
		// The old River job may not have heard of the end yet: it must not take this for its own.
		if err := c.cancelRiver(ctx, t); err != nil {
			return err
		}
		if err := c.wake(ctx, t); err != nil {
			return err
		}
		return t.event(ctx, transfer.Event{
			Kind:    transfer.EventRetryScheduled,
			Message: fmt.Sprintf("Queued again, after it was %s", t.job.Status),
			Figures: transfer.Figures{"reason": "operator", "was": t.job.Status},
		})
	})
}

// operate changes a job under its lock and returns it as it is then.
func (c *Client) operate(ctx context.Context, id int64, by string, change func(t *jobTx) error) (job db.Job, err error) {
	var t *jobTx
	err = c.store.InTx(ctx, func(tx pgx.Tx, q *db.Queries) error {
		t = &jobTx{tx: tx, q: q, by: by}
		if err := t.lock(ctx, id); err != nil {
			return err
		}
		if err := change(t); err != nil {
			return err
		}
		job, err = q.GetJob(ctx, id)
		return err
	})
	if err != nil {
		return db.Job{}, err
	}
	c.tell(t)
	return job, nil
}

// lock takes a job's row, and before it the portals that the row names, for this is the order: which these are never changes.
func (t *jobTx) lock(ctx context.Context, id int64) (err error) {
	if t.job, err = t.q.GetJob(ctx, id); err == nil {
		t.sides, t.lost = holdSides(ctx, t.q, t.job.SourcePortal, t.job.DestinationPortal)
		t.job, err = t.q.LockJob(ctx, id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("job %d: %w", id, db.ErrNotFound)
	}
	return err
}

// placeAgain leaves a job in its queue, unless a portal has moved to another host since.
func (t *jobTx) placeAgain() error {
	if t.lost != nil {
		return t.lost
	}
	if _, err := place(t.job.Queue, t.sides); err == nil {
		return nil
	}
	queue, err := place("", t.sides)
	t.job.Queue = queue
	return err
}

// cancelRiver ends the River job of a row, wherever that is. One that is gone has ended.
func (c *Client) cancelRiver(ctx context.Context, t *jobTx) error {
	if t.job.RiverJobID == nil {
		return nil
	}
	_, err := c.river.JobCancelTx(ctx, t.tx, *t.job.RiverJobID)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return err
}

// requestCancel asks whoever runs the job to stop.
func requestCancel(ctx context.Context, t *jobTx, message string) error {
	if err := t.q.RequestCancel(ctx, t.job.ID); err != nil {
		return err
	}
	return t.event(ctx, transfer.Event{Kind: transfer.EventCancelRequested, Message: message})
}

// cancelJob ends a job that nobody runs.
func (t *jobTx) cancelJob(ctx context.Context) error {
	if _, err := t.q.CancelJob(ctx, t.job.ID); err != nil {
		return err
	}
	return t.event(ctx, cancelledEvent())
}

func cancelledEvent() transfer.Event {
	return transfer.Event{Kind: transfer.EventCancelled, Message: "Cancelled"}
}

func refused(id int64, format string, args ...any) error {
	return failure.New(failure.JobState, "", fmt.Sprintf("Job %d ", id)+fmt.Sprintf(format, args...))
}
