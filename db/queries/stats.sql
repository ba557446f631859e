-- RoutesOf are the routes of a mode, and with a portal on either side that had this name, or that has this id; without both, all.
-- name: RoutesOf :many
SELECT id FROM routes
WHERE (sqlc.narg(mode)::text IS NULL OR mode = sqlc.narg(mode))
  AND (sqlc.narg(portal)::text IS NULL OR sqlc.narg(portal) IN
      (source_portal_name, destination_portal_name, source_portal::text, destination_portal::text));

-- IDsOf are the lowest and the highest id that a job can have which was submitted at since or later, and before until. Others lie
-- between the two as well: a hundred of ids and an hour are told as wholes. Where there is no such job the highest is the lower.
-- name: IDsOf :one
SELECT coalesce((SELECT min(hundred) * 100 FROM job_hours
                 WHERE hour > coalesce(sqlc.narg(since)::timestamptz, '-infinity') - interval '1 hour'), 1)::bigint AS lowest,
       coalesce((SELECT max(hundred) * 100 + 99 FROM job_hours
                 WHERE hour < coalesce(sqlc.narg(until)::timestamptz, 'infinity')), 0)::bigint AS highest;

-- Summarise counts the jobs of some routes and strategies (an empty one is: not decided yet) by strategy, mode and names of the
-- portals. Each figure is read from a range of jobs_by_route, within the ids of the time that is asked for, so nothing is
-- read in vain and nothing but durations is sorted.
-- name: Summarise :many
WITH groups AS (
    SELECT mode, source_portal_name, destination_portal_name, array_agg(id) AS routes
    FROM routes WHERE id = ANY(@routes::bigint[])
    GROUP BY mode, source_portal_name, destination_portal_name
)
SELECT s.strategy::text AS strategy, g.mode, g.source_portal_name, g.destination_portal_name,
    done.jobs AS succeeded, failed.jobs AS failed, other.cancelled, other.unfinished, done.files, done.bytes, done.seconds,
    done.percentiles, failed.failures
FROM groups g, unnest(@strategies::text[]) AS s(strategy),
    LATERAL (
        SELECT count(*) AS jobs, coalesce(sum(files_copied), 0)::bigint AS files, coalesce(sum(bytes_copied), 0)::bigint AS bytes,
               coalesce(sum(seconds), 0)::float8 AS seconds,
               coalesce(percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds), '{}')::float8[] AS percentiles
        FROM (
            SELECT j.files_copied, j.bytes_copied, j.run_seconds AS seconds FROM jobs j
            WHERE j.route = ANY(g.routes) AND j.status = 'success' AND coalesce(j.strategy, '') = s.strategy
              AND -j.id BETWEEN - sqlc.arg(highest)::bigint AND - sqlc.arg(lowest)::bigint
              AND j.created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity')
              AND j.created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
        ) AS succeeded
    ) AS done,
    LATERAL (
        SELECT coalesce(sum(jobs), 0)::bigint AS jobs, coalesce(jsonb_object_agg(error_code, jobs), '{}')::jsonb AS failures
        FROM (
            SELECT j.error_code, count(*) AS jobs FROM jobs j
            WHERE j.route = ANY(g.routes) AND j.status = 'failed' AND coalesce(j.strategy, '') = s.strategy
              AND -j.id BETWEEN - sqlc.arg(highest)::bigint AND - sqlc.arg(lowest)::bigint
              AND j.created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity')
              AND j.created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
            GROUP BY j.error_code
        ) AS by_code
    ) AS failed,
    LATERAL (
        SELECT count(*) FILTER (WHERE j.status = 'cancelled') AS cancelled, count(*) FILTER (WHERE j.status <> 'cancelled') AS unfinished
        FROM unnest(ARRAY['pending', 'running', 'cancelled']) AS o(status), jobs j -- else the planner reads what is rare from another index
        WHERE j.route = ANY(g.routes) AND j.status = o.status AND coalesce(j.strategy, '') = s.strategy
          AND -j.id BETWEEN - sqlc.arg(highest)::bigint AND - sqlc.arg(lowest)::bigint
          AND j.created_at >= coalesce(sqlc.narg(since)::timestamptz, '-infinity')
          AND j.created_at < coalesce(sqlc.narg(until)::timestamptz, 'infinity')
    ) AS other
WHERE done.jobs + failed.jobs + other.cancelled + other.unfinished > 0
ORDER BY done.jobs + failed.jobs + other.cancelled + other.unfinished DESC, g.mode, s.strategy, g.source_portal_name, g.destination_portal_name;

-- LatestBetween are the newest jobs, from an id on, that succeeded between two portals, or without any, by one strategy.
-- name: LatestBetween :many
SELECT newest.* FROM routes r, LATERAL (
    SELECT j.id, j.method, j.files_copied AS files, j.bytes_copied AS bytes, j.run_seconds::float8 AS seconds
    FROM jobs j
    WHERE j.route = r.id AND j.status = 'success' AND coalesce(j.strategy, '') = sqlc.arg(strategy)::text AND -j.id <= - sqlc.arg(lowest)::bigint
    ORDER BY -j.id
    LIMIT @row_limit
) AS newest
WHERE (sqlc.narg(mode)::text IS NULL OR r.mode = sqlc.narg(mode))
  AND r.source_portal IS NOT DISTINCT FROM sqlc.narg(source_portal) AND r.destination_portal IS NOT DISTINCT FROM sqlc.narg(destination_portal)
ORDER BY newest.id DESC
LIMIT @row_limit;
