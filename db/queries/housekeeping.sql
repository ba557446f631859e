-- TakeTurn takes a row for one worker per interval, of those that would do what one is enough for.
-- name: TakeTurn :execrows
UPDATE installation SET reconciled_at = now() WHERE reconciled_at < now() - sqlc.arg(interval)::interval;

-- UnsweptJobs are those that have ended and may have left a staging folder, of the queues that a worker serves. The run
-- that ended sweeps by itself; who died before is given a grace. (Written as a sum, so that it is asked of the few jobs
-- here and never of jobs_by_finish, where it fits nearly all.)
-- name: UnsweptJobs :many
SELECT s.job_id, s.sweeps FROM job_stagings s JOIN jobs j ON j.id = s.job_id
WHERE s.sweep_after < now() AND j.status IN ('success', 'failed', 'cancelled') AND j.queue = ANY(@queues::text[])
  AND j.finished_at + sqlc.arg(grace)::interval < now()
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
DELETE FROM jobs WHERE id = ANY(ARRAY(
    SELECT j.id FROM jobs j
    WHERE j.finished_at < now() - sqlc.arg(older_than)::interval
      AND NOT EXISTS (SELECT FROM job_stagings s WHERE s.job_id = j.id)
      AND NOT EXISTS (SELECT FROM job_runs r WHERE r.job_id = j.id)
    ORDER BY j.finished_at
    LIMIT @row_limit
    FOR UPDATE OF j SKIP LOCKED
));

-- DeleteOldEvents deletes the events of ended jobs, the oldest first; the jobs stay. It takes no row when none was left. The
-- jobs it has dealt with it doesn't look at again.
-- name: DeleteOldEvents :execrows
WITH old AS (
    SELECT j.id, j.finished_at FROM jobs j
    WHERE j.finished_at > (SELECT events_deleted_until FROM installation)
      AND j.finished_at < now() - sqlc.arg(older_than)::interval
    ORDER BY j.finished_at
    FETCH FIRST (@row_limit) ROWS WITH TIES
), deleted AS (
    DELETE FROM job_events WHERE job_id = ANY(ARRAY(SELECT id FROM old))
)
UPDATE installation SET events_deleted_until = newest.finished_at
FROM (SELECT max(finished_at) AS finished_at FROM old) AS newest
WHERE newest.finished_at > events_deleted_until;

-- name: DeleteOldKeys :execrows
DELETE FROM idempotency_keys WHERE created_at < now() - sqlc.arg(older_than)::interval;
