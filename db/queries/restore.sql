-- SkipIDs puts the numbers that new jobs and portals get past the milliseconds since 1970, or past a gap where they are there
-- already, and returns those that are the last to be left out.
-- name: SkipIDs :one
SELECT setval(pg_get_serial_sequence('jobs', 'id'), CASE WHEN job < clock THEN clock ELSE job + sqlc.arg(gap)::bigint END)::bigint AS jobs,
       setval(pg_get_serial_sequence('portals', 'id'), CASE WHEN portal < clock THEN clock ELSE portal + sqlc.arg(gap)::bigint END)::bigint AS portals
FROM (SELECT nextval(pg_get_serial_sequence('jobs', 'id')) AS job,
             nextval(pg_get_serial_sequence('portals', 'id')) AS portal,
             (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock) AS next;
