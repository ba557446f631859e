-- AddEvent takes the next number under the job's row lock, so that numbers have no gaps and commit in order.
-- name: AddEvent :one
WITH numbered AS (
    UPDATE jobs SET event_seq = event_seq + 1 WHERE id = @job_id RETURNING id, event_seq
)
INSERT INTO job_events (job_id, seq, kind, message, payload, actor)
SELECT id, event_seq, @kind, @message, @payload, @actor FROM numbered
RETURNING seq;

-- CancelRequester is who last asked for the job's cancel.
-- name: CancelRequester :one
SELECT actor FROM job_events WHERE job_id = @job_id AND kind = 'cancel_requested' ORDER BY seq DESC LIMIT 1;
