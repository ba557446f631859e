package riverjobs

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/engine/transfer"
)

// strandedSQL finds jobs that nobody will run: they wait for a River job that is gone, has ended, was fetched by a worker that
// died before it claimed the job, or is put off for longer than any delay of ours, by a worker whose clock is ahead; or they
// run without a run. What has changed within a lease ($1) may be about to right itself. River's table is only read; it is not
// in the schema that package db's queries are compiled against.
const strandedSQL = `
	SELECT j.id, coalesce(r.state::text, 'gone') AS state
	FROM jobs j LEFT JOIN river_job r ON r.id = j.river_job_id
	WHERE j.status IN ('pending', 'running') AND j.updated_at < now() - $1::interval
	  AND CASE j.status
	      WHEN 'running' THEN NOT EXISTS (SELECT FROM job_runs x WHERE x.job_id = j.id)
	      ELSE r.id IS NULL OR r.state IN ('cancelled', 'completed', 'discarded')
	           OR r.state = 'running' AND r.attempted_at < now() - $1::interval
	           OR r.state <> 'running' AND r.scheduled_at > now() + 2 * $3::interval
	      END
	  AND ($2::bigint IS NULL OR j.id = $2)
	LIMIT 1000`

// outlivedSQL finds River jobs that go on although their job has ended. Few go on, and each names its job: looked for the
// other way round, all of the history would be read. The inner limit makes the planner look each up by its id.
const outlivedSQL = `
	SELECT ended.id
	FROM river_job r CROSS JOIN LATERAL (
	    SELECT j.id FROM jobs j
	    WHERE j.id = (r.args ->> 'job_id')::bigint AND j.river_job_id = r.id
	      AND j.status IN ('success', 'failed', 'cancelled') AND j.finished_at < now() - $1::interval
	    LIMIT 1
	) AS ended
	WHERE r.kind = 'transfer' AND r.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
	  AND NOT r.metadata ? 'cancel_attempted_at'
	LIMIT 1000`

// reconcile mends what River's table and ours disagree about. Of all workers, one does it per lease.
func (w *transferWorker) reconcile(ctx context.Context) error {
	if mine, err := w.myTurn(ctx); !mine {
		return err
	}
	stranded, err := w.ids(ctx, "SELECT id FROM ("+strandedSQL+") s", w.Lease, nil, longestDelay)
	for _, id := range stranded {
		mended, mending := w.mend(ctx, id, "", w.rewake)
		if mended {
			w.Meter.Rewoken()
		}
		err = errors.Join(err, mending)
	}
	outlived, listing := w.ids(ctx, outlivedSQL, w.Lease)
	err = errors.Join(err, listing)
	for _, id := range outlived {
		_, mending := w.mend(ctx, id, "", w.endRiver)
		err = errors.Join(err, mending)
	}
	return err
}

func (w *transferWorker) myTurn(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	return w.client.store.TakeTurn(ctx, w.Lease)
}

// rewake gives a stranded job another River job, if it is stranded still.
func (w *transferWorker) rewake(ctx context.Context, t *jobTx) error {
	var id int64
	var state string
	err := t.tx.QueryRow(ctx, strandedSQL, w.Lease, t.job.ID, longestDelay).Scan(&id, &state)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	why := "the River job that was to wake a worker: " + state
	if t.job.Status == transfer.Running {
		why = "it was running, and by no worker"
	}
	recovered := transfer.Event{
		Kind:    transfer.EventRecovered,
		Message: "Nobody would have run this job (" + why + "); " + w.Name + " queued it again",
		Figures: transfer.Figures{"by": w.Name, "river_job_state": state},
	}
	if t.job.Status == transfer.Running {
		return w.requeue(ctx, t, true, recovered)
	}
	if err := w.client.cancelRiver(ctx, t); err != nil {
		return err
	}
	if err := t.event(ctx, recovered); err != nil {
		return err
	}
	return w.client.wake(ctx, t)
}

// endRiver ends the River job of a job that has ended, unless an operator has queued it again.
func (w *transferWorker) endRiver(ctx context.Context, t *jobTx) error {
	if !t.job.Status.Final() {
		return nil
	}
	return w.client.cancelRiver(ctx, t)
}

func (w *transferWorker) ids(ctx context.Context, sql string, args ...any) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, choreTime)
	defer cancel()
	rows, err := w.client.store.Pool().Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
