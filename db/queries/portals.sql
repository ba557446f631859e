-- name: InsertPortal :one
INSERT INTO portals (name, kind, root_path, host, port, username, host_key, worker_label, zip_threshold_files,
                     zip_threshold_avg_size_bytes, max_connections, agent_path, send_agent)
VALUES (@name, @kind, @root_path, @host, @port, @username, @host_key, @worker_label, @zip_threshold_files,
        @zip_threshold_avg_size_bytes, @max_connections, @agent_path, @send_agent)
RETURNING id;

-- UpdatePortal writes all but the id and when it was made.
-- name: UpdatePortal :one
UPDATE portals
SET name = @name, kind = @kind, root_path = @root_path, host = @host, port = @port, username = @username,
    host_key = @host_key, worker_label = @worker_label, zip_threshold_files = @zip_threshold_files,
    zip_threshold_avg_size_bytes = @zip_threshold_avg_size_bytes, max_connections = @max_connections,
    agent_path = @agent_path, send_agent = @send_agent, credential = @credential, credential_kind = @credential_kind,
    updated_at = now()
WHERE id = @id
RETURNING *;

-- name: GetPortal :one
SELECT * FROM portals WHERE id = @id;

-- name: GetPortalByName :one
SELECT * FROM portals WHERE name = @name;

-- ListPortals returns all: there are some dozens.
-- name: ListPortals :many
SELECT * FROM portals ORDER BY name;

-- LockPortals holds portals as they are until the transaction ends: who wants to delete or change one waits (LockPortalToChange).
-- Those who make or retry a job hold its portals, in the order of their ids, before they touch the job's row.
-- name: LockPortals :many
SELECT * FROM portals WHERE id = ANY(@ids::bigint[]) ORDER BY id FOR KEY SHARE;

-- LockPortalToChange waits for those who are about to make a job for the portal. What they have made is seen by the next statement.
-- name: LockPortalToChange :one
SELECT * FROM portals WHERE id = @id FOR UPDATE;

-- UnfinishedOfPortal are the jobs that have not ended and use a portal: how many, and the first of them.
-- name: UnfinishedOfPortal :one
SELECT count(*) AS jobs, coalesce((array_agg(id ORDER BY id))[1:5], '{}')::bigint[] AS first_ids
FROM jobs
WHERE (source_portal = @portal OR destination_portal = @portal) AND status IN ('pending', 'running');

-- name: DeletePortal :exec
DELETE FROM portals WHERE id = @id;

-- name: SealedCredentials :many
SELECT id, name, credential FROM portals WHERE credential IS NOT NULL ORDER BY id;

-- ResealCredential takes no row when the credential is not the one that was read any more.
-- name: ResealCredential :execrows
UPDATE portals SET credential = sqlc.arg(resealed)::bytea WHERE id = @id AND credential = sqlc.arg(sealed)::bytea;
