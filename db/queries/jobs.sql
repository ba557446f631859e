-- name: Installation :one
SELECT id FROM installation;

-- name: CreateJob :one
INSERT INTO jobs (mode, source_path, destination_path, requested_strategy, verify, queue, priority,
                  source_portal, source_portal_name, destination_portal, destination_portal_name, submitted_by)
VALUES (@mode, @source_path, @destination_path, @requested_strategy, @verify, @queue, @priority,
        @source_portal, @source_portal_name, @destination_portal, @destination_portal_name, @submitted_by)
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

-- ListJobs is newest first; before is the last id of the page before.
-- name: ListJobs :many
SELECT * FROM jobs WHERE id < @before ORDER BY id DESC LIMIT @row_limit;

-- ListJobsOf is ListJobs for some statuses, modes and strategies (an empty one is: not decided yet). For each of their combinations
-- the newest ids are read from one short range of the index jobs_by_class, and the newest of all these are the page:
-- however rare a combination is, no row is read in vain.
-- name: ListJobsOf :many
SELECT * FROM jobs WHERE id = ANY(ARRAY(
    SELECT newest.id
    FROM unnest(@statuses::text[]) AS a(status), unnest(@modes::text[]) AS b(mode), unnest(@strategies::text[]) AS c(strategy),
        LATERAL (
            SELECT j.id FROM jobs j
            WHERE j.status = a.status AND j.mode = b.mode AND coalesce(j.strategy, '') = c.strategy AND -j.id > - sqlc.arg(before)::bigint
            ORDER BY -j.id
            LIMIT @row_limit
        ) AS newest
    ORDER BY newest.id DESC
    LIMIT @row_limit
))
ORDER BY id DESC;
