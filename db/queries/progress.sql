-- GetJobWithProgress is a job and how far its run is, as of one moment. An ended job may have a run too, one that sweeps:
-- that is no progress of it.
-- name: GetJobWithProgress :one
SELECT sqlc.embed(jobs), r.worker, r.phase, r.files_done, r.files_total, r.bytes_done, r.bytes_total,
       r.bytes_per_second, r.seconds_left, r.renewed_at
FROM jobs LEFT JOIN job_runs r ON r.job_id = jobs.id AND jobs.status = 'running'
WHERE jobs.id = @id;

-- name: ListEventsBetween :many
SELECT * FROM job_events
WHERE job_id = @job_id AND seq > @after AND seq <= @up_to
ORDER BY seq
LIMIT @row_limit;
