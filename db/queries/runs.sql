-- ClaimJob takes a pending job for the River job that woke us, and for no other.
-- name: ClaimJob :one
UPDATE jobs
SET status = 'running', started_at = now(), attempts = attempts + 1
WHERE id = @id AND status = 'pending' AND river_job_id = @river_job_id
RETURNING *;

-- StartRun gives a job to a run. It takes no row when another has it, be it one that sweeps.
-- name: StartRun :one
INSERT INTO job_runs (job_id, worker, lease_expires_at)
VALUES (@job_id, @worker, now() + sqlc.arg(lease)::interval)
ON CONFLICT (job_id) DO NOTHING
RETURNING run_token;

-- name: MayLeaveStaging :exec
INSERT INTO job_stagings (job_id) VALUES (@job_id) ON CONFLICT DO NOTHING;

-- name: LockJob :one
SELECT * FROM jobs WHERE id = @id FOR UPDATE;

-- name: LockJobUnlessBusy :one
SELECT * FROM jobs WHERE id = @id FOR UPDATE SKIP LOCKED;

-- name: RunIsCurrent :one
SELECT EXISTS (SELECT FROM job_runs WHERE job_id = @job_id AND run_token = @run_token);

-- name: EndRun :exec
DELETE FROM job_runs WHERE job_id = @job_id AND run_token = @run_token;

-- RenewRuns extends the leases of a worker's runs, and records their progress, in one statement. It touches job_runs only,
-- so that a job's own row is not rewritten every few seconds. It returns the runs that still own their jobs; one whose row
-- is locked, by its own end or by a takeover, is not renewed, and is not waited for.
-- name: RenewRuns :many
WITH asked AS (
    SELECT unnest(@job_ids::bigint[]) AS job_id, unnest(@run_tokens::uuid[]) AS run_token,
           unnest(@phases::text[]) AS phase, unnest(@files_done::bigint[]) AS files_done,
           unnest(@files_total::bigint[]) AS files_total, unnest(@bytes_done::bigint[]) AS bytes_done,
           unnest(@bytes_total::bigint[]) AS bytes_total, unnest(@rates::double precision[]) AS bytes_per_second,
           unnest(@seconds_left::double precision[]) AS seconds_left
), free AS (
    SELECT r.job_id FROM job_runs r JOIN asked a ON a.job_id = r.job_id AND a.run_token = r.run_token
    FOR UPDATE OF r SKIP LOCKED
), renewed AS (
    UPDATE job_runs r
    SET lease_expires_at = now() + sqlc.arg(lease)::interval, renewed_at = now(), phase = a.phase,
        files_done = a.files_done, files_total = a.files_total, bytes_done = a.bytes_done, bytes_total = a.bytes_total,
        bytes_per_second = a.bytes_per_second, seconds_left = a.seconds_left
    FROM asked a, free f
    WHERE f.job_id = r.job_id AND a.job_id = r.job_id AND a.run_token = r.run_token
    RETURNING r.job_id
)
SELECT r.run_token, EXISTS (SELECT FROM renewed n WHERE n.job_id = r.job_id) AS renewed,
       (j.cancel_requested_at IS NOT NULL)::boolean AS cancel_requested
FROM asked a JOIN job_runs r ON a.job_id = r.job_id AND a.run_token = r.run_token JOIN jobs j ON j.id = r.job_id;

-- name: ExpiredRuns :many
SELECT job_id, run_token FROM job_runs WHERE lease_expires_at < now() LIMIT 100;

-- EndExpiredRun drops a run whose lease has expired, unless it was renewed meanwhile.
-- name: EndExpiredRun :one
DELETE FROM job_runs
WHERE job_id = @job_id AND run_token = @run_token AND lease_expires_at < now()
RETURNING worker, extract(epoch FROM now() - renewed_at)::double precision AS silent_seconds;

-- name: SetStrategy :exec
UPDATE jobs SET strategy = @strategy WHERE id = @id;

-- RemovingSources are the sources of running moves that have published, or are about to: they are being removed.
-- name: RemovingSources :many
SELECT j.id, j.source_path, j.destination_path, j.source_portal FROM job_runs r JOIN jobs j ON j.id = r.job_id
WHERE j.status = 'running' AND j.mode = 'move' AND j.publish_intent IS NOT NULL AND j.id <> @id;

-- SetPublishIntent is the point of no return: it takes no row when a cancel was requested.
-- name: SetPublishIntent :execrows
UPDATE jobs SET publish_intent = @publish_intent WHERE id = @id AND cancel_requested_at IS NULL;

-- name: ClearPublishIntent :exec
UPDATE jobs SET publish_intent = NULL WHERE id = @id;

-- name: RequestCancel :exec
UPDATE jobs SET cancel_requested_at = now() WHERE id = @id;

-- name: SucceedJob :exec
UPDATE jobs
SET status = 'success', method = @method, files_copied = @files_copied, bytes_copied = @bytes_copied, finished_at = now()
WHERE id = @id AND status = 'running';

-- name: FailJob :execrows
UPDATE jobs
SET status = 'failed', finished_at = now(),
    error_code = @error_code, error_message = @error_message, error_path = @error_path, error_hint = @error_hint
WHERE id = @id AND status IN ('running', 'pending');

-- name: CancelJob :execrows
UPDATE jobs SET status = 'cancelled', finished_at = now(), cancel_requested_at = coalesce(cancel_requested_at, now())
WHERE id = @id AND status IN ('running', 'pending');

-- ReleaseJob gives a running job back to the queue. Unless the attempt counts it is taken back.
-- name: ReleaseJob :execrows
UPDATE jobs
SET status = 'pending', attempts = attempts - CASE WHEN sqlc.arg(attempt_counts)::boolean THEN 0 ELSE 1 END
WHERE id = @id AND status = 'running';

-- TakeOverJob gives back a job whose run ended without a word. Unless the job is blamed for it, that counts for nothing.
-- name: TakeOverJob :execrows
UPDATE jobs
SET status = 'pending', takeovers = takeovers + CASE WHEN sqlc.arg(blamed)::boolean THEN 1 ELSE 0 END,
    attempts = attempts - CASE WHEN sqlc.arg(blamed)::boolean THEN 0 ELSE 1 END
WHERE id = @id AND status = 'running';

-- RetryJob queues an ended job again, as if it were new, where it can run by now; what its runs have recorded for recognising a publish stays.
-- name: RetryJob :execrows
UPDATE jobs
SET status = 'pending', queue = @queue, attempts = 0, takeovers = 0, queued_at = now(), finished_at = NULL, cancel_requested_at = NULL,
    files_copied = 0, bytes_copied = 0, error_code = NULL, error_message = NULL, error_path = NULL, error_hint = NULL
WHERE id = @id AND status IN ('failed', 'cancelled');
