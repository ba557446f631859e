-- migrate:up

-- One row, made with the database: the id that marks this installation's staging folders, so that another
-- installation's are never touched.
CREATE TABLE installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id        text NOT NULL DEFAULT left(md5(gen_random_uuid()::text), 8) CHECK (id ~ '^[0-9a-z]+$')
);
INSERT INTO installation DEFAULT VALUES;

-- A portal is a named place: a folder on a host, how to reach it, and with what credential.
CREATE TABLE portals (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    kind       text        NOT NULL CHECK (kind IN ('local', 'sftp')),
    root_path  text        NOT NULL CHECK (root_path LIKE '/%'),
    host       text,
    port       integer     CHECK (port BETWEEN 1 AND 65535),
    username   text,
    host_key   text,
    credential bytea,      -- encrypted; never plain text
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (kind = 'local' OR (host IS NOT NULL AND username IS NOT NULL AND host_key IS NOT NULL))
);

CREATE TABLE jobs (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode               text        NOT NULL CHECK (mode IN ('copy', 'move')),
    status             text        NOT NULL DEFAULT 'pending'
                       CHECK (status IN ('pending', 'running', 'success', 'failed', 'cancelled')),
    source_path        text        NOT NULL CHECK (source_path LIKE '/%'),
    destination_path   text        NOT NULL CHECK (destination_path LIKE '/%'),
    source_portal      bigint      REFERENCES portals ON DELETE SET NULL,
    destination_portal bigint      REFERENCES portals ON DELETE SET NULL,
    requested_strategy text        NOT NULL DEFAULT 'AUTO' CHECK (requested_strategy IN ('AUTO', 'DIRECT', 'ZIP_FIRST')),
    verify             text        NOT NULL DEFAULT 'checksum' CHECK (verify IN ('checksum', 'size', 'none')),
    strategy           text        CHECK (strategy IN ('DIRECT', 'ZIP_FIRST')),
    method             text        CHECK (method IN ('rename', 'copy', 'archive', 'stream')),
    files_copied       bigint      NOT NULL DEFAULT 0 CHECK (files_copied >= 0),
    bytes_copied       bigint      NOT NULL DEFAULT 0 CHECK (bytes_copied >= 0),
    attempts           integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    river_job_id       bigint,     -- no foreign key: River deletes its finished rows, history stays here
    event_seq          bigint      NOT NULL DEFAULT 0, -- the last job_events.seq, assigned under this row's lock
    publish_intent     jsonb,      -- what the run is about to publish, recorded at the point of no return
    cancel_requested_at timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    started_at         timestamptz,
    finished_at        timestamptz,
    error_code         text,
    error_message      text,
    error_path         text,
    error_hint         text,
    CHECK (status <> 'running' OR started_at IS NOT NULL),
    CHECK ((status IN ('success', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CHECK (status <> 'success' OR (strategy IS NOT NULL AND method IS NOT NULL))
);

-- Every list of jobs is newest first with keyset paging on id. The primary key serves the list without a filter, these
-- serve the ones by status, mode and strategy.
CREATE INDEX jobs_by_status   ON jobs (status, id DESC);
CREATE INDEX jobs_by_mode     ON jobs (mode, id DESC);
CREATE INDEX jobs_by_strategy ON jobs (strategy, id DESC);

-- The same table as transfer.Status.CanBecome; a test compares the two.
CREATE FUNCTION jobs_guard_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' THEN
            RAISE EXCEPTION 'a job begins as pending, not as %', NEW.status USING ERRCODE = 'check_violation';
        END IF;
    ELSIF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('pending', 'running'), ('pending', 'cancelled'), ('pending', 'failed'),
        ('running', 'success'), ('running', 'failed'), ('running', 'cancelled'), ('running', 'pending'),
        ('failed', 'pending'), ('cancelled', 'pending')
    ) THEN
        RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER jobs_guard_status BEFORE INSERT OR UPDATE ON jobs
    FOR EACH ROW EXECUTE FUNCTION jobs_guard_status();

-- A row per running job. What changes often has no index and room on its page, so that updates stay heap-only (HOT).
CREATE TABLE job_runs (
    job_id           bigint PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    run_token        uuid        NOT NULL DEFAULT gen_random_uuid(),
    worker           text        NOT NULL,
    lease_expires_at timestamptz NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    phase            text        NOT NULL DEFAULT '',
    files_done       bigint      NOT NULL DEFAULT 0,
    files_total      bigint      NOT NULL DEFAULT 0,
    bytes_done       bigint      NOT NULL DEFAULT 0,
    bytes_total      bigint      NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE job_events (
    job_id     bigint      NOT NULL REFERENCES jobs ON DELETE CASCADE,
    seq        bigint      NOT NULL CHECK (seq > 0),
    kind       text        NOT NULL CHECK (kind IN (
                   'created', 'started', 'strategy_decision', 'archive_created', 'archive_sent', 'archive_extracted',
                   'cleaned_up', 'verified', 'published', 'source_removed', 'finished', 'error', 'retry_scheduled',
                   'recovered', 'cancel_requested', 'cancelled')),
    message    text        NOT NULL,
    payload    jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(payload) = 'object'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, seq) -- serves the list of a job's events
);

-- migrate:down

DROP TABLE job_events;
DROP TABLE job_runs;
DROP TABLE jobs;
DROP FUNCTION jobs_guard_status();
DROP TABLE portals;
DROP TABLE installation;
