// Package testdb gives each test a migrated PostgreSQL database of its own. It is imported by tests only. The server is
// the one that KETTER_TEST_DB_URL names; infra/test.sh starts one for the whole run.
package testdb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// New makes a migrated database and returns a store on it and its URL. Both end with the test.
func New(t *testing.T) (*db.Store, string) {
	t.Helper()
	server := serverURL(t)
	template := ensureTemplate(t, server)
	name := "test_" + random()
	admin(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template))
		return err
	})
	t.Cleanup(func() { drop(t, server, name) })
	return open(t, withDatabase(server, name))
}

// Empty makes a database without any table.
func Empty(t *testing.T) (*db.Store, string) {
	t.Helper()
	server := serverURL(t)
	name := "test_" + random()
	admin(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+name)
		return err
	})
	t.Cleanup(func() { drop(t, server, name) })
	return open(t, withDatabase(server, name))
}

// ensureTemplate migrates once per server and schema version; the rest are copies, which take milliseconds.
func ensureTemplate(t *testing.T, server string) string {
	known := db.KnownMigrations()
	template := "ketter_template_" + known[len(known)-1]
	admin(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		const lockID = 7265
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockID); err != nil {
			return err
		}
		var exists bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", template).Scan(&exists)
		if err != nil || exists {
			return err
		}
		making := template + "_" + random()
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+making); err != nil {
			return err
		}
		target := withDatabase(server, making)
		store, err := db.Open(ctx, target, 2)
		if err != nil {
			return err
		}
		err = riverjobs.MigrateUp(ctx, store, target)
		store.Close()
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", making, template))
		return err
	})
	return template
}

func open(t *testing.T, target string) (*db.Store, string) {
	t.Helper()
	store, err := db.Open(t.Context(), target, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store, target
}

func drop(t *testing.T, server, name string) {
	admin(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
		return err
	})
}

func admin(t *testing.T, server string, fn func(ctx context.Context, conn *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("the test server does not answer: %v", err)
	}
	defer conn.Close(ctx)
	if err := fn(ctx, conn); err != nil {
		t.Fatal(err)
	}
}

func serverURL(t *testing.T) string {
	t.Helper()
	server := os.Getenv("KETTER_TEST_DB_URL")
	if server == "" {
		t.Fatal("this test needs PostgreSQL: run infra/test.sh, or set KETTER_TEST_DB_URL to a server where databases may be made")
	}
	return server
}

func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err)
	}
	u.Path = "/" + name
	return u.String()
}

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
