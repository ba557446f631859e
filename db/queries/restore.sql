-- SkipIDs leaves a gap in the numbers that new jobs and portals get, and returns those that are the last to be left out.
-- name: SkipIDs :one
SELECT setval(pg_get_serial_sequence('jobs', 'id'), nextval(pg_get_serial_sequence('jobs', 'id')) + sqlc.arg(gap)::bigint)::bigint AS jobs,
       setval(pg_get_serial_sequence('portals', 'id'), nextval(pg_get_serial_sequence('portals', 'id')) + sqlc.arg(gap)::bigint)::bigint AS portals;
