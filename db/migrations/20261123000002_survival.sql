-- migrate:up

ALTER TABLE jobs
    ADD COLUMN queue     text     NOT NULL DEFAULT 'default'
                         CHECK (length(queue) <= 64 AND queue ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'),
    ADD COLUMN priority  smallint NOT NULL DEFAULT 2 CHECK (priority BETWEEN 1 AND 4), -- 1 goes first
    ADD COLUMN takeovers integer  NOT NULL DEFAULT 0 CHECK (takeovers >= 0), -- of runs that ended without a word
    ADD COLUMN queued_at timestamptz; -- when a person last queued it: with its creation, or by a retry
ALTER TABLE jobs DISABLE TRIGGER jobs_guard_status; -- updated_at stays
UPDATE jobs SET queued_at = created_at;
ALTER TABLE jobs ENABLE TRIGGER jobs_guard_status;
ALTER TABLE jobs ALTER COLUMN queued_at SET DEFAULT now(), ALTER COLUMN queued_at SET NOT NULL;

-- Retention deletes by it.
CREATE INDEX jobs_by_finish ON jobs (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE job_runs
    ADD COLUMN renewed_at       timestamptz      NOT NULL DEFAULT now(),
    ADD COLUMN bytes_per_second double precision NOT NULL DEFAULT 0, -- of the phase
    ADD COLUMN seconds_left     double precision NOT NULL DEFAULT 0; -- of the run; 0 while not known

-- When a worker last compared jobs with River's: one is enough.
ALTER TABLE installation ADD COLUMN reconciled_at timestamptz NOT NULL DEFAULT '-infinity';

-- A row per job that may have left a staging folder at its destination: made with its first run, removed when a worker
-- has swept after the job's end.
CREATE TABLE job_stagings (
    job_id      bigint      PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    sweep_after timestamptz NOT NULL DEFAULT now(),
    sweeps      integer     NOT NULL DEFAULT 0 -- that did not succeed
);
-- What was running before this version may have left one too.
INSERT INTO job_stagings (job_id) SELECT id FROM jobs WHERE started_at IS NOT NULL AND status <> 'success';

-- What POST /jobs was asked under a key, for a day.
CREATE TABLE idempotency_keys (
    key            text        PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 255),
    request_sha256 bytea       NOT NULL CHECK (length(request_sha256) = 32),
    job_id         bigint      NOT NULL REFERENCES jobs ON DELETE CASCADE,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at); -- the housekeeping's
CREATE INDEX idempotency_keys_by_job ON idempotency_keys (job_id);     -- the deletion of a job's

-- migrate:down

ALTER TABLE installation DROP COLUMN reconciled_at;
DROP TABLE idempotency_keys;
DROP TABLE job_stagings;
ALTER TABLE job_runs DROP COLUMN renewed_at, DROP COLUMN bytes_per_second, DROP COLUMN seconds_left;
DROP INDEX jobs_by_finish;
ALTER TABLE jobs DROP COLUMN queue, DROP COLUMN priority, DROP COLUMN takeovers, DROP COLUMN queued_at;
