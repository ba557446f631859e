-- LiveJobs counts the jobs that wait or run, of which there are few however long the history.
-- name: LiveJobs :many
SELECT status, coalesce(strategy, '')::text AS strategy, count(*) AS jobs FROM jobs
WHERE status IN ('pending', 'running')
GROUP BY 1, 2;

-- EndedJobs counts the history, from a range of jobs_by_class for each combination: the planner thinks that reading the whole table
-- at once costs less, and it costs many times as much.
-- name: EndedJobs :many
SELECT s.status::text AS status, t.strategy::text AS strategy, sum(n.jobs)::bigint AS jobs
FROM unnest(ARRAY['success', 'failed', 'cancelled']) AS s(status), unnest(ARRAY['copy', 'move']) AS m(mode),
     unnest(ARRAY['', 'DIRECT', 'ZIP_FIRST']) AS t(strategy),
     LATERAL (SELECT count(*) AS jobs FROM jobs j
              WHERE j.status = s.status AND j.mode = m.mode AND coalesce(j.strategy, '') = t.strategy) AS n
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
