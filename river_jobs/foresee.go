package riverjobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// Foreseen is the job that a submission would become.
type Foreseen struct {
	Queue               string
	Source, Destination *db.Portal // nil: none
}

// Foresee says what Submit would make of a submission, and fails as it would. It records nothing.
func (c *Client) Foresee(ctx context.Context, submission transfer.Submission) (Foreseen, error) {
	var of sides
	for _, side := range []struct {
		name   string
		id     int64
		portal **db.Portal
	}{{"source", submission.Spec.SourcePortal, &of.source}, {"destination", submission.Spec.DestinationPortal, &of.destination}} {
		if side.id == 0 {
			continue
		}
		portal, err := c.store.Portal(ctx, side.id)
		if errors.Is(err, db.ErrNotFound) {
			_, err = heldPortal(nil, &side.id, side.name)
		}
		if err != nil {
			return Foreseen{}, fmt.Errorf("looking for a job's portals: %w", err)
		}
		*side.portal = &portal
	}
	if err := of.check(submission.Spec); err != nil {
		return Foreseen{}, err
	}
	queue, err := place(submission.Queue, of)
	return Foreseen{Queue: queue, Source: of.source, Destination: of.destination}, err
}
