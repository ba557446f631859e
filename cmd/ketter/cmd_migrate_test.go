package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/infra/embedded"
	"github.com/ketter/ketter/infra/testdb"
)

func TestWhatWasNeverMigratedIsNoRestoredDatabase(t *testing.T) {
	_, url := testdb.Empty(t)
	t.Setenv("DB_URL", url)
	if _, errOut, status := ketter(t, "migrate", "restored"); status == 0 || !strings.Contains(errOut, "ketter migrate up") {
		t.Errorf("status %d\n%s", status, errOut)
	}
}

func TestMigrateSaysWhichDatabaseItHasAlteredAndNoPassword(t *testing.T) {
	_, dbURL := testdb.New(t)
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DB_URL", dbURL)
	want := "Database: " + strings.TrimPrefix(u.Path, "/") + " on " + u.Hostname()
	password, _ := u.User.Password()
	for _, command := range [][]string{{"migrate", "restored"}, {"migrate", "down", "--delete-data"}} {
		out, errOut, _ := ketter(t, command...) // after down the schema is not this binary's
		if !strings.HasPrefix(out, want) || password != "" && strings.Contains(out+errOut, password) {
			t.Errorf("%v: %q, want it to begin with %q\n%s", command, out, want, errOut)
		}
	}
}

func TestTheDatabaseOfARunningUpIsNotTakenForOneToAlter(t *testing.T) {
	_, url := testdb.New(t)
	state := t.TempDir()
	release, err := embedded.LockState(state)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := embedded.WriteServices(state, embedded.Services{DBURL: url}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DB_URL", "")
	t.Setenv("KETTER_STATE_DIR", state)
	if _, errOut, status := ketter(t, "migrate", "status"); status != 0 {
		t.Errorf("status %d: it is not found at all\n%s", status, errOut)
	}
	for _, command := range [][]string{{"migrate", "restored"}, {"migrate", "down", "--delete-data"}} {
		out, errOut, status := ketter(t, command...)
		if status != 2 || out != "" || !strings.Contains(errOut, "DB_URL is not set") {
			t.Errorf("%v: status %d\n%s%s", command, status, out, errOut)
		}
	}
}

func TestADatabaseThatOthersAreConnectedToIsNoRestoredOne(t *testing.T) {
	store, url := testdb.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err == nil {
		err = store.Ping(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DB_URL", url)
	_, errOut, status := ketter(t, "migrate", "restored")
	if status != 2 || !strings.Contains(errOut, "a program without a name (1), ketter (1)") {
		t.Errorf("status %d\n%s", status, errOut)
	}
	var given bool
	if err := store.Pool().QueryRow(t.Context(), "SELECT is_called FROM jobs_id_seq").Scan(&given); err != nil || given {
		t.Errorf("numbers were skipped (%v)", err)
	}
	store.Close()
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, errOut, status := ketter(t, "migrate", "restored"); status != 0 || !strings.Contains(out, "The next new job is ") {
		t.Errorf("status %d once they are gone\n%s%s", status, out, errOut)
	}
}
