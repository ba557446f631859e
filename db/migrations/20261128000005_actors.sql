-- migrate:up

-- Who asked for it: the name of his token. NULL is Ketter by itself, or somebody who wasn't asked who he is.
ALTER TABLE jobs ADD COLUMN submitted_by text CHECK (submitted_by ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$');
ALTER TABLE job_events ADD COLUMN actor text CHECK (actor ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$');

-- migrate:down

ALTER TABLE jobs DROP COLUMN submitted_by;
ALTER TABLE job_events DROP COLUMN actor;
