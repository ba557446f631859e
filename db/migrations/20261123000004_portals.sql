-- migrate:up

-- Until now nothing could make a portal, so these find rows only where somebody wrote them by hand.
UPDATE portals SET port = 22 WHERE kind = 'sftp' AND port IS NULL;
UPDATE portals SET host = NULL, port = NULL, username = NULL, host_key = NULL WHERE kind = 'local';
UPDATE portals SET credential = NULL; -- which nobody could have encrypted

ALTER TABLE portals
    ADD COLUMN credential_kind text NOT NULL DEFAULT 'none'
        CHECK (credential_kind IN ('none', 'key', 'key_with_passphrase', 'password', 'agent')),
    ADD COLUMN worker_label text -- a queue's name: the host whose workers see root_path as a local path
        CHECK (length(worker_label) <= 64 AND worker_label ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'),
    ADD COLUMN zip_threshold_files bigint CHECK (zip_threshold_files >= 0),
    ADD COLUMN zip_threshold_avg_size_bytes bigint CHECK (zip_threshold_avg_size_bytes >= 0),
    ADD COLUMN max_connections integer NOT NULL DEFAULT 8 CHECK (max_connections BETWEEN 1 AND 32),
    ADD COLUMN agent_path text CHECK (agent_path LIKE '/%'),
    ADD COLUMN send_agent boolean NOT NULL DEFAULT false, -- Ketter may bring its own binary there
    ADD CONSTRAINT portals_name_is_no_id CHECK (name !~ '^[0-9]+$'),
    ADD CONSTRAINT portals_sftp_has_port CHECK (kind = 'local' OR port IS NOT NULL),
    ADD CONSTRAINT portals_local_has_no_ssh CHECK (kind = 'sftp' OR (host IS NULL AND port IS NULL AND username IS NULL AND host_key IS NULL
        AND credential_kind = 'none' AND agent_path IS NULL AND NOT send_agent)),
    -- The worker's own agent and no credential at all are no secrets; the others are.
    ADD CONSTRAINT portals_credential_has_kind CHECK ((credential IS NULL) = (credential_kind IN ('none', 'agent')));

-- No foreign key: a portal may be deleted, and its jobs' history stays as it was. An id is never given twice, so one that is
-- in no portal is a deleted one's; were it set to null, its jobs' paths would look like the worker's own. That no job is
-- made for a portal that is being deleted is guarded by locks: see LockPortals.
ALTER TABLE jobs
    DROP CONSTRAINT jobs_source_portal_fkey,
    DROP CONSTRAINT jobs_destination_portal_fkey,
    ADD COLUMN source_portal_name text, -- as it was when the job was submitted
    ADD COLUMN destination_portal_name text,
    ADD CONSTRAINT jobs_source_portal_has_name CHECK ((source_portal IS NULL) = (source_portal_name IS NULL)),
    ADD CONSTRAINT jobs_destination_portal_has_name CHECK ((destination_portal IS NULL) = (destination_portal_name IS NULL));

-- Which jobs that have not ended use a portal: UnfinishedOfPortal.
CREATE INDEX jobs_from_portal ON jobs (source_portal)
    WHERE source_portal IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX jobs_to_portal ON jobs (destination_portal)
    WHERE destination_portal IS NOT NULL AND status IN ('pending', 'running');

ALTER TABLE job_events DROP CONSTRAINT job_events_kind_check, ADD CONSTRAINT job_events_kind_check CHECK (kind IN (
    'created', 'started', 'connected', 'strategy_decision', 'archive_created', 'archive_sent', 'archive_extracted',
    'cleaned_up', 'verified', 'published', 'source_removed', 'finished', 'error', 'retry_scheduled',
    'recovered', 'cancel_requested', 'cancelled'));

-- migrate:down

-- The version before would take a path inside a portal for one of its own host, in whatever it runs, sweeps or tries again.
DELETE FROM jobs WHERE source_portal IS NOT NULL OR destination_portal IS NOT NULL;
DELETE FROM job_events WHERE kind = 'connected';
ALTER TABLE job_events DROP CONSTRAINT job_events_kind_check, ADD CONSTRAINT job_events_kind_check CHECK (kind IN (
    'created', 'started', 'strategy_decision', 'archive_created', 'archive_sent', 'archive_extracted',
    'cleaned_up', 'verified', 'published', 'source_removed', 'finished', 'error', 'retry_scheduled',
    'recovered', 'cancel_requested', 'cancelled'));
DROP INDEX jobs_from_portal;
DROP INDEX jobs_to_portal;
ALTER TABLE jobs
    DROP COLUMN source_portal_name,
    DROP COLUMN destination_portal_name,
    ADD CONSTRAINT jobs_source_portal_fkey FOREIGN KEY (source_portal) REFERENCES portals ON DELETE SET NULL,
    ADD CONSTRAINT jobs_destination_portal_fkey FOREIGN KEY (destination_portal) REFERENCES portals ON DELETE SET NULL;
UPDATE portals SET credential = NULL, credential_kind = 'none';
ALTER TABLE portals
    DROP CONSTRAINT portals_name_is_no_id,
    DROP CONSTRAINT portals_sftp_has_port,
    DROP COLUMN credential_kind, DROP COLUMN worker_label, DROP COLUMN zip_threshold_files,
    DROP COLUMN zip_threshold_avg_size_bytes, DROP COLUMN max_connections, DROP COLUMN agent_path, DROP COLUMN send_agent;
