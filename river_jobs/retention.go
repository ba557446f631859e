package riverjobs

import (
	"context"
	"errors"
	"time"

	"github.com/ketter/ketter/db"
)

// batch is how many jobs' rows are deleted in one transaction.
const batch = 1000

// retain deletes what is older than operators want to keep, and keys that count no longer.
func (w *transferWorker) retain(ctx context.Context) error {
	store := w.client.store
	err := inBatches(ctx, func(ctx context.Context) (int64, error) { return 0, store.DeleteOldKeys(ctx, keysKept) })
	if w.KeepEvents > 0 {
		err = errors.Join(err, inBatches(ctx, func(ctx context.Context) (int64, error) {
			return store.DeleteOldEvents(ctx, db.DeleteOldEventsParams{OlderThan: w.KeepEvents, RowLimit: batch})
		}))
	}
	if w.KeepJobs > 0 {
		err = errors.Join(err, inBatches(ctx, func(ctx context.Context) (int64, error) {
			return store.DeleteOldJobs(ctx, db.DeleteOldJobsParams{OlderThan: w.KeepJobs, RowLimit: batch})
		}))
	}
	return err
}

// inBatches deletes until nothing is left to delete.
func inBatches(ctx context.Context, some func(ctx context.Context) (int64, error)) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		deleted, err := some(bounded)
		cancel()
		if deleted == 0 || err != nil {
			return err
		}
	}
}
