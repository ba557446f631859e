package testdb

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Hold stops every run at the moment it records its first event of a kind, so that a test can do something in the very
// middle of a job. Reached waits until a run is held; Sever cuts its
// connection, as a failover does; Release lets all of them go on.
type Hold struct {
	t    *testing.T
	conn *pgx.Conn
}

// holdLock is the advisory lock that held runs wait for.
const holdLock = 7266

// HoldAt begins to hold the runs of the database at url.
func HoldAt(t *testing.T, url, kind string) *Hold {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // frees the lock too
	for _, statement := range []string{
		`SELECT pg_advisory_lock(7266)`,
		`CREATE FUNCTION hold_run() RETURNS trigger LANGUAGE plpgsql AS
		 $$BEGIN PERFORM pg_advisory_xact_lock(7266); RETURN NEW; END$$`,
		`CREATE TRIGGER hold_run BEFORE INSERT ON job_events FOR EACH ROW WHEN (NEW.kind = '` + kind + `')
		 EXECUTE FUNCTION hold_run()`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	return &Hold{t: t, conn: conn}
}

// Reached returns when a run is held.
func (h *Hold) Reached() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for held := false; !held; {
		err := h.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, holdLock).Scan(&held)
		if err != nil {
			h.t.Fatal(err)
		}
		<-ticker.C
	}
}

// Release lets the held runs go on.
func (h *Hold) Release() {
	h.t.Helper()
	if _, err := h.conn.Exec(h.t.Context(), "SELECT pg_advisory_unlock($1)", holdLock); err != nil {
		h.t.Fatal(err)
	}
}

// Sever ends the sessions of the held runs.
func (h *Hold) Sever() {
	h.t.Helper()
	_, err := h.conn.Exec(h.t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1
		AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, holdLock)
	if err != nil {
		h.t.Fatal(err)
	}
}
