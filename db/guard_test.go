package db_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

const checkViolation = "23514"

func refused(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == checkViolation
}

// The table of transfer.Status and the database's trigger say the same of every pair.
func TestTheDatabaseGuardsTheSameTransitionsAsTheCode(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	for _, from := range transfer.Statuses() {
		for _, to := range transfer.Statuses() {
			id := createAs(t, store, transfer.Copy, from)
			_, err := store.Pool().Exec(t.Context(), become, id, to)
			if err != nil && !refused(err) {
				t.Fatal(err)
			}
			if want := from == to || from.CanBecome(to); want != (err == nil) {
				t.Errorf("%s to %s: the code says %t, the database %v", from, to, want, err)
			}
		}
	}
}

func TestAJobBeginsAsPending(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	for _, status := range transfer.Statuses() {
		_, err := store.Pool().Exec(t.Context(), `INSERT INTO jobs (mode, source_path, destination_path, status, started_at,
			finished_at, error_code, strategy, method) VALUES ('copy', '/a', '/b', $1, now(),
			CASE WHEN $1 IN ('success', 'failed', 'cancelled') THEN now() END, CASE WHEN $1 = 'failed' THEN 'x' END, 'DIRECT', 'copy')`,
			status)
		if (err == nil) != (status == transfer.Pending) || err != nil && !refused(err) {
			t.Errorf("inserting a %s job: %v", status, err)
		}
	}
}

func TestTheDatabaseRefusesNonsense(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id := createAs(t, store, transfer.Copy, transfer.Running)
	pending := create(t, store, transfer.Copy)
	for _, sql := range []string{
		"UPDATE jobs SET mode = 'link' WHERE id = %[1]d",
		"UPDATE jobs SET status = 'lost' WHERE id = %[1]d",
		"UPDATE jobs SET source_path = 'a' WHERE id = %[1]d",
		"UPDATE jobs SET destination_path = '' WHERE id = %[1]d",
		"UPDATE jobs SET requested_strategy = 'ZIP' WHERE id = %[1]d",
		"UPDATE jobs SET verify = 'maybe' WHERE id = %[1]d",
		"UPDATE jobs SET strategy = 'AUTO' WHERE id = %[1]d", // only ever asked for
		"UPDATE jobs SET method = 'magic' WHERE id = %[1]d",
		"UPDATE jobs SET files_copied = -1 WHERE id = %[1]d",
		"UPDATE jobs SET bytes_copied = -1 WHERE id = %[1]d",
		"UPDATE jobs SET attempts = -1 WHERE id = %[1]d",
		"UPDATE jobs SET started_at = NULL WHERE id = %[1]d",
		"UPDATE jobs SET finished_at = now() WHERE id = %[1]d", // it runs
		"UPDATE jobs SET error_code = 'io_error' WHERE id = %[1]d",
		"UPDATE jobs SET status = 'failed', finished_at = now() WHERE id = %[1]d", // no code
		"UPDATE jobs SET status = 'success' WHERE id = %[1]d",                     // not finished
		"UPDATE jobs SET status = 'success', finished_at = now(), method = NULL WHERE id = %[1]d",
		"UPDATE jobs SET status = 'success', finished_at = now(), strategy = NULL WHERE id = %[1]d",
		"UPDATE jobs SET status = 'running' WHERE id = %[2]d", // never started
		"INSERT INTO job_events (job_id, seq, kind, message) VALUES (%[1]d, 0, 'created', '')",
		"INSERT INTO job_events (job_id, seq, kind, message) VALUES (%[1]d, 1, 'file_copied', '')",
		"INSERT INTO job_events (job_id, seq, kind, message, payload) VALUES (%[1]d, 1, 'created', '', '[]')",
		"INSERT INTO installation (singleton) VALUES (false)",
		"INSERT INTO portals (name, kind, root_path) VALUES ('a/b', 'local', '/a')",
		"INSERT INTO portals (name, kind, root_path) VALUES ('a', 'ftp', '/a')",
		"INSERT INTO portals (name, kind, root_path) VALUES ('a', 'local', 'a')",
		"INSERT INTO portals (name, kind, root_path, port) VALUES ('a', 'local', '/a', 65536)",
		"INSERT INTO portals (name, kind, root_path, host, port, username) VALUES ('a', 'sftp', '/a', 'h', 22, 'u')",      // no host key
		"INSERT INTO portals (name, kind, root_path, host, username, host_key) VALUES ('a', 'sftp', '/a', 'h', 'u', 'k')", // no port
		"INSERT INTO portals (name, kind, root_path) VALUES ('12', 'local', '/a')",                                        // an id
		"INSERT INTO portals (name, kind, root_path, host) VALUES ('a', 'local', '/a', 'h')",
		"INSERT INTO portals (name, kind, root_path, send_agent) VALUES ('a', 'local', '/a', true)",
		"INSERT INTO portals (name, kind, root_path, worker_label) VALUES ('a', 'local', '/a', 'Lab')",
		"INSERT INTO portals (name, kind, root_path, max_connections) VALUES ('a', 'local', '/a', 33)",
		"INSERT INTO portals (name, kind, root_path, zip_threshold_files) VALUES ('a', 'local', '/a', -1)",
		"INSERT INTO portals (name, kind, root_path, host, port, username, host_key, agent_path) VALUES ('a', 'sftp', '/a', 'h', 22, 'u', 'k', 'ketter')",
		"INSERT INTO portals (name, kind, root_path, host, port, username, host_key, credential) VALUES ('a', 'sftp', '/a', 'h', 22, 'u', 'k', 'c')", // of no kind
		"INSERT INTO portals (name, kind, root_path, host, port, username, host_key, credential_kind) VALUES ('a', 'sftp', '/a', 'h', 22, 'u', 'k', 'key')",
		"UPDATE jobs SET source_portal = 7 WHERE id = %[1]d", // without its name
	} {
		if _, err := store.Pool().Exec(t.Context(), fmt.Sprintf(sql+" -- %[1]d %[2]d", id, pending)); !refused(err) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// Every kind of event and every method that the code knows is one that the database takes.
func TestTheDatabaseTakesWhatTheCodeKnows(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	id := create(t, store, transfer.Copy)
	for i, kind := range []transfer.EventKind{
		transfer.EventCreated, transfer.EventStarted, transfer.EventConnected, transfer.EventStrategyDecision, transfer.EventArchiveCreated,
		transfer.EventArchiveSent, transfer.EventArchiveExtracted, transfer.EventCleanedUp, transfer.EventVerified,
		transfer.EventPublished, transfer.EventSourceRemoved, transfer.EventFinished, transfer.EventError,
		transfer.EventRetryScheduled, transfer.EventRecovered, transfer.EventCancelRequested, transfer.EventCancelled,
	} {
		exec(t, store, "INSERT INTO job_events (job_id, seq, kind, message) VALUES ($1, $2, $3, '')", id, i+1, kind)
	}
	for _, method := range []transfer.Method{transfer.Rename, transfer.Copied, transfer.Archive, transfer.Stream} {
		exec(t, store, "UPDATE jobs SET method = $2 WHERE id = $1", id, method)
	}
	for _, verify := range []transfer.Verify{transfer.Checksum, transfer.Size, transfer.None} {
		exec(t, store, "UPDATE jobs SET verify = $2 WHERE id = $1", id, verify)
	}
}
