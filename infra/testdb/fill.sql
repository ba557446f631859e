-- A year of ${jobs} jobs, the newest of which still wait or run: 93 % success, 5 % failed, 2 % cancelled; 70 % copies; 60 %
-- DIRECT. Some that failed or were cancelled had no strategy yet. What the tables are like is the same each time.
--
-- Half of them name no portal, a quarter go from NEXIS to SRVTRF, the others between a dozen portals, from each to each.
-- None of these portals is there any more.
--
-- Some combinations are rare, and their few jobs old: moves that failed with ZIP_FIRST are among the first thousandth, and
-- none was cancelled. The jobs of the portal ATTIC, and all that failed with verify_mismatch, are among the first two hundredth; none
-- failed with archive_error.

-- A job begins as pending: the trigger would refuse these. The foreign key is cheaper to check for all at once.
ALTER TABLE jobs DISABLE TRIGGER jobs_guard_status;
ALTER TABLE job_events DROP CONSTRAINT job_events_job_id_fkey;

CREATE FUNCTION pg_temp.portal_name(id int) RETURNS text LANGUAGE sql IMMUTABLE AS
'SELECT CASE id WHEN 1 THEN ''NEXIS'' WHEN 2 THEN ''SRVTRF'' WHEN 50 THEN ''ATTIC'' ELSE ''portal-'' || id END';

WITH dice AS (
    SELECT n, now() - interval '1 year' * (1 - n::float / ${jobs}) AS created,
        abs(hashint8extended(n, 1)) % 1000 AS status, abs(hashint8extended(n, 2)) % 100 AS mode,
        abs(hashint8extended(n, 3)) % 100 AS strategy, abs(hashint8extended(n, 4)) % 3 = 0 AS early,
        abs(hashint8extended(n, 5)) % 100 AS pair, abs(hashint8extended(n, 6)) % 100 AS code, abs(hashint8extended(n, 7)) % 100000 AS pace,
        n <= ${jobs} / 200 AND n % 4 = 0 AS rare
    FROM generate_series(1, ${jobs}) AS n
), class AS (
    SELECT n, created, early, pace, rare,
        CASE WHEN rare THEN 'verify_mismatch' WHEN code < 60 THEN 'io_error' WHEN code < 95 THEN 'destination_exists' ELSE 'portal_unreachable' END AS code,
        CASE WHEN rare THEN 50 WHEN pair < 50 THEN NULL WHEN pair < 75 THEN 1 ELSE 1 + n / 7 % 12 END AS source,
        CASE WHEN pair < 50 THEN NULL WHEN pair < 75 THEN 2 ELSE 1 + n % 12 END AS destination,
        CASE WHEN n > ${jobs} - 200 THEN 'pending' WHEN n > ${jobs} - 300 THEN 'running'
             WHEN status < 930 THEN 'success' WHEN status < 980 THEN 'failed' ELSE 'cancelled' END AS status,
        CASE WHEN mode < 70 THEN 'copy' ELSE 'move' END AS mode,
        CASE WHEN strategy < 60 THEN 'DIRECT' ELSE 'ZIP_FIRST' END AS strategy
    FROM dice
)
INSERT INTO jobs (mode, status, source_path, destination_path, strategy, method, files_copied, bytes_copied, attempts, event_seq,
    created_at, queued_at, updated_at, started_at, finished_at, error_code, error_message, error_path, error_hint,
    source_portal, source_portal_name, destination_portal, destination_portal_name)
SELECT
    CASE WHEN status = 'failed' AND strategy = 'ZIP_FIRST' AND n > ${jobs} / 1000 OR status = 'cancelled' AND strategy = 'ZIP_FIRST'
         THEN 'copy' ELSE mode END,
    status, '/mnt/nexis/project ' || n % 997 || '/session ' || n, '/mnt/quantum/archive/' || n % 97,
    CASE WHEN status = 'pending' OR status IN ('failed', 'cancelled') AND early THEN NULL ELSE strategy END,
    CASE WHEN status <> 'success' THEN NULL WHEN strategy = 'DIRECT' THEN 'copy' ELSE 'archive' END,
    CASE WHEN status = 'success' THEN 1 + pace / 10 ELSE 0 END, CASE WHEN status = 'success' THEN 1000000 * (1 + pace) ELSE 0 END, 1, 8,
    created, created, created, CASE WHEN status <> 'pending' THEN created + interval '1 s' END,
    CASE WHEN status IN ('success', 'failed', 'cancelled') THEN created + interval '2 s' + interval '1 ms' * pace END,
    CASE WHEN status = 'failed' THEN code END, CASE WHEN status = 'failed' THEN 'Input/output error' END,
    CASE WHEN status = 'failed' THEN '/mnt/nexis/project ' || n % 997 || '/session ' || n || '/take 1.wav' END,
    CASE WHEN status = 'failed' THEN 'Look at the storage''s own log.' END,
    1000 + source, pg_temp.portal_name(source), 1000 + destination, pg_temp.portal_name(destination)
FROM class ORDER BY n;

INSERT INTO job_events (job_id, seq, kind, message, payload, created_at)
SELECT id, seq,
    (ARRAY['created', 'started', 'strategy_decision', 'verified', 'published', 'cleaned_up', 'source_removed', 'finished'])[seq],
    'What happened, in a sentence of the usual length', '{"files": 5000, "bytes": 5000000000, "seconds": 12.5}',
    created_at + seq * interval '7 s'
FROM jobs, generate_series(1, 8) AS seq ORDER BY id, seq;

-- River keeps those that wait or run, and for a day those that have ended.
INSERT INTO river_job (kind, args, max_attempts, state, attempt, attempted_at, attempted_by, finalized_at)
SELECT 'transfer', jsonb_build_object('job_id', id), 8,
    (CASE status WHEN 'pending' THEN 'available' WHEN 'running' THEN 'running' ELSE 'completed' END)::river_job_state,
    CASE status WHEN 'pending' THEN 0 ELSE 1 END, started_at, ARRAY['a worker'], finished_at
FROM jobs WHERE id > ${jobs} * 364 / 365 OR finished_at IS NULL ORDER BY id;
UPDATE jobs SET river_job_id = r.id FROM river_job r WHERE jobs.id = (r.args ->> 'job_id')::bigint;
INSERT INTO job_runs (job_id, worker, lease_expires_at)
SELECT id, 'a worker', now() + interval '1 day' FROM jobs WHERE status = 'running';
INSERT INTO job_stagings (job_id) SELECT id FROM jobs WHERE status = 'running';
INSERT INTO idempotency_keys (key, request_sha256, job_id, created_at)
SELECT 'key ' || id, sha256(id::text::bytea), id, created_at FROM jobs WHERE id > ${jobs} * 364.1 / 365;

ALTER TABLE job_events ADD CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs ON DELETE CASCADE;
ALTER TABLE jobs ENABLE TRIGGER jobs_guard_status;
