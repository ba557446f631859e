package db_test

import (
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until what is true.
func eventually(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !isTrue() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func exec(t *testing.T, store *db.Store, sql string, args ...any) {
	t.Helper()
	_, err := store.Pool().Exec(t.Context(), sql, args...)
	must(t, err)
}

func scan[T any](t *testing.T, store *db.Store, sql string, args ...any) T {
	t.Helper()
	var value T
	must(t, store.Pool().QueryRow(t.Context(), sql, args...).Scan(&value))
	return value
}

func create(t *testing.T, store *db.Store, mode transfer.Mode) int64 {
	t.Helper()
	job, err := db.New(store.Pool()).CreateJob(t.Context(), db.CreateJobParams{
		Mode: mode, SourcePath: "/a", DestinationPath: "/b", RequestedStrategy: transfer.Auto, Verify: transfer.Checksum,
		Queue: transfer.DefaultQueue, Priority: transfer.DefaultPriority,
	})
	must(t, err)
	return job.ID
}

// become changes the status and everything that has to change with it.
const become = `UPDATE jobs SET status = $2, started_at = coalesce(started_at, now()), strategy = 'DIRECT', method = 'copy',
	finished_at = CASE WHEN $2 IN ('success', 'failed', 'cancelled') THEN now() END,
	error_code = CASE WHEN $2 = 'failed' THEN 'io_error' END WHERE id = $1`

// createAs makes a job of any status, on the way that jobs take.
func createAs(t *testing.T, store *db.Store, mode transfer.Mode, status transfer.Status) int64 {
	t.Helper()
	id := create(t, store, mode)
	if status != transfer.Pending {
		exec(t, store, become, id, transfer.Running)
	}
	if status.Final() {
		exec(t, store, become, id, status)
	}
	return id
}

// createRun makes a running job and returns its run's token.
func createRun(t *testing.T, store *db.Store) (id int64, token string) {
	t.Helper()
	id = createAs(t, store, transfer.Copy, transfer.Running)
	token, err := db.New(store.Pool()).StartRun(t.Context(), db.StartRunParams{JobID: id, Worker: "w", Lease: time.Hour})
	must(t, err)
	return id, token
}
