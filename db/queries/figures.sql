-- LiveJobs counts the jobs that wait or run, of which there are few however long the history.
-- name: LiveJobs :many
SELECT status, coalesce(strategy, '')::text AS strategy, count(*) AS jobs FROM jobs
WHERE status IN ('pending', 'running')
GROUP BY 1, 2;

-- EndedJobs counts the history, all of which it reads: the planner chooses how, and is right about it.
-- name: EndedJobs :many
SELECT status, coalesce(strategy, '')::text AS strategy, count(*) AS jobs FROM jobs
WHERE status IN ('success', 'failed', 'cancelled')
GROUP BY 1, 2;

-- QueueDepths are the queues that jobs wait in, at most so many of them, the named ones before others and then the longest;
-- the rest is summed up under the empty name. A job that ran before waits since it was given back.
-- name: QueueDepths :many
WITH waiting AS (
    SELECT queue, count(*) AS jobs, max(now() - CASE WHEN started_at IS NULL THEN queued_at ELSE updated_at END) AS oldest
    FROM jobs WHERE status = 'pending'
    GROUP BY queue
), ranked AS (
    SELECT queue, jobs, oldest,
           row_number() OVER (ORDER BY queue = ANY (@named::text[]) DESC, jobs DESC, queue) <= sqlc.arg(most)::integer AS told
    FROM waiting
)
SELECT CASE WHEN told THEN queue ELSE '' END::text AS queue, sum(jobs)::bigint AS jobs,
       extract(epoch FROM max(oldest))::double precision AS oldest_seconds
FROM ranked
GROUP BY 1;

-- RunFigures are those of all runs: how many are silent for longer than their leases last, and how fast the others are.
-- name: RunFigures :one
SELECT count(*) FILTER (WHERE lease_expires_at < now()) AS silent,
       coalesce(sum(bytes_per_second) FILTER (WHERE lease_expires_at >= now()), 0)::double precision AS bytes_per_second
FROM job_runs;
