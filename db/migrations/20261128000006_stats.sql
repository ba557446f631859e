-- migrate:up

-- What jobs have in common from their submission on: the mode and both portals, by the names they had then. There are as many rows as
-- different ones were ever asked for, some hundreds at most, and none is ever removed.
CREATE TABLE routes (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode                    text NOT NULL,
    source_portal           bigint,
    source_portal_name      text,
    destination_portal      bigint,
    destination_portal_name text
);
CREATE UNIQUE INDEX routes_once ON routes (mode, coalesce(source_portal, 0), coalesce(source_portal_name, ''),
    coalesce(destination_portal, 0), coalesce(destination_portal_name, ''));

-- Which hundreds of ids have jobs that were submitted in which hour (by UTC): what a time says about ids. Ids and times grow
-- together, but neither two submissions at once nor a clock that is set back keep to that, and a filter must not lose a job.
CREATE TABLE job_hours (
    hour    timestamptz NOT NULL,
    hundred bigint      NOT NULL, -- id / 100
    PRIMARY KEY (hour, hundred)
);

ALTER TABLE jobs ADD COLUMN route bigint; -- no foreign key: each job would lock the row of its route
INSERT INTO routes (mode, source_portal, source_portal_name, destination_portal, destination_portal_name)
SELECT DISTINCT mode, source_portal, source_portal_name, destination_portal, destination_portal_name FROM jobs;
INSERT INTO job_hours SELECT DISTINCT date_trunc('hour', created_at, 'UTC'), id / 100 FROM jobs;
DROP INDEX jobs_by_class; -- made anew below: the update would write it for each job
ALTER TABLE jobs DISABLE TRIGGER jobs_guard_status; -- updated_at stays
UPDATE jobs j SET route = r.id FROM routes r
WHERE r.mode = j.mode AND coalesce(r.source_portal, 0) = coalesce(j.source_portal, 0)
  AND coalesce(r.source_portal_name, '') = coalesce(j.source_portal_name, '')
  AND coalesce(r.destination_portal, 0) = coalesce(j.destination_portal, 0)
  AND coalesce(r.destination_portal_name, '') = coalesce(j.destination_portal_name, '');
ALTER TABLE jobs ENABLE TRIGGER jobs_guard_status;
-- How long the run took that ended the job. It makes the index below narrower than both times would, and is computed once. To add it writes
-- the table anew, without the room that the update has left.
ALTER TABLE jobs
    ALTER COLUMN route SET NOT NULL,
    ADD COLUMN run_seconds double precision GENERATED ALWAYS AS
        (CASE WHEN finished_at < started_at THEN 0 ELSE date_part('epoch', finished_at - started_at) END) STORED;

-- Both tables are nearly always looked at only: a row is written for the first job of a route, and of an hour and hundred. Of
-- two first ones at once the second waits for the first's commit, and then finds its row.
CREATE FUNCTION jobs_file() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    this_hour timestamptz := date_trunc('hour', NEW.created_at, 'UTC');
BEGIN
    LOOP
        SELECT id INTO NEW.route FROM routes
        WHERE mode = NEW.mode AND coalesce(source_portal, 0) = coalesce(NEW.source_portal, 0)
          AND coalesce(source_portal_name, '') = coalesce(NEW.source_portal_name, '')
          AND coalesce(destination_portal, 0) = coalesce(NEW.destination_portal, 0)
          AND coalesce(destination_portal_name, '') = coalesce(NEW.destination_portal_name, '');
        EXIT WHEN FOUND;
        INSERT INTO routes (mode, source_portal, source_portal_name, destination_portal, destination_portal_name)
        VALUES (NEW.mode, NEW.source_portal, NEW.source_portal_name, NEW.destination_portal, NEW.destination_portal_name)
        ON CONFLICT DO NOTHING;
    END LOOP;
    IF NOT EXISTS (SELECT FROM job_hours WHERE hour = this_hour AND hundred = NEW.id / 100) THEN
        INSERT INTO job_hours VALUES (this_hour, NEW.id / 100) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_file
    BEFORE INSERT OR UPDATE OF created_at, mode, source_portal, source_portal_name, destination_portal, destination_portal_name ON jobs
    FOR EACH ROW EXECUTE FUNCTION jobs_file();

-- Serves what is asked of some portals (ListJobsOfRoutes), the figures (Summarise) and the estimates (LatestBetween), without the
-- table. What it has besides is written together with the status, so it is written no more often than jobs_by_class.
CREATE INDEX jobs_by_route ON jobs (route, status, coalesce(strategy, ''), (-id))
    INCLUDE (strategy, id, created_at, run_seconds, files_copied, bytes_copied, method, error_code);
-- Serves what is asked of a failure code, with portals and without (ListJobsOfCode).
CREATE INDEX jobs_by_code ON jobs (route, error_code, coalesce(strategy, ''), (-id)) INCLUDE (strategy, id, created_at)
    WHERE error_code IS NOT NULL;
-- As it was, and with the time.
CREATE INDEX jobs_by_class ON jobs (status, mode, coalesce(strategy, ''), (-id)) INCLUDE (strategy, id, created_at);

-- migrate:down

DROP INDEX jobs_by_class;
CREATE INDEX jobs_by_class ON jobs (status, mode, coalesce(strategy, ''), (-id)) INCLUDE (strategy, id);
DROP TRIGGER jobs_file ON jobs;
DROP FUNCTION jobs_file;
DROP INDEX jobs_by_route;
DROP INDEX jobs_by_code;
ALTER TABLE jobs DROP COLUMN run_seconds, DROP COLUMN route;
DROP TABLE routes;
DROP TABLE job_hours;
