-- UnsweptJobs are those that have ended and may have left a staging folder, of the queues that a worker serves. The run
-- that ended sweeps by itself; who died before is given a grace.
-- name: UnsweptJobs :many
SELECT s.job_id, s.sweeps FROM job_stagings s JOIN jobs j ON j.id = s.job_id
WHERE s.sweep_after < now() AND j.status IN ('success', 'failed', 'cancelled') AND j.queue = ANY(@queues::text[])
  AND j.finished_at < now() - sqlc.arg(grace)::interval
ORDER BY s.sweep_after
LIMIT 16;

-- name: Swept :exec
DELETE FROM job_stagings WHERE job_id = @job_id;

-- SweepLater puts off a sweep that did not succeed: by half a minute, doubled each time, up to a day.
-- name: SweepLater :exec
UPDATE job_stagings
SET sweeps = sweeps + 1, sweep_after = now() + least(interval '1 day', interval '30 s' * (2 ^ least(sweeps, 20)))
WHERE job_id = @job_id;

-- DeleteOldJobs deletes ended jobs with all that is known of them, save those that may still have a staging folder.
-- name: DeleteOldJobs :execrows
DELETE FROM jobs WHERE id IN (
    SELECT j.id FROM jobs j
    WHERE j.finished_at < now() - sqlc.arg(older_than)::interval
      AND NOT EXISTS (SELECT FROM job_stagings s WHERE s.job_id = j.id)
      AND NOT EXISTS (SELECT FROM job_runs r WHERE r.job_id = j.id)
    ORDER BY j.finished_at
    LIMIT @row_limit
    FOR UPDATE OF j SKIP LOCKED
);

-- DeleteOldEvents deletes the events of ended jobs; the jobs stay.
-- name: DeleteOldEvents :execrows
DELETE FROM job_events WHERE job_id IN (
    SELECT j.id FROM jobs j
    WHERE j.finished_at < now() - sqlc.arg(older_than)::interval
      AND EXISTS (SELECT FROM job_events e WHERE e.job_id = j.id)
    LIMIT @row_limit
);

-- name: DeleteOldKeys :execrows
DELETE FROM idempotency_keys WHERE created_at < now() - sqlc.arg(older_than)::interval;
