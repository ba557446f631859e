package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// Submit records a job and inserts the River job that wakes a worker for it: both, or neither. The spec's paths, mode,
// strategy and verify are used; they have been validated.
func (c *Client) Submit(ctx context.Context, spec transfer.Spec) (db.Job, error) {
	var job db.Job
	var seq int64
	err := c.store.InTx(ctx, func(tx pgx.Tx, q *db.Queries) error {
		id, err := q.CreateJob(ctx, db.CreateJobParams{
			Mode:              spec.Mode,
			SourcePath:        spec.Source,
			DestinationPath:   spec.Destination,
			RequestedStrategy: spec.Strategy,
			Verify:            spec.Verify,
		})
		if err != nil {
			return err
		}
		inserted, err := c.river.InsertTx(ctx, tx, TransferArgs{JobID: id}, nil)
		if err != nil {
			return err
		}
		if err := q.SetRiverJob(ctx, db.SetRiverJobParams{ID: id, RiverJobID: &inserted.Job.ID}); err != nil {
			return err
		}
		if seq, err = addEvent(ctx, q, id, createdEvent(spec)); err != nil {
			return err
		}
		job, err = q.GetJob(ctx, id)
		return err
	})
	if err != nil {
		return db.Job{}, fmt.Errorf("submitting a job: %w", err)
	}
	c.published(job.ID, seq, transfer.EventCreated)
	return job, nil
}

func createdEvent(spec transfer.Spec) transfer.Event {
	return transfer.Event{
		Kind:    transfer.EventCreated,
		Message: fmt.Sprintf("Job created: %s %s to %s", spec.Mode, spec.Source, spec.FinalPath()),
		Figures: transfer.Figures{"mode": spec.Mode, "strategy": spec.Strategy, "verify": spec.Verify},
	}
}

// addEvent records an event in the transaction of q and returns its number.
func addEvent(ctx context.Context, q *db.Queries, jobID int64, event transfer.Event) (int64, error) {
	payload := []byte("{}")
	if len(event.Figures) > 0 {
		var err error
		if payload, err = json.Marshal(event.Figures); err != nil {
			return 0, fmt.Errorf("event %s: %w", event.Kind, err)
		}
	}
	return q.AddEvent(ctx, db.AddEventParams{
		JobID: jobID, Kind: event.Kind, Message: printable(event.Message), Payload: payload,
	})
}
