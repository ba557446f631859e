// Package db is Ketter's own part of the database: the schema (migrations/), the queries (queries/, compiled by sqlc) and
// the transactions they run in. River's tables are package riverjobs' affair. The package never decides what a job should
// do next; it makes sure that what is written is consistent and that only the run that owns a job writes it.
//
// # Who may write a job
//
// A job that nobody runs is changed under its row lock. A running job belongs to the run whose token stands in job_runs;
// all it writes goes through Store.InRun:
//
//	begin ─► lock the jobs row ─► is our token still in job_runs? ──no──► ErrRunLost, rolled back
//	                                        │ yes
//	                                        └─► write, commit
//
// The lock comes first and the token is read by a second statement, with a snapshot taken after the lock was granted: a
// takeover that was in flight is thus always seen. Lock order is portals, then jobs, then river_job.
package db
