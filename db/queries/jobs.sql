-- name: Installation :one
SELECT id FROM installation;

-- name: CreateJob :one
INSERT INTO jobs (mode, source_path, destination_path, requested_strategy, verify, queue, priority,
                  source_portal, source_portal_name, destination_portal, destination_portal_name)
VALUES (@mode, @source_path, @destination_path, @requested_strategy, @verify, @queue, @priority,
        @source_portal, @source_portal_name, @destination_portal, @destination_portal_name)
RETURNING *;

-- LockKey makes those who submit under one key wait for each other, until their transactions end.
-- name: LockKey :exec
SELECT pg_advisory_xact_lock(hashtextextended('ketter idempotency key ' || sqlc.arg(key)::text, 0));

-- name: GetKey :one
SELECT request_sha256, job_id FROM idempotency_keys WHERE key = @key AND created_at > now() - sqlc.arg(kept)::interval;

-- name: SetKey :exec
INSERT INTO idempotency_keys (key, request_sha256, job_id) VALUES (@key, @request_sha256, @job_id)
ON CONFLICT (key) DO UPDATE SET request_sha256 = excluded.request_sha256, job_id = excluded.job_id, created_at = now();

-- name: SetRiverJob :exec
UPDATE jobs SET river_job_id = @river_job_id WHERE id = @id;

-- name: GetJob :one
SELECT * FROM jobs WHERE id = @id;

-- name: NewestID :one
SELECT coalesce(max(id), 0)::bigint AS id FROM jobs;

-- ListJobs is newest first, as every list is, and reads no job in vain but those that share a hundred of ids or an hour with an end of the
-- time that is asked for: before is the last id of the page before, or the first that is too late; lowest and the times are as in IDsOf.
-- name: ListJobs :many
SELECT * FROM jobs
WHERE id < @before AND id >= @lowest
  AND created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity') AND created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
ORDER BY id DESC
LIMIT @row_limit;

-- ListJobsOf is ListJobs for some statuses, modes and strategies (an empty one is: not decided yet). For each of their combinations
-- the newest ids are read from one short range of the index jobs_by_class, and the newest of all these are the page:
-- however rare a combination is, no row is read in vain.
-- name: ListJobsOf :many
SELECT * FROM jobs WHERE id = ANY(ARRAY(
    SELECT newest.id
    FROM unnest(@statuses::text[]) AS a(status), unnest(@modes::text[]) AS b(mode), unnest(@strategies::text[]) AS c(strategy),
        LATERAL (
            SELECT j.id FROM jobs j
            WHERE j.status = a.status AND j.mode = b.mode AND coalesce(j.strategy, '') = c.strategy
              AND -j.id > - sqlc.arg(before)::bigint AND -j.id <= - sqlc.arg(lowest)::bigint
              AND j.created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity')
              AND j.created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
            ORDER BY -j.id
            LIMIT @row_limit
        ) AS newest
    ORDER BY newest.id DESC
    LIMIT @row_limit
))
ORDER BY id DESC;

-- ListJobsOfRoutes is ListJobsOf for some routes, which have their modes, by jobs_by_route.
-- name: ListJobsOfRoutes :many
SELECT * FROM jobs WHERE id = ANY(ARRAY(
    SELECT newest.id
    FROM unnest(@routes::bigint[]) AS a(route), unnest(@statuses::text[]) AS b(status), unnest(@strategies::text[]) AS c(strategy),
        LATERAL (
            SELECT j.id FROM jobs j
            WHERE j.route = a.route AND j.status = b.status AND coalesce(j.strategy, '') = c.strategy
              AND -j.id > - sqlc.arg(before)::bigint AND -j.id <= - sqlc.arg(lowest)::bigint
              AND j.created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity')
              AND j.created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
            ORDER BY -j.id
            LIMIT @row_limit
        ) AS newest
    ORDER BY newest.id DESC
    LIMIT @row_limit
))
ORDER BY id DESC;

-- ListJobsOfCode is ListJobsOfRoutes for jobs that failed with a code, by jobs_by_code.
-- name: ListJobsOfCode :many
SELECT * FROM jobs WHERE id = ANY(ARRAY(
    SELECT newest.id
    FROM unnest(@routes::bigint[]) AS a(route), unnest(@strategies::text[]) AS b(strategy),
        LATERAL (
            SELECT j.id FROM jobs j
            WHERE j.route = a.route AND j.error_code = sqlc.arg(code)::text AND coalesce(j.strategy, '') = b.strategy
              AND -j.id > - sqlc.arg(before)::bigint AND -j.id <= - sqlc.arg(lowest)::bigint
              AND j.created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity')
              AND j.created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
            ORDER BY -j.id
            LIMIT @row_limit
        ) AS newest
    ORDER BY newest.id DESC
    LIMIT @row_limit
))
ORDER BY id DESC;
