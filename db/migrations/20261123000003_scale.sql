-- migrate:up

-- Serves every filter of the lists, alone and together, and what looks for pending or running jobs: see ListJobsOf. Each
-- change of a job's status writes all indexes, so one is better than one for each filter. The newest come first by -id, an
-- order which the primary key doesn't have: else the planner goes through that for a combination that it takes for common.
-- That id and strategy are in it twice lets it answer without the table: an expression alone does not.
CREATE INDEX jobs_by_class ON jobs (status, mode, coalesce(strategy, ''), (-id)) INCLUDE (strategy, id);
DROP INDEX jobs_by_status;
DROP INDEX jobs_by_mode;
DROP INDEX jobs_by_strategy;

-- The jobs that finished until then have no events any more, so that who deletes old ones need not look at them again.
ALTER TABLE installation ADD COLUMN events_deleted_until timestamptz NOT NULL DEFAULT '-infinity';

-- migrate:down

ALTER TABLE installation DROP COLUMN events_deleted_until;
CREATE INDEX jobs_by_status   ON jobs (status, id DESC);
CREATE INDEX jobs_by_mode     ON jobs (mode, id DESC);
CREATE INDEX jobs_by_strategy ON jobs (strategy, id DESC);
DROP INDEX jobs_by_class;
