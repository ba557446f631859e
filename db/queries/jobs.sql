-- name: Installation :one
SELECT id FROM installation;

-- name: CreateJob :one
INSERT INTO jobs (mode, source_path, destination_path, requested_strategy, verify, queue, priority)
VALUES (@mode, @source_path, @destination_path, @requested_strategy, @verify, @queue, @priority)
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
SELECT * FROM jobs
WHERE (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
  AND (sqlc.narg(mode)::text IS NULL OR mode = sqlc.narg(mode))
  AND (sqlc.narg(strategy)::text IS NULL OR strategy = sqlc.narg(strategy))
  AND (sqlc.narg(before)::bigint IS NULL OR id < sqlc.narg(before))
ORDER BY id DESC
LIMIT @row_limit;
