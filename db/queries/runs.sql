-- ClaimJob takes a pending job for the River job that woke us, and for no other.
-- name: ClaimJob :one
UPDATE jobs
SET status = 'running', started_at = now(), attempts = attempts + 1
WHERE id = @id AND status = 'pending' AND river_job_id = @river_job_id
RETURNING *;

-- name: StartRun :one
INSERT INTO job_runs (job_id, worker, lease_expires_at)
VALUES (@job_id, @worker, now() + sqlc.arg(lease)::interval)
RETURNING run_token;

-- name: LockJob :one
SELECT status, river_job_id FROM jobs WHERE id = @id FOR UPDATE;

-- name: RunIsCurrent :one
SELECT EXISTS (SELECT FROM job_runs WHERE job_id = @job_id AND run_token = @run_token);

-- LeaseExpired reports whether a running job has nobody who runs it, by the database's clock.
-- name: LeaseExpired :one
SELECT NOT EXISTS (SELECT FROM job_runs WHERE job_id = @job_id AND lease_expires_at > now());

-- ForgetRun ends whichever run a job had, so that its token holds no longer.
-- name: ForgetRun :exec
DELETE FROM job_runs WHERE job_id = @job_id;

-- name: EndRun :exec
DELETE FROM job_runs WHERE job_id = @job_id AND run_token = @run_token;

-- name: SetStrategy :exec
UPDATE jobs SET strategy = @strategy WHERE id = @id;

-- SetPublishIntent is the point of no return: it takes no row when a cancel was requested.
-- name: SetPublishIntent :execrows
UPDATE jobs SET publish_intent = @publish_intent WHERE id = @id AND cancel_requested_at IS NULL;

-- name: SucceedJob :exec
UPDATE jobs
SET status = 'success', method = @method, files_copied = @files_copied, bytes_copied = @bytes_copied, finished_at = now()
WHERE id = @id AND status = 'running';

-- name: FailJob :execrows
UPDATE jobs
SET status = 'failed', finished_at = now(),
    error_code = @error_code, error_message = @error_message, error_path = @error_path, error_hint = @error_hint
WHERE id = @id AND status = 'running';

-- name: CancelJob :execrows
UPDATE jobs SET status = 'cancelled', finished_at = now() WHERE id = @id AND status = 'running';

-- ReleaseJob gives a running job back to the queue. Unless the attempt counts it is taken back.
-- name: ReleaseJob :execrows
UPDATE jobs
SET status = 'pending', attempts = attempts - CASE WHEN sqlc.arg(attempt_counts)::boolean THEN 0 ELSE 1 END
WHERE id = @id AND status = 'running';

-- RenewRun extends the lease and records progress. It touches job_runs only, so that a job's own row is not rewritten
-- every few seconds.
-- name: RenewRun :execrows
UPDATE job_runs
SET lease_expires_at = now() + sqlc.arg(lease)::interval,
    phase = @phase, files_done = @files_done, files_total = @files_total, bytes_done = @bytes_done, bytes_total = @bytes_total
WHERE job_id = @job_id AND run_token = @run_token;
