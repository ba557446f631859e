-- name: Installation :one
SELECT id FROM installation;

-- name: CreateJob :one
INSERT INTO jobs (mode, source_path, destination_path, requested_strategy, verify)
VALUES (@mode, @source_path, @destination_path, @requested_strategy, @verify)
RETURNING id;

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
