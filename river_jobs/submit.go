package riverjobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// keysKept is for how long an idempotency key stands for its submission.
const keysKept = 24 * time.Hour

// Submit records a job and inserts the River job that wakes a worker for it: both, or neither. Under an idempotency key
// that was used before for the very same it makes nothing, and returns the job there is and false; for something else it
// fails with failure.IdempotencyKeyReused. A portal that doesn't exist is failure.PortalNotFound; portals that no worker can
// reach both are failure.InvalidRequest.
func (c *Client) Submit(ctx context.Context, submission transfer.Submission) (job db.Job, created bool, err error) {
	var t *jobTx
	err = c.store.InTx(ctx, func(tx pgx.Tx, q *db.Queries) error {
		t = &jobTx{tx: tx, q: q, by: submission.SubmittedBy}
		earlier, err := submittedBefore(ctx, q, submission)
		if err != nil {
			return err
		}
		if created = earlier == nil; created {
			return c.create(ctx, t, submission)
		}
		t.job, err = q.GetJob(ctx, *earlier)
		return err
	})
	if err != nil {
		return db.Job{}, false, fmt.Errorf("submitting a job: %w", err)
	}
	c.tell(t)
	return t.job, created, nil
}

func (c *Client) create(ctx context.Context, t *jobTx, s transfer.Submission) error {
	of, err := holdSides(ctx, t.q, idOf(s.Spec.SourcePortal), idOf(s.Spec.DestinationPortal))
	if err != nil {
		return err
	}
	if err := of.check(s.Spec); err != nil {
		return err
	}
	if t.job, err = insert(ctx, t.q, s, of); err != nil {
		return err
	}
	if s.IdempotencyKey != "" {
		if err := t.q.SetKey(ctx, db.SetKeyParams{Key: s.IdempotencyKey, RequestSha256: digest(s), JobID: t.job.ID}); err != nil {
			return err
		}
	}
	if err := c.wake(ctx, t); err != nil {
		return err
	}
	return t.event(ctx, createdEvent(s, of))
}

// insert makes the job's row, in the queue of a host that can run it.
func insert(ctx context.Context, q *db.Queries, s transfer.Submission, of sides) (db.Job, error) {
	queue, err := place(s.Queue, of)
	if err != nil {
		return db.Job{}, err
	}
	return q.CreateJob(ctx, db.CreateJobParams{
		Mode:                  s.Spec.Mode,
		SourcePath:            s.Spec.Source,
		SourcePortal:          idOf(s.Spec.SourcePortal),
		SourcePortalName:      nameOf(of.source),
		DestinationPath:       s.Spec.Destination,
		DestinationPortal:     idOf(s.Spec.DestinationPortal),
		DestinationPortalName: nameOf(of.destination),
		RequestedStrategy:     s.Spec.Strategy,
		Verify:                s.Spec.Verify,
		Queue:                 queue,
		Priority:              s.Priority,
		SubmittedBy:           orNull(s.SubmittedBy),
	})
}

// wake inserts a River job for a pending job, and makes it the one that may run it.
func (c *Client) wake(ctx context.Context, t *jobTx) error {
	inserted, err := c.river.InsertTx(ctx, t.tx, TransferArgs{JobID: t.job.ID},
		&river.InsertOpts{MaxAttempts: maxPortalAttempts, Queue: t.job.Queue, Priority: int(t.job.Priority)})
	if err != nil {
		return err
	}
	t.job.RiverJobID = &inserted.Job.ID
	return t.q.SetRiverJob(ctx, db.SetRiverJobParams{ID: t.job.ID, RiverJobID: t.job.RiverJobID})
}

// submittedBefore returns the job that the submission's key stands for, nil if there is none. Until the transaction ends
// nobody else gets past here with the same key.
func submittedBefore(ctx context.Context, q *db.Queries, s transfer.Submission) (*int64, error) {
	if s.IdempotencyKey == "" {
		return nil, nil
	}
	if err := q.LockKey(ctx, s.IdempotencyKey); err != nil {
		return nil, err
	}
	known, err := q.GetKey(ctx, db.GetKeyParams{Key: s.IdempotencyKey, Kept: keysKept})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case !bytes.Equal(known.RequestSha256, digest(s)):
		return nil, failure.New(failure.IdempotencyKeyReused, "",
			fmt.Sprintf("This Idempotency-Key stands for job %d, which was asked for with another body", known.JobID))
	}
	return &known.JobID, nil
}

// digest tells submissions apart by what they ask for, however it was written. One without portals has the digest that it had
// before there were any, for keys outlive an upgrade.
func digest(s transfer.Submission) []byte {
	queue := s.Queue
	if queue == "" && s.Spec.SourcePortal == 0 && s.Spec.DestinationPortal == 0 {
		queue = transfer.DefaultQueue
	}
	what := []any{s.Spec.Source, s.Spec.Destination, s.Spec.Mode, s.Spec.Strategy, s.Spec.Verify, queue, s.Priority}
	if s.Spec.SourcePortal != 0 || s.Spec.DestinationPortal != 0 {
		what = append(what, s.Spec.SourcePortal, s.Spec.DestinationPortal)
	}
	asked, err := json.Marshal(what)
	if err != nil {
		panic(err) // strings and numbers
	}
	sum := sha256.Sum256(asked)
	return sum[:]
}

func createdEvent(s transfer.Submission, of sides) transfer.Event {
	spec := s.Spec
	figures := transfer.Figures{"mode": spec.Mode, "strategy": spec.Strategy, "verify": spec.Verify}
	if s.RequestID != "" {
		figures["request_id"] = s.RequestID
	}
	if of.source != nil {
		figures["source_portal"] = of.source.Name
	}
	if of.destination != nil {
		figures["destination_portal"] = of.destination.Name
	}
	return transfer.Event{
		Kind:    transfer.EventCreated,
		Message: fmt.Sprintf("Job created: %s %s to %s", spec.Mode, on(of.source, spec.Source), of.arrives(spec)),
		Figures: figures,
	}
}
