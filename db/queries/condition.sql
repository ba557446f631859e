-- name: Clock :one
SELECT clock_timestamp()::timestamptz AS now;

-- WaitingQueues are the queues that jobs wait in.
-- name: WaitingQueues :many
SELECT queue, count(*) AS jobs FROM jobs WHERE status = 'pending' GROUP BY queue ORDER BY queue;

-- SilentRuns are runs whose workers have not answered for longer than their leases last.
-- name: SilentRuns :many
SELECT job_id, worker, extract(epoch FROM now() - renewed_at)::double precision AS silent_seconds FROM job_runs
WHERE lease_expires_at < now()
ORDER BY renewed_at
LIMIT 100;
